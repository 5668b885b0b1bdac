"""Start-up of the scripts that need no network against bare `python -c "import torch"`.

Each script's own import statements, those outside its functions, run in a fresh interpreter; the whole process is
timed. All are timed once; the slowest is then timed alternately with the import of torch. Modules put some imports off
until they are needed, so with `--most` a second figure has every import of other packages that the loaded modules of
slidecaf make inside functions, used or not: the most that a script can come to.

Before a script's first line Snakemake's preamble has unpickled its job, which imports Snakemake itself. No script can
save that; it is measured in a workflow of one rule and printed beside.

Slides share a job so that the start is paid once. Here some slides of 4,096 px have a job each, and then as many as
slides_per_job has by default share one. What a job of one slide takes beyond a further slide of a long job is the
start: Python, imports and the network (AlexNet, patches of 336 px). Seconds are those of Snakemake's benchmark files.
"""

import argparse
import ast
import csv
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml
from PIL import Image
from rows import Row, report, seconds

from slidecaf.demo import SLIDES, draw_slide
from slidecaf.study.batches import deal_apart

ROOT = Path(__file__).resolve().parents[1]
WITH_NETWORK = {"features", "predict", "network", "network_decisions", "network_heatmap", "activation"}
HEAVY = ("torch", "sklearn", "skimage", "scipy", "pandas", "matplotlib")
REPEATS = 3
BATCH, PX = 16, 4096  # the default of slides_per_job; a side of the slides, which is small for one
ALONE = 2  # jobs of one slide that are timed
GOAL = 0.1  # start-up, of a job

LOADED = f"import sys\nprint(*(name for name in {HEAVY} if name in sys.modules))\n"
PUT_OFF = """
import ast, pathlib, sys
for name in sorted(name for name in sys.modules if name.partition(".")[0] == "slidecaf"):
    for node in ast.walk(ast.parse(pathlib.Path(sys.modules[name].__file__).read_text(encoding="utf-8"))):
        module = getattr(node, "module", None) or ""
        if isinstance(node, ast.Import | ast.ImportFrom) and node.col_offset and not module.startswith("slidecaf"):
            exec(ast.unparse(node))
"""
SNAKEFILE = """
rule all:
    output: "said"
    script: "script.py"
"""
SCRIPT = f"""
import time
spent = time.process_time()
import sys
said = " ".join(name for name in {HEAVY} if name in sys.modules)
open(snakemake.output[0], "w").write(f"{{spent}} {{said}}")
"""


def imports(script):
    """Return the import statements of a script that run when it starts: all but those inside functions."""
    waiting, found = [ast.parse(script.read_text(encoding="utf-8"))], []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append((node.lineno, ast.unparse(node)))
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return "".join(f"{text}\n" for _, text in sorted(found))


def run(code):
    """Run code in a fresh interpreter; return what it printed."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def start(code):
    """Return the seconds of a fresh interpreter that runs code, and which heavy modules it then holds."""
    loaded = []
    return seconds(lambda: loaded.extend(run(code + LOADED).split())), loaded


def preamble():
    """Return CPU seconds before a script's first line in a workflow of one rule, and the heavy modules loaded then."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Snakefile").write_text(SNAKEFILE)
        (Path(folder) / "script.py").write_text(SCRIPT)
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all", "--directory", folder]
        command += ["--snakefile", f"{folder}/Snakefile"]
        subprocess.run(command, check=True, capture_output=True)
        spent, _, loaded = (Path(folder) / "said").read_text().partition(" ")
    return float(spent), loaded


def run_jobs(study, rule, slides_per_job):
    """Make a rule's files anew in some jobs of so many slides; return the median of their seconds."""
    config = yaml.safe_load((study / "config.yaml").read_text()) | {"slides_per_job": slides_per_job}
    (study / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    for kind in ("", "benchmarks/"):
        shutil.rmtree(study / f"results/{kind}{rule}", ignore_errors=True)
    batches = deal_apart([path.stem for path in study.glob("slides/*.png")], [], slides_per_job)
    full = [number for number, slides in batches.items() if len(slides) == slides_per_job][:ALONE]
    command = [sys.executable, "-m", "slidecaf.cli", "run", str(study), "--cores", "1"]
    command += [f"results/{rule}/cnn/batch-{number}.tsv" for number in full]
    subprocess.run(command, check=True, capture_output=True)
    taken = []
    for number in full:
        with open(study / f"results/benchmarks/{rule}/cnn/batch-{number}.tsv", newline="") as file:
            taken.append(float(next(csv.DictReader(file, delimiter="\t"))["s"]))
    return statistics.median(taken)


def make_slides(study):
    """Write slides and their sheet: one that is drawn, shifted by ever more px, since drawing takes long."""
    drawn, lines = draw_slide(SLIDES[0], size=PX)[0], ["slide\tpath\tlabel\tpatient\tsplit"]
    (study / "slides").mkdir()
    for k in range(BATCH):
        path = f"slides/slide-{k}.png"
        Image.fromarray(np.roll(drawn, 97 * k, axis=1)).save(study / path, compress_level=1)
        lines.append(f"slide-{k}\t{path}\t{('GBM', 'LGG')[k % 2]}\tpatient-{k}\ttrain")
    (study / "classification.tsv").write_text("\n".join(lines) + "\n")


def jobs(repeats):
    """Return rows: the start of a job beside all of it, for a rule without and for one with torch."""
    shares = {"tiles": [], "features": []}
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder)
        make_slides(study)
        encoder = {"model": "alexnet", "layer": "classifier.5", "weights": "random:0"}
        config = {
            "threads": 2,
            "features": {
                "cnn": {"tiling": {"patch_size": 336, "overlap": 0.25, "white_above": 200}, "encoder": encoder}
            },
            "classification": {
                "sheet": "classification.tsv",
                "positive": "GBM",
                "folds": 2,
                "methods": {"svm": {"features": ["cnn"]}},
            },
        }
        (study / "config.yaml").write_text(yaml.safe_dump(config))
        for rule, found in shares.items():
            for _ in range(repeats):
                alone, together = run_jobs(study, rule, 1), run_jobs(study, rule, BATCH)
                slide = (together - alone) / (BATCH - 1)
                found.append((alone - slide) / together)
                said = f"start-up of a job {alone - slide:.2f} s, a slide of {PX} px {slide:.3f} s"
                print(f"{rule}: {said}, a job of {BATCH} {together:.2f} s", flush=True)
    return [
        Row(f"start-up of {rule}, slides of {PX} px", f"the whole job of {BATCH}", found, GOAL, at_least=False)
        for rule, found in shares.items()
    ]


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--most", action="store_true", help="what scripts can come to, too: a minute more")
    arguments = parser.parse_args()

    scripts = {path.stem: imports(path) for path in sorted((ROOT / "workflow" / "scripts").glob("*.py"))}
    scripts = {name: code for name, code in scripts.items() if name not in WITH_NETWORK}
    alone, most, with_torch = {}, {}, []
    for name, code in scripts.items():
        alone[name], loaded = start(code)
        with_torch += [name] * ("torch" in loaded)
        said = f"{name}: {alone[name]:.2f} s ({' '.join(loaded) or 'nothing heavy'})"
        if arguments.most:
            most[name], all_loaded = start(code + PUT_OFF)
            later = [module for module in all_loaded if module not in loaded]
            said += f", with all that is put off {most[name]:.2f} s ({' '.join(later) or 'nothing more'})"
        print(said, flush=True)
    spent, loaded = preamble()
    empty = seconds(lambda: run(""))
    print(
        f"an empty interpreter: {empty:.2f} s; with Snakemake's preamble, CPU: {spent:.2f} s",
        loaded or "(nothing heavy)",
    )

    slowest = max(alone, key=alone.get)
    ours, bare = [], []
    for _ in range(arguments.repeats):
        ours.append(seconds(lambda: run(scripts[slowest])))
        bare.append(seconds(lambda: run("import torch")))
    ratios = [own / other for own, other in zip(ours, bare, strict=True)]
    stage = f"start-up of the slowest script, {slowest}"
    heaviest = sorted(most, key=most.get)[-1:]
    report(
        Row(stage, "1.5 seconds", ours, goal=1.5, at_least=False, unit="s"),
        Row(stage, 'python -c "import torch"', ratios, goal=1, at_least=False),
        *(Row(f"the most a script can import, {name}", "1.5 seconds", [most[name]], unit="s") for name in heaviest),
        Row("scripts without a network", "those that import torch", [len(with_torch)], 0, False, "scripts"),
        *jobs(1),
    )


main()
