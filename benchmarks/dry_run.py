"""A plan of the workflow against the same rules and files without any code: what params, digests and checks cost.

Both sides are `snakemake --dry-run` on one study of the classification whose slides are there (hard links of one drawn
TIFF file, so that reading their ends costs no disk) and of which nothing has been computed: this repository's
Snakefile, and one written here with the same rules, inputs and outputs, and neither params, logs, scripts nor checks.
Both print how many jobs of which rule there are, and have to agree. The first plan of a study has to read both ends of
every slide; a later one remembers them. The ratios are of seconds on the CPU, which other processes disturb less than
the clock. `--full` plans 2,500, 5,000 and 10,000 slides, one a job and a hundred a job, and says
seconds by the clock and peak memory.

The limit is Snakemake itself: the third side is the bare Snakefile with a script, a log, a benchmark file and an
environment in each rule, which Snakemake looks at job by job. What is left beyond it is Snakemake's way of calling
params functions, the slides' digests, and what does not grow with the slides: reading code, config and sheet.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from rows import Row, report

from slidecaf.demo import write_slide

ROOT = Path(__file__).resolve().parents[1]
SLIDES, REPEATS = 1200, 2
FULL = (2500, 5000, 10_000)
TOGETHER = 100

BARE = """
SHEET = [line.split("\\t") for line in open("sheet.tsv").read().splitlines()[1:]]
TRAIN = [line[0] for line in SHEET if line[4] == "train"]
TEST = [line[0] for line in SHEET if line[4] == "test"]
PARTS = ["fold-0", "fold-1", "fold-2", "final"]
TOP = "results/classification/{method}"
POOLED = "results/pooled/cnn/{slide}.h5"


rule all:
    default_target: True
    input:
        "results/study.yaml",
        expand("results/{kind}/cnn/{slide}.h5", kind=["tiles", "features", "pooled"], slide=TRAIN + TEST),
        expand(f"{TOP}/{{part}}/{{file}}", method="svm", part=PARTS, file=["choice.json", "selection.tsv"]),
        expand(f"{TOP}/{{part}}/{{file}}", method="svm", part=PARTS, file=["model.json", "decisions.tsv"]),
        expand(f"{TOP}/{{file}}", method="svm", file=["folds.tsv", "predictions.tsv", "scores.json"]),
        expand("results/thumbnails/{slide}.jpg", slide=TRAIN + TEST),
        expand(f"{TOP}/final/figure5.{{suffix}}", method="svm", suffix=["png", "tsv"]),
        "results/report.html",

rule study:
    output: "results/study.yaml"

rule tiles:
    output: "results/tiles/{features}/{slide}.h5"

rule encoder:
    output: "results/encoders/{features}.json"

rule features:
    input: tiles="results/tiles/{features}/{slide}.h5", encoder="results/encoders/{features}.json"
    output: "results/features/{features}/{slide}.h5"

rule pooling:
    input: "results/features/{features}/{slide}.h5"
    output: "results/pooled/{features}/{slide}.h5"

rule folds:
    output: f"{TOP}/folds.tsv"

rule selection:
    input: folds=f"{TOP}/folds.tsv", pooled=expand(POOLED, slide=TRAIN)
    output: choice=f"{TOP}/{{part}}/choice.json", selection=f"{TOP}/{{part}}/selection.tsv"

rule svm:
    input:
        folds=f"{TOP}/folds.tsv",
        choice=f"{TOP}/{{part}}/choice.json",
        selection=f"{TOP}/{{part}}/selection.tsv",
        pooled=expand(POOLED, slide=TRAIN),
    output: f"{TOP}/{{part}}/model.json"

rule decisions:
    input:
        folds=f"{TOP}/folds.tsv",
        model=f"{TOP}/{{part}}/model.json",
        pooled=lambda wildcards: expand(POOLED, slide=TEST if wildcards.part == "final" else TRAIN),
    output: f"{TOP}/{{part}}/decisions.tsv"

rule scores:
    input: folds=f"{TOP}/folds.tsv", decisions=[f"{TOP}/{part}/decisions.tsv" for part in PARTS]
    output: predictions=f"{TOP}/predictions.tsv", scores=f"{TOP}/scores.json"

for first in range(0, len(TRAIN + TEST), 50):

    rule:
        name: f"thumbnail-{first // 50}"
        output: [f"results/thumbnails/{line[0]}.jpg" for line in SHEET[first : first + 50]]

rule neurons:
    input:
        model=f"{TOP}/final/model.json",
        features=expand("results/features/cnn/{slide}.h5", slide=TRAIN),
    output: figure=f"{TOP}/final/figure5.png", table=f"{TOP}/final/figure5.tsv"

rule report:
    input:
        expand("results/tiles/cnn/{slide}.h5", slide=TRAIN + TEST),
        expand("results/thumbnails/{slide}.jpg", slide=TRAIN + TEST),
        expand(f"{TOP}/{{part}}/choice.json", method="svm", part=PARTS),
        expand(f"{TOP}/{{file}}", method="svm", file=["predictions.tsv", "scores.json"]),
        expand(f"{TOP}/final/figure5.{{suffix}}", method="svm", suffix=["png", "tsv"]),
        "results/study.yaml",
        "results/encoders/cnn.json",
    output: "results/report.html"
"""

WILDCARDS = {
    **dict.fromkeys(("tiles", "features", "pooling"), "{features}/{slide}"),
    **dict.fromkeys(("selection", "svm", "decisions"), "{method}/{part}"),
    **dict.fromkeys(("folds", "scores", "neurons"), "{method}"),
    "encoder": "{features}",
    "study": "study",
    "report": "report",
}


@dataclass(frozen=True)
class Plan:
    """What one dry-run took: seconds on the CPU and by the clock, peak memory in MiB; jobs by rule."""

    cpu: float
    clock: float
    memory: float
    jobs: dict


def make_study(folder, slides):
    """Write a study of so many slides, two a patient, a fifth of them to test on."""
    (folder / "slides").mkdir(parents=True)
    drawn = folder / "drawn.tiff"
    write_slide(drawn, np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8))
    lines = ["slide\tpath\tlabel\tpatient\tsplit"]
    for k in range(slides):
        path = f"slides/slide-{k:05}.tiff"
        os.link(drawn, folder / path)
        patient = k // 2
        split = "test" if patient % 5 == 4 else "train"
        lines.append(f"slide-{k:05}\t{path}\t{('GBM', 'LGG')[patient % 2]}\tpatient-{patient:05}\t{split}")
    (folder / "sheet.tsv").write_text("\n".join(lines) + "\n")
    tiling = {"patch_size": 336, "overlap": 0.25, "white_above": 200}
    encoder = {"model": "alexnet", "layer": "classifier.5", "weights": "random:0"}
    method = {"features": ["cnn"]}
    config = {
        "features": {"cnn": {"tiling": tiling, "encoder": encoder}},
        "classification": {"sheet": "sheet.tsv", "positive": "GBM", "folds": 3, "methods": {"svm": method}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def with_directives(bare):
    """Return the bare Snakefile with a log, a benchmark file, an environment and a script in every rule but all."""
    blocks = bare.split("\nrule ")
    for k, block in enumerate(blocks[2:], 2):
        name = block.partition(":")[0]
        blocks[k] = f"""{block.rstrip()}
    log: "results/logs/{name}/{WILDCARDS[name]}.log"
    benchmark: "results/benchmarks/{name}/{WILDCARDS[name]}.tsv"
    conda: "{ROOT}/envs/slidecaf.yaml"
    script: "{ROOT}/workflow/scripts/{name}.py"
"""
    return "\nrule ".join(blocks)


def plan(snakefile, study, *, first=True):
    """Plan a study in a process of its own, its memory of earlier plans removed first."""
    if first:
        shutil.rmtree(study / ".snakemake", ignore_errors=True)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--directory", str(study)]
    command += ["--workflow-profile", str(ROOT / "profiles" / "default"), "--dry-run", "--quiet", "rules", "--nocolor"]
    with tempfile.TemporaryFile("w+") as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        clock = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    if process.returncode:
        sys.exit(text)
    stats = re.search(r"Job stats:\n.*?\n-+ +-+\n(.*?)\ntotal", text, re.DOTALL)
    jobs = dict(line.split() for line in stats[1].splitlines())
    return Plan(usage.ru_utime + usage.ru_stime, clock, usage.ru_maxrss / 1024, jobs)


def compare(folder, repeats):
    """Measure all sides in turn; return the rows."""
    study = make_study(folder / "study", SLIDES)
    sides = {"bare": folder / "bare.smk", "with directives": folder / "directives.smk", "slidecaf": ROOT / "Snakefile"}
    sides["bare"].write_text(BARE)
    sides["with directives"].write_text(with_directives(BARE))
    first, later, directives = [], [], []
    for repeat in range(repeats):
        took = {name: plan(snakefile, study) for name, snakefile in sides.items()}
        took["slidecaf, later"] = plan(sides["slidecaf"], study, first=False)
        assert all(each.jobs == took["bare"].jobs for each in took.values()), took
        said = ", ".join(f"{name} {each.cpu:.2f} ({each.clock:.2f})" for name, each in took.items())
        print(f"run {repeat + 1}: seconds of CPU (by the clock): {said}", flush=True)
        first.append(took["slidecaf"].cpu / took["bare"].cpu)
        later.append(took["slidecaf, later"].cpu / took["bare"].cpu)
        directives.append(took["slidecaf"].cpu / took["with directives"].cpu)
    bare = "a Snakefile with the same jobs and no code"
    return [
        Row(f"first dry-run of {SLIDES:,} slides", bare, first, goal=1.5, at_least=False),
        Row("a later one, slides remembered", bare, later, goal=1.5, at_least=False),
        Row(f"first dry-run of {SLIDES:,} slides", "the same with scripts, logs, environments", directives),
    ]


def grow(folder):
    """Plan ever larger studies; return the rows."""
    ours, bare, shared = [], [], []
    for slides in FULL:
        study = make_study(folder / f"study-{slides}", slides)
        (folder / "bare.smk").write_text(BARE)
        ours.append(plan(ROOT / "Snakefile", study))
        bare.append(plan(folder / "bare.smk", study))
        with open(study / "config.yaml", "a") as config:
            config.write(f"slides_per_job: {TOGETHER}\n")
        shared.append(plan(ROOT / "Snakefile", study))
        together = f"slidecaf, {TOGETHER} slides a job"
        for name, each in (("slidecaf", ours[-1]), ("bare", bare[-1]), (together, shared[-1])):
            print(
                f"{slides:,} slides, {name}: {each.clock:.1f} s, CPU {each.cpu:.1f} s, {each.memory:.0f} MiB",
                flush=True,
            )
    slopes = [(b.cpu - a.cpu) / (m - n) for a, b, n, m in zip(ours, ours[1:], FULL, FULL[1:], strict=False)]
    said = f"{FULL[-1]:,} slides"
    return [
        Row(f"first dry-run of {said}", "a minute", [ours[-1].clock], goal=60, at_least=False, unit="s"),
        Row(f"its peak memory, {said}", "1 GB", [ours[-1].memory * 2**20 / 1e9], goal=1, at_least=False, unit="GB"),
        Row(f"first dry-run of {said}, {TOGETHER} a job", "a job a slide", [shared[-1].clock / ours[-1].clock]),
        Row(f"its peak memory, {said}, {TOGETHER} a job", "a job a slide", [shared[-1].memory / ours[-1].memory]),
        Row("CPU of a further slide, last step", "first step: 1 is linear", [slopes[-1] / slopes[0]], 1.25, False),
        Row(f"first dry-run of {said}", "a Snakefile with the same jobs and no code", [ours[-1].cpu / bare[-1].cpu]),
    ]


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="plan up to 10,000 slides too: some minutes")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(Path(folder), arguments.repeats)
        rows += grow(Path(folder)) if arguments.full else []
    report(*rows)


main()
