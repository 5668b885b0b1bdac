"""The report in the workflow: made at the end, remade when what it shows changes, and never the cause of anything."""

import h5py
import numpy as np
import pytest
from PIL import Image

from slidecaf.classification.figure import SIDE, patch_box
from slidecaf.files.tables import read_tsv
from slidecaf.slides import open_slide
from tests.workflow.test_caching import raise_revision

FIGURE = "results/classification/svm-cnn/final/figure5"


def test_a_finished_study_has_a_report_of_all_slides_and_says_so(finished):
    text = (finished / "results/report.html").read_text()
    assert all(f">{row['slide']}</a>" in text for row in read_tsv(finished / "classification.tsv"))
    assert "Random weights: the network was never trained" in text
    assert str(finished.folder) not in text
    assert "report.html" in finished.said


def test_a_report_of_the_segmentation_shows_every_slide(segmented):
    text = (segmented / "results/report.html").read_text()
    assert text.count('<div class="pair">') == len(read_tsv(segmented / "segmentation.tsv"))
    assert "no mask to compare" in text


def test_what_is_deleted_of_the_report_is_made_again_alone(study):
    (study / "results/report.html").unlink()
    assert study.planned(shown=True) == {"report": 1}
    next((study / "results/thumbnails").glob("*.jpg")).unlink()
    assert study.planned(shown=True) == {"report": 1, "thumbnails": 1}


@pytest.mark.long
def test_another_title_reruns_nothing_but_the_report(study):
    study.config(lambda config: config.update(title="Gliomas of one winter"))
    assert study.planned(shown=True) == {"study": 1, "report": 1}
    study.finish()
    assert '<h1 id="short">Gliomas of one winter</h1>' in (study / "results/report.html").read_text()


def test_a_raised_revision_of_the_report_reruns_nothing_but_the_report(study, clone):
    study.root = clone
    raise_revision(clone, "report")
    assert study.planned(shown=True) == {"study": 1, "report": 1}


def test_figure_5_shows_the_patches_of_training_slides_that_activate_a_neuron_most(finished):
    table = read_tsv(finished / f"{FIGURE}.tsv")
    train = {row["slide"] for row in read_tsv(finished / "classification.tsv") if row["split"] == "train"}
    features = {path.stem: path for path in finished.folder.glob("results/features/cnn-224/*.h5")}
    size = int(table[0]["patch_size"])
    if size != 224:
        features = {path.stem: path for path in finished.folder.glob("results/features/cnn-160/*.h5")}
    assert {row["slide"] for row in table} <= train
    neurons = list(dict.fromkeys((row["class"], int(row["neuron"])) for row in table))
    figure = Image.open(finished / f"{FIGURE}.png").convert("RGB")
    for place, (label, neuron) in enumerate(neurons):
        rows = [row for row in table if (row["class"], int(row["neuron"])) == (label, neuron)]
        assert len({row["slide"] for row in rows}) == len(rows)
        peaks = {}
        for slide in train:
            with h5py.File(features[slide]) as file:
                values = file["features"][:, neuron].astype(float)
                peaks[slide] = (values.max(), *file["coords"][values.argmax()])
        best = sorted(train, key=lambda slide: (-peaks[slide][0], slide))[: len(rows)]
        assert [row["slide"] for row in rows] == best
        for column, row in enumerate(rows):
            value, x, y = peaks[row["slide"]]
            assert (float(row["activation"]), int(row["x"]), int(row["y"])) == pytest.approx((value, x, y))
            path = next((finished / "slides").glob(f"{row['slide']}.*"))
            with open_slide(path) as slide:
                pixels = Image.fromarray(slide.read_padded(x, y, size, size)).resize((SIDE, SIDE))
            drawn = np.asarray(figure.crop(patch_box(place, column)), float)
            assert np.abs(drawn - np.asarray(pixels, float)).mean() < 12


def test_the_pages_of_snakemake_hold_the_report_too(study, tmp_path):
    done = study.snakemake("--report", str(tmp_path / "snakemake.html"))
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "snakemake.html").read_text()
    assert "report.html" in text
    assert "figure5.png" in text
