"""A study with bad slides of many kinds: they are named, the others are done, and the run can leave them out."""

import os

import pytest

from slidecaf.files.tables import read_tsv
from tests.hostile import corpus

BAD = {
    "looping": ("broken_tiffs", "loop-of-150.tif", "run in a circle"),
    "claiming": ("bombs", "huge-tile-7.tif", "max_decoded_megapixels"),
    "bomb": ("bombs", "bomb-png.tif", "cannot be read"),
    "cut": ("truncated", "cut-0.5.png", "cannot be opened"),
    "flipped": ("flipped", "flip-64-0.png", "cannot be opened"),
    "nothing": ("no_images", "text.png", "is of no format that is read"),
    "floating": ("odd_tiffs", "float.tif", "not supported"),
}
LEARNED = {"looping": "GBM", "cut": "GBM", "claiming": "LGG", "bomb": "LGG"}
"""Those in train; half of each fold stays good."""
FORMULA = "=cmd|' /C calc'!A0"


@pytest.fixture
def hostile(study, tmp_path):
    """A finished study to which bad slides were added, and a patient whose name is a formula."""
    made = corpus.Corpus(tmp_path / "made")
    made.folder.mkdir()
    for part in sorted({part for part, _, _ in BAD.values()}):
        getattr(corpus, part)(made)
    paths = {case.name: case.path for case in made.cases}
    rows = ""
    for slide, (_, name, _) in BAD.items():
        os.link(paths[name], study / "slides" / f"{slide}-{name}")
        label, split = LEARNED.get(slide, "GBM"), "train" if slide in LEARNED else "test"
        rows += f"{slide}\tslides/{slide}-{name}\t{label}\tp-{slide}\t{split}\n"
    study.sheet(lambda text: text.replace("patient-gbm-1", FORMULA) + rows)
    study.config(lambda c: c["classification"]["methods"].pop("svm-cnn"))
    return study


@pytest.mark.long
def test_bad_slides_of_every_kind_are_named_and_the_run_goes_on(hostile, promise):
    before = {path.name for path in hostile.folder.parent.iterdir()}
    done = hostile.run("--resources", "gpu=2")
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    for slide, (_, name, said) in BAD.items():
        number = hostile.batch_of(slide)
        logs = hostile.folder.glob(f"results/logs/*/cnn-224/batch-{number}.log")
        log = "".join(path.read_text() for path in logs)
        assert f"slide {slide}" in log
        assert name in log
        assert said in log
        assert "Traceback" not in log
        assert not (hostile / f"results/features/cnn-224/{slide}.h5").exists()
    good = [row["slide"] for row in read_tsv(hostile / "classification.tsv") if row["slide"] not in BAD]
    assert all((hostile / f"results/pooled/cnn-224/{slide}.h5").exists() for slide in good)

    hostile.config(lambda c: c.update(on_bad_slide="exclude"))
    hostile.judge("--resources", "gpu=2")
    table = hostile / "results/classification/mean/predictions.tsv"
    rows = {row["slide"]: row for row in read_tsv(table)}
    assert {slide for slide, row in rows.items() if row["status"] == "unreadable"} == set(BAD)
    assert sorted(rows) == sorted([*good, *BAD])
    assert f"\t'{FORMULA}\t" in table.read_text()
    assert {path.name for path in hostile.folder.parent.iterdir()} == before
    promise("A bad slide is named, costs the others nothing, and can be left out", provoked=len(BAD))
