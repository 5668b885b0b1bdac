"""The docs: every command in them is run by a test, pages link to what is there, the reference is in step."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("reference/commands.md", "reference/library/index.md")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs/how-to").glob("*.md"))]
PAGES += [path for path in sorted((ROOT / "docs/reference").glob("*.md")) if path.name != "commands.md"]

ELSEWHERE = {
    "git clone <this repository> slidecaf && cd slidecaf": "what CI does first",
    "make run": "tests/workflow calls slidecaf run, as it does; CI runs make check and make test",
    "make test": "CI",
    "make docs": "test_the_site_is_built",
    "make run STUDY=mystudy": "tests/workflow: Study.run is what it calls",
    "make run STUDY=mycollection": "tests/workflow/test_collection_svm.py, by the command that it calls",
    "make view STUDY=/data/mystudy": "tests/browser starts the server as it does",
    "slidecaf export clam STUDY --features NAME --to FOLDER": "tests/workflow/test_exchange.py",
    "slidecaf export trident STUDY --features NAME --to FOLDER [--copy]": "tests/workflow/test_exchange.py",
    "slidecaf export stamp STUDY --features NAME --to FOLDER": "tests/workflow/test_exchange.py",
    "slidecaf export qupath STUDY --method svm-cnn --to FOLDER": "tests/workflow/test_heatmap.py",
    "slidecaf export model mystudy --method svm-cnn --to model.zip": "tests/workflow/test_predict.py",
    "slidecaf predict model.zip new-slides/ --to predictions": "tests/workflow/test_predict.py",
    "slidecaf import trident JOB/20x_256px_0px_overlap/features_uni_v1 --study STUDY --features uni": (
        "tests/workflow/test_exchange.py"
    ),
    "slidecaf import clam FEAT_DIR --study STUDY --features uni [--patches PATCHES]": "tests/workflow/test_exchange.py",
    ".venv/bin/snakemake --workflow-profile profiles/slurm --directory /data/mystudy": "tests/slurm",
    (
        ".venv/bin/slidecaf run mystudy --profile slurm --groups tiles=slides features=slides pooling=slides "
        "--group-components slides=8"
    ): "needs a cluster",
    "make slurm STUDY=mystudy": "needs a cluster; test_make_slurm_plans_with_the_profile_for_slurm",
    "make slurm STUDY=/data/mystudy": "needs a cluster; test_make_slurm_plans_with_the_profile_for_slurm",
}
"""Commands that are too long or too large to be run here, and what runs them."""

HERE = {
    ".venv/bin/slidecaf init mystudy --slides path/to/slides": 0,
    ".venv/bin/slidecaf check mystudy": 1,  # nobody has filled in the sheet
    ".venv/bin/snakemake -n --quiet rules": 0,
    ".venv/bin/slidecaf init mycollection --collection path/to/folders": 0,
    ".venv/bin/slidecaf check mycollection": 1,  # an image a class
}
"""Commands that are run here, with the exit code that they shall end with."""


def commands(page):
    """The commands in a page's blocks of shell, without their comments."""
    blocks = re.findall(r"^```(?:sh|bash|shell|console)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_of_the_docs_is_run_by_a_test(page):
    unknown = [command for command in commands(page) if command not in ELSEWHERE and command not in HERE]
    assert not unknown, "run it in this file, or say what else runs it"


def test_no_list_names_a_command_that_no_page_has_any_more():
    written = {command for page in PAGES for command in commands(page)} | {"make docs"}
    assert {*ELSEWHERE, *HERE} <= written


def test_the_quick_commands_end_as_the_docs_say(tmp_path):
    from PIL import Image

    (tmp_path / "path/to/slides").mkdir(parents=True)
    for name in "ab":
        Image.new("RGB", (400, 400), "purple").save(tmp_path / f"path/to/slides/{name}.png")
        (tmp_path / "path/to/folders" / name).mkdir(parents=True)
        Image.new("RGB", (40, 40), "purple").save(tmp_path / f"path/to/folders/{name}/{name}.png")
    # what is installed beside this Python stands in for .venv, the clone's demo for the study
    programs = {".venv/bin/slidecaf": ["-m", "slidecaf.cli"], ".venv/bin/snakemake": ["-m", "snakemake"]}
    for command, code in HERE.items():
        program, *arguments = shlex.split(command)
        if program.endswith("snakemake"):
            arguments += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path / "demo")]
            (tmp_path / "demo" / "demo").mkdir(parents=True)
            for file in ("config.yaml", "demo/classification.tsv", "demo/segmentation.tsv"):
                (tmp_path / "demo" / file).write_bytes((ROOT / file).read_bytes())
        run = [sys.executable, *programs[program], *arguments]
        done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == code, (command, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_pictures_of_the_docs_are_there(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            made = (page.parent / target).resolve()
            assert made.exists() or made.as_posix().endswith(GENERATED), f"{page}: {target}"


def test_reference_and_schema_of_config_keys_are_what_the_models_say():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        from make_reference import config_page, config_schema
    finally:
        sys.path.pop(0)
    said = "write it anew: .venv/bin/python docs/make_reference.py"
    assert (ROOT / "docs/reference/config.md").read_text() == config_page(), said
    assert (ROOT / "src/slidecaf/study/config.schema.json").read_text() == config_schema(), said


def test_make_slurm_plans_with_the_profile_for_slurm():
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r'^slurm:.*\n\t@.*slidecaf run "\$\(STUDY\)" --profile slurm$', makefile, re.MULTILINE)
    assert (ROOT / "profiles/slurm/config.yaml").is_file()


def test_the_site_is_built(tmp_path):
    import shutil

    clone = tmp_path / "clone"
    clone.mkdir()
    shutil.copytree(ROOT / "docs", clone / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("src", "workflow"):
        (clone / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "zensical.toml", clone)
    for command in (["docs/make_reference.py"], ["-m", "zensical", "build", "--strict"]):
        done = subprocess.run([sys.executable, *command], cwd=clone, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    for page in ("index", "tutorial", "how-to/cluster", "reference/commands", "reference/library/tiles.grid"):
        text = (clone / f"build/site/{page}.html").read_text()
        loaded = re.findall(r'<(?:script|img|iframe)[^>]+src="(https?:[^"]+)"', text)
        loaded += re.findall(r'<link[^>]+rel="(?:stylesheet|preconnect)"[^>]+href="(https?:[^"]+)"', text)
        assert not loaded, "the site fetches from elsewhere"
