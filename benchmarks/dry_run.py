"""A plan of the workflow against the same rules and files without any code: what params, digests and checks cost.

Both sides are `snakemake --dry-run` on one study of the classification whose slides are there (one small drawn TIFF
file, each with a number of its own behind it) and of which nothing has been computed: this repository's Snakefile, and
one written here with the same rules, inputs and outputs, and neither params, logs, scripts nor checks.
Both print how many jobs of which rule there are, and have to agree; they are compared with a slide a job, where jobs
are many. The first plan of a study has to read both ends of every slide; a later one remembers them. The ratios are of
seconds on the CPU, which other processes disturb less than the clock. `--full` plans 2,500, 5,000 and 10,000 slides,
one a job and as many a job as slides_per_job has by default, and says seconds by the clock and peak memory.
`--images` plans a collection of so many images of 8 px taken whole, a first time and once they are remembered.

The limit is Snakemake itself: the third side, with `--directives` and `--full`, is the bare Snakefile with a script, a
log, a benchmark file and an environment in each rule, which Snakemake looks at job by job. What is left beyond it is
Snakemake's way of calling params functions, the slides' digests, and what does not grow with the slides: reading code,
config and sheet.
"""

import argparse
import json
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
from PIL import Image
from rows import Row, report

from slidecaf.demo import write_slide
from slidecaf.study.batches import deal_apart

ROOT = Path(__file__).resolve().parents[1]
SLIDES, REPEATS = 1200, 1
FULL = (2500, 5000, 10_000)

BARE = """
import json

TRAIN, ALL = json.load(open("batches.json")).values()
TEST = sorted(set(ALL) - set(TRAIN))
PARTS = ["fold-0", "fold-1", "fold-2", "final"]
TOP = "results/classification/{method}"
POOLED = "results/pooled/cnn/batch-{batch}.tsv"
HEATMAPS = expand(f"{TOP}/heatmap/batch-{{batch}}.tsv", batch=ALL, allow_missing=True)
EVIDENCE = [f"{TOP}/evidence.png", f"{TOP}/evidence.tsv"]
SCORES = [f"{TOP}/predictions.tsv", f"{TOP}/scores.json"]
BEHIND = [
    "results/encoders/cnn.json",
    *expand("results/{kind}/cnn/batch-{batch}.tsv", kind=["tiles", "features", "pooled"], batch=ALL),
    f"{TOP}/folds.tsv",
    *expand(f"{TOP}/{{part}}/{{file}}", part=PARTS, allow_missing=True,
        file=["choice.json", "selection.tsv", "model.json", "inner.tsv", "decisions.tsv"]),
    *SCORES,
    *HEATMAPS,
]


rule all:
    default_target: True
    input:
        "results/study.yaml",
        expand(BEHIND, method="svm"),
        "results/classification/comparison.tsv",
        expand("results/thumbnails/batch-{batch}.tsv", batch=ALL),
        expand(EVIDENCE, method="svm"),
        expand(f"{TOP}/final/figure5.{{suffix}}", method="svm", suffix=["png", "tsv"]),
        "results/report.html",

rule study:
    input: "results/encoders/cnn.json"
    output: "results/study.yaml"

rule tiles:
    output: "results/tiles/{features}/batch-{batch}.tsv"

rule encoder:
    output: "results/encoders/{features}.json"

rule features:
    input: tiles="results/tiles/{features}/batch-{batch}.tsv", encoder="results/encoders/{features}.json"
    output: "results/features/{features}/batch-{batch}.tsv"

rule pooling:
    input: "results/features/{features}/batch-{batch}.tsv"
    output: "results/pooled/{features}/batch-{batch}.tsv"

rule folds:
    output: f"{TOP}/folds.tsv"

rule classifier:
    input: folds=f"{TOP}/folds.tsv", pooled=expand(POOLED, batch=TRAIN)
    output:
        choice=f"{TOP}/{{part}}/choice.json",
        selection=f"{TOP}/{{part}}/selection.tsv",
        model=f"{TOP}/{{part}}/model.json",
        inner=f"{TOP}/{{part}}/inner.tsv",

rule decisions:
    input:
        folds=f"{TOP}/folds.tsv",
        model=f"{TOP}/{{part}}/model.json",
        pooled=lambda wildcards: expand(POOLED, batch=TEST if wildcards.part == "final" else TRAIN),
    output: f"{TOP}/{{part}}/decisions.tsv"

rule heatmap:
    input:
        folds=f"{TOP}/folds.tsv",
        features="results/features/cnn/batch-{batch}.tsv",
        pooled=POOLED,
        models=lambda wildcards: expand(
            f"{TOP}/{{part}}/model.json", method="svm", part=PARTS[-1:] if int(wildcards.batch) in TEST else PARTS[:-1]
        ),
    output: f"{TOP}/heatmap/batch-{{batch}}.tsv"

rule methods:
    input: behind=expand(BEHIND, method="svm"), scores=expand(SCORES, method="svm")
    output: "results/{task}/comparison.tsv"

rule evidence:
    input: predictions=f"{TOP}/predictions.tsv", heatmaps=HEATMAPS
    output: figure=EVIDENCE[0], table=EVIDENCE[1]

rule scores:
    input:
        folds=f"{TOP}/folds.tsv",
        decisions=[f"{TOP}/{part}/decisions.tsv" for part in PARTS],
        inner=[f"{TOP}/{part}/inner.tsv" for part in PARTS[:-1]],
    output: predictions=f"{TOP}/predictions.tsv", scores=f"{TOP}/scores.json"

rule thumbnails:
    output: "results/thumbnails/batch-{batch}.tsv"

rule neurons:
    input:
        model=f"{TOP}/final/model.json",
        features=expand("results/features/cnn/batch-{batch}.tsv", batch=TRAIN),
    output: figure=f"{TOP}/final/figure5.png", table=f"{TOP}/final/figure5.tsv"

rule report:
    input:
        expand("results/tiles/cnn/batch-{batch}.tsv", batch=ALL),
        expand("results/thumbnails/batch-{batch}.tsv", batch=ALL),
        expand(f"{TOP}/{{part}}/choice.json", method="svm", part=PARTS),
        expand([*SCORES, *HEATMAPS, *EVIDENCE], method="svm"),
        expand(f"{TOP}/final/figure5.{{suffix}}", method="svm", suffix=["png", "tsv"]),
        "results/classification/comparison.tsv",
        "results/study.yaml",
        "results/encoders/cnn.json",
    output: "results/report.html"
"""

WILDCARDS = {
    **dict.fromkeys(("tiles", "features", "pooling"), "{features}/batch-{batch}"),
    "thumbnails": "batch-{batch}",
    **dict.fromkeys(("classifier", "decisions"), "{method}/{part}"),
    **dict.fromkeys(("folds", "scores", "neurons", "evidence"), "{method}"),
    "heatmap": "{method}/batch-{batch}",
    "methods": "{task}",
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
    """Write a study of so many slides, two a patient, a fifth of them to test on, and one a job."""
    (folder / "slides").mkdir(parents=True)
    drawn = folder / "drawn.tiff"
    write_slide(drawn, np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8))
    content = drawn.read_bytes()
    lines, names = ["slide\tpath\tlabel\tpatient\tsplit"], {"train": [], "test": []}
    for k in range(slides):
        path = f"slides/slide-{k:05}.tiff"
        (folder / path).write_bytes(content + k.to_bytes(8))  # no copy of another
        patient = k // 2
        split = "test" if patient % 5 == 4 else "train"
        names[split].append(f"slide-{k:05}")
        lines.append(f"slide-{k:05}\t{path}\t{('GBM', 'LGG')[patient % 2]}\tpatient-{patient:05}\t{split}")
    (folder / "sheet.tsv").write_text("\n".join(lines) + "\n")
    tiling = {"patch_size": 336, "overlap": 0.25, "white_above": 200}
    encoder = {"model": "alexnet", "layer": "classifier.5", "weights": "random:0"}
    method = {"features": ["cnn"]}
    config = {
        "slides_per_job": 1,
        "features": {"cnn": {"tiling": tiling, "encoder": encoder}},
        "classification": {"sheet": "sheet.tsv", "positive": "GBM", "folds": 3, "methods": {"svm": method}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    batches = deal_apart(names["train"], names["test"], 1)
    training = [number for number, (slide,) in batches.items() if slide in set(names["train"])]
    (folder / "batches.json").write_text(json.dumps({"train": training, "all": list(batches)}))
    return folder


def by_default(study):
    """Take slides_per_job out of a study's config."""
    path = study / "config.yaml"
    config = yaml.safe_load(path.read_text())
    del config["slides_per_job"]
    path.write_text(yaml.safe_dump(config))


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


def compare(folder, slides, repeats, *, third):
    """Measure all sides in turn, with the third where that is asked for; return the rows."""
    study = make_study(folder / "study", slides)
    sides = {"bare": folder / "bare.smk", "slidecaf": ROOT / "Snakefile"}
    sides["bare"].write_text(BARE)
    if third:
        sides["with directives"] = folder / "directives.smk"
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
        if third:
            directives.append(took["slidecaf"].cpu / took["with directives"].cpu)
    bare = "a Snakefile with the same jobs and no code"
    said = f"first dry-run of {slides:,} slides, a slide a job"
    return [
        Row(said, bare, first, goal=1.5, at_least=False),
        Row("a later one, slides remembered", bare, later, goal=1.5, at_least=False),
        *([Row(said, "the same with scripts, logs, environments", directives)] if third else []),
    ]


def grow(folder):
    """Plan ever larger studies; return the rows."""
    ours, bare, shared = [], [], []
    for slides in FULL:
        study = make_study(folder / f"study-{slides}", slides)
        (folder / "bare.smk").write_text(BARE)
        ours.append(plan(ROOT / "Snakefile", study))
        bare.append(plan(folder / "bare.smk", study))
        by_default(study)
        shared.append(plan(ROOT / "Snakefile", study))
        sides = (("slidecaf, a slide a job", ours[-1]), ("bare", bare[-1]), ("slidecaf by default", shared[-1]))
        for name, each in sides:
            print(
                f"{slides:,} slides, {name}: {each.clock:.1f} s, CPU {each.cpu:.1f} s, {each.memory:.0f} MiB",
                flush=True,
            )
    slopes = [(b.cpu - a.cpu) / (m - n) for a, b, n, m in zip(ours, ours[1:], FULL, FULL[1:], strict=False)]
    said = f"{FULL[-1]:,} slides"
    alone = f"{said}, a slide a job"
    return [
        Row(f"first dry-run of {said}", "a minute", [shared[-1].clock], goal=60, at_least=False, unit="s"),
        Row(f"its peak memory, {said}", "1 GB", [shared[-1].memory * 2**20 / 1e9], goal=1, at_least=False, unit="GB"),
        Row(f"first dry-run of {alone}", "a minute", [ours[-1].clock], goal=60, at_least=False, unit="s"),
        Row(f"its peak memory, {alone}", "1 GB", [ours[-1].memory * 2**20 / 1e9], goal=1, at_least=False, unit="GB"),
        Row("CPU of a further slide, last step", "first step: 1 is linear", [slopes[-1] / slopes[0]], 1.25, False),
        Row(f"first dry-run of {alone}", "a Snakefile with the same jobs and no code", [ours[-1].cpu / bare[-1].cpu]),
    ]


def plan_collection(folder, count):
    """Plan a collection of images; return the rows."""
    draw, lines = np.random.default_rng(0), ["image\tpath\tlabel\tpatient\tsplit"]
    for k in range(count):
        path = f"images/{k // 1000}/{k}.png"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(folder / path)
        lines.append(f"image-{k}\t{path}\tclass-{k % 10}\tpatient-{k // 3}\ttrain")
    (folder / "sheet.tsv").write_text("\n".join(lines) + "\n")
    encoder = {"model": "mobilenet_v2", "layer": "features", "weights": "random:0"}
    config = {
        "features": {"cnn": {"tiling": "whole", "encoder": encoder}},
        "classification": {"sheet": "sheet.tsv", "folds": 3, "methods": {"svm": {"features": ["cnn"], "norm": [1]}}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    first, later = plan(ROOT / "Snakefile", folder), plan(ROOT / "Snakefile", folder, first=False)
    for name, each in (("first", first), ("later", later)):
        jobs = sum(map(int, each.jobs.values()))
        said = f"{each.clock:.1f} s, CPU {each.cpu:.1f} s, {each.memory:.0f} MiB, {jobs} jobs"
        print(f"{count:,} images, {name}: {said}", flush=True)
    return [
        Row(f"first dry-run of {count:,} images", "10 seconds", [first.clock], unit="s"),
        Row("a later one, images remembered", "10 seconds", [later.clock], goal=10, at_least=False, unit="s"),
    ]


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="plan up to 10,000 slides too: some minutes")
    parser.add_argument("--directives", action="store_true", help="measure the third side too: half a minute")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--slides", type=int, default=SLIDES, help="of the comparison with the bare Snakefile")
    parser.add_argument("--images", type=int, help="plan a collection of so many images, and nothing else")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.images:
            rows = plan_collection(Path(folder), arguments.images)
        else:
            rows = compare(
                Path(folder), arguments.slides, arguments.repeats, third=arguments.full or arguments.directives
            )
            rows += grow(Path(folder)) if arguments.full else []
    report(*rows)


main()
