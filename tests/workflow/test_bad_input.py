"""Bad input gives a clear error, before or at the slide, and the other slides are done."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from slidecaf.files.tables import read_tsv
from tests.workflow.conftest import make_mini


def refused(study, said):
    done = study.snakemake("-n")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert said in done.stderr, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return make_mini(tmp_path_factory.mktemp("drawn") / "study")


@pytest.fixture
def fresh(drawn, tmp_path):
    """A study before its first run."""
    return drawn.copy(tmp_path / "study")


def encoder(features, **changes):
    """Return a change of a config: of the encoder of one feature set alone."""
    return lambda c: c["features"][features].update(encoder={**c["features"][features]["encoder"], **changes})


def test_a_wrong_config_is_refused_before_any_job_with_all_its_errors(fresh):
    fresh.config(lambda c: c.update(foldes=3))
    fresh.config(encoder("cnn-224", weights="no.pth"))
    fresh.config(lambda c: c["classification"]["methods"]["mean"].update(norm=[0.5]))
    said = refused(fresh, "3 errors in config.yaml")
    for problem in ("foldes: unknown key", "there is no file 'no.pth'", "norm.0: 0.5 will not do"):
        assert problem in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"folds": 5}, "has 4 patients in train and the config asks for 5 folds"),
        ({"sheet": "absent.tsv"}, "absent.tsv"),
    ],
)
def test_a_config_that_does_not_suit_the_sheet_is_refused_before_any_job(fresh, change, said):
    fresh.config(lambda c: c["classification"].update(change))
    refused(fresh, said)


def test_a_wrong_sheet_is_refused_before_any_job_with_all_its_errors(fresh):
    fresh.sheet(lambda text: text + "../x\tslides/none.png\tGBM\tp9\ttrain\nok\tslides/none.png\tGBM\tp9\ttrain\n")
    said = refused(fresh, "2 errors in classification.tsv")
    assert "'../x' will not do" in said
    assert "there is no file 'slides/none.png' for slide 'ok'" in said


def test_without_a_config_the_study_is_named(fresh):
    (fresh / "config.yaml").unlink()
    done = fresh.run()
    assert done.returncode != 0
    assert f"{fresh.folder} has no config.yaml" in done.stderr


@pytest.mark.long
def test_a_wrong_encoder_stops_before_any_slide_of_many_jobs_is_extracted(study):
    study.config(lambda c: c.update(slides_per_job=1))
    (study / "weights.pth").write_text("no weights")
    study.config(encoder("cnn-224", weights="weights.pth"))
    study.config(encoder("cnn-160", layer="feature"))
    done = study.snakemake("--cores", "2", "--keep-going", "--resources", "gpu=2")
    assert done.returncode != 0
    for said in ("is not a state dict", "SqueezeNet has no 'feature'; near names: features"):
        assert said in done.stdout + done.stderr
    assert "rule features" not in done.stderr


@pytest.fixture
def with_bad_slides(study, shared_data):
    """A study of which three slides cannot be read and one is white."""
    for name in ("broken.svs", "unopenable.tiff", "unreadable.svs"):
        shutil.copy(shared_data / "slides" / name, study / "slides" / name)
    Image.fromarray(np.full((400, 400, 3), 240, np.uint8)).save(study / "slides/white.png")
    study.sheet(
        lambda text: (
            text
            + "broken\tslides/broken.svs\tGBM\tb1\ttrain\nunopenable\tslides/unopenable.tiff\tLGG\tb2\ttrain\n"
            + "unreadable\tslides/unreadable.svs\tLGG\tb3\ttest\nwhite\tslides/white.png\tLGG\tb4\ttrain\n"
        )
    )
    study.config(lambda c: c["classification"]["methods"].pop("svm-cnn"))
    return study


@pytest.mark.long
def test_bad_slides_fail_by_name_and_the_others_are_done(with_bad_slides):
    study = with_bad_slides
    done = study.snakemake("--cores", "2", "--until", "tiles")
    assert done.returncode != 0
    for slide in ("broken", "unopenable", "unreadable"):
        log = study.log("tiles/cnn-224", slide)
        assert f"slide {slide}" in log
        assert "Traceback" not in log
        assert f"slide {slide}" in done.stderr + done.stdout
        assert not (study / f"results/tiles/cnn-224/{slide}.h5").exists()
    for slide in ("white", "gbm-1", "lgg-1"):
        assert (study / f"results/tiles/cnn-224/{slide}.h5").exists()


@pytest.mark.long
def test_excluded_slides_are_listed_and_count_as_wrong(with_bad_slides):
    study = with_bad_slides
    study.config(lambda c: c.update(on_bad_slide="exclude"))
    study.finish("--resources", "gpu=2")
    rows = {row["slide"]: row for row in read_tsv(study / "results/classification/mean/predictions.tsv")}
    for slide, status in (("broken", "unreadable"), ("unreadable", "unreadable"), ("white", "no tissue")):
        assert rows[slide]["status"] == status
        assert rows[slide]["confidence"] == rows[slide]["predicted"] == ""
    scores = json.loads((study / "results/classification/mean/scores.json").read_text())
    assert scores["cross_validation"]["n"] == 11
    assert scores["cross_validation"]["no_prediction"] == 3
    right = sum(row["predicted"] == row["label"] for row in rows.values() if row["split"] == "cv")
    assert scores["cross_validation"]["correct"] == right
    page = (study / "results/report.html").read_text()
    assert '<td class="id">slides broken, unopenable, unreadable</td><td class="warning text">unreadable</td>' in page

    # what was left out stays an error once the study no longer allows it
    study.config(lambda c: c.update(on_bad_slide="fail"))
    done = study.snakemake("--cores", "2")
    assert done.returncode != 0
    assert "was left out of cnn" in done.stdout + done.stderr
