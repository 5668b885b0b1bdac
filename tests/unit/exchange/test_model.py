"""A model as one file: what it holds, and what is refused on the way in and out."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from slidecaf.errors import InputErrors, SlidecafError
from slidecaf.exchange.model import export_model, read_stated, unpack_model
from slidecaf.exchange.prediction import make_prediction
from slidecaf.files.tables import write_json, write_tsv
from slidecaf.slides import open_slide
from slidecaf.slides.stain import described, fit, read_fit
from slidecaf.study.checked import check_study
from slidecaf.study.config_file import read_config
from slidecaf.study.model import read_model
from slidecaf.study.provenance import write_study
from slidecaf.tiles.file import write_tiles

SLIDES = [(f"{label}-{number}", label, f"person-{label}-{number}") for label in ("a", "b") for number in range(3)]
DIGEST = "0" * 64


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study of the classification with hand-made results, in the working directory."""
    folder = tmp_path / "study"
    (folder / "slides").mkdir(parents=True)
    monkeypatch.chdir(folder)
    Path("weights.pt").write_bytes(b"weights of nobody")
    for slide, *_ in SLIDES:
        Image.fromarray(np.full((8, 8, 3), 9, np.uint8)).save(f"slides/{slide}.png")
    rows = [{"slide": s, "path": f"slides/{s}.png", "label": label, "patient": p} for s, label, p in SLIDES]
    write_tsv("sheet.tsv", ["slide", "path", "label", "patient"], rows, checked=False)
    encoder = {"model": "alexnet", "layer": "classifier.5", "weights": "weights.pt"}
    cnn = {"tiling": {"patch_size": 8, "stride": 8}, "encoder": encoder, "precision": "auto"}
    config = {
        "title": "T",
        "features": {"cnn": cnn, "other": {"kind": "manual", "tiling": {"patch_size": 8, "stride": 8}}},
        "classification": {
            "sheet": "sheet.tsv",
            "positive": "b",
            "folds": 3,
            "methods": {"svm": {"features": ["cnn", "other"], "norm": [1, 3]}, "mf": {"features": ["other"]}},
        },
    }
    Path("config.yaml").write_text(yaml.safe_dump(config))
    finish()
    return folder


def finish():
    """Write the results that an export reads."""
    checked = check_study(read_config("config.yaml"))
    encoders = "results/encoders/cnn.json"
    write_json(encoders, {"model": "alexnet", "dimension": 4096, "weights_sha256": DIGEST, "precision": "bf16"})
    write_study("results/study.yaml", checked.config.plain(), revision={}, encoders=[encoders])
    for method in ("svm", "mf"):
        top = f"results/classification/{method}"
        write_json(f"{top}/final/model.json", {"features": "cnn" if method == "svm" else "other", "norm": 3})
        write_json(f"{top}/final/choice.json", {"chosen": {}})
        write_tsv(f"{top}/final/selection.tsv", ["feature"], [{"feature": 1}])
        rows = [{"slide": s, "patient": p, "split": "cv", "label": label} for s, label, p in SLIDES]
        write_tsv(f"{top}/predictions.tsv", ["slide", "patient", "split", "label"], rows)
        said = {"item_name": "slide", "group_name": "patient", "caveats": ["one caveat"]}
        found = {"n": 6, "correct": 5, "accuracy": 5 / 6, "accuracy_ci95": [0.4, 1.0], "auc": None}
        write_json(
            f"{top}/scores.json",
            {**said, "calibration": {"final": [[-1.5, 0.25]]}, "cross_validation": found, "test": None},
        )
    for place, (slide, *_) in enumerate(SLIDES):
        for name in ("cnn", "other"):
            known = {"level0_mpp": 0.25 + 0.001 * place, "status": "ok"}
            write_tiles(f"results/tiles/{name}/{slide}.h5", np.zeros((1, 2), int), known)


def checked():
    return check_study(read_config("config.yaml"))


def test_it_holds_what_decides_and_no_more(study, tmp_path):
    stated = export_model(checked(), "svm", tmp_path / "m.zip")
    assert stated == read_stated(tmp_path / "m.zip")
    assert sorted(stated["config"]["features"]) == ["cnn"]
    assert stated["config"]["features"]["cnn"]["precision"] == "bf16"
    assert stated["config"]["features"]["cnn"]["encoder"]["weights_sha256"] == DIGEST
    assert list(stated["config"]["classification"]["methods"]) == ["svm"]
    method = stated["config"]["classification"]["methods"]["svm"]
    assert (method["features"], method["norm"]) == (["cnn"], [3])
    own = stated["tasks"]["classification"]
    assert own["learned_from"] == {"slides": 6, "patients": 6, "labels": {"a": 3, "b": 3}}
    assert (own["classes"], own["curves"], own["caveats"]) == (["a", "b"], [[-1.5, 0.25]], ["one caveat"])
    assert stated["resolution"]["classification"] == pytest.approx([0.25, 0.255])
    with zipfile.ZipFile(tmp_path / "m.zip") as archive:
        content = b"".join(map(archive.read, archive.namelist()))
        assert archive.read("weights/cnn.pt") == b"weights of nobody"
    assert b"person-" not in content
    assert b"a-1" not in content
    assert str(tmp_path).encode() not in content


def test_weights_may_be_left_out_and_have_to_be_given_then(study, tmp_path):
    export_model(checked(), "svm", tmp_path / "m.zip", weights=False)
    with pytest.raises(
        SlidecafError, match=rf"without the weights of cnn, alexnet, digest {DIGEST}; give the file: --w"
    ):
        unpack_model(tmp_path / "m.zip", tmp_path / "model")
    stated = unpack_model(tmp_path / "m.zip", tmp_path / "model", {"cnn": "weights.pt"})
    assert stated["config"]["features"]["cnn"]["encoder"]["weights"] == f"{study}/weights.pt"
    with pytest.raises(SlidecafError, match="the model has no network 'x'; write one of: cnn"):
        unpack_model(tmp_path / "m.zip", tmp_path / "model", {"x": "weights.pt"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda: Path("config.yaml").write_text(Path("config.yaml").read_text() + "seed: 1\n"), "of another config"),
        (lambda: Path("results/classification/svm/final/model.json").unlink(), "model.json is missing"),
        (
            lambda: Path("sheet.tsv").write_text(Path("sheet.tsv").read_text().replace("person-a-1", "x")),
            "does not have slide a-1 as the sheet has it; run the study first",
        ),
    ],
)
def test_a_study_that_was_not_run_as_it_is_now_has_no_model(study, tmp_path, change, said):
    change()
    with pytest.raises(SlidecafError, match=said):
        export_model(checked(), "svm", tmp_path / "m.zip")
    assert not (tmp_path / "m.zip").exists()


def test_a_method_that_is_not_there_is_named(study, tmp_path):
    with pytest.raises(SlidecafError, match="no method 'x'; write one of: mf, svm"):
        export_model(checked(), "x", tmp_path / "m.zip")
    with pytest.raises(SlidecafError, match="no method 'svm'; write one of: none"):
        export_model(checked(), "svm", tmp_path / "m.zip", task="segmentation")


def test_the_target_of_a_stain_goes_along_as_numbers(study, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers((90, 30, 90), (200, 90, 180), (64, 64, 3), np.uint8)).save("slides/a-1.png")
    config = yaml.safe_load(Path("config.yaml").read_text())
    config["features"]["cnn"]["image"] = {"stain": {"method": "reinhard", "target": "a-1"}}
    Path("config.yaml").write_text(yaml.safe_dump(config))
    finish()
    export_model(checked(), "svm", tmp_path / "m.zip")
    with open_slide("slides/a-1.png") as opened:
        fitted = fit(opened, "reinhard")
    monkeypatch.chdir(tmp_path)
    slide(tmp_path / "new/s.tif", **MPP_025)
    make_prediction("out", tmp_path / "m.zip", ["new"])
    monkeypatch.chdir(tmp_path / "out")
    target = check_study(read_config("config.yaml")).stain_target("cnn")
    assert target["path"] == "model/stain/cnn.json"
    assert described(read_fit(target["path"], "reinhard")) == described(fitted)
    with pytest.raises(SlidecafError, match=r"cnn\.json is no fit by macenko; name a slide, a picture, or a fit"):
        read_fit(target["path"], "macenko")


def slide(path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), 99, np.uint8)).save(path, **options)
    return path


@pytest.fixture
def model(study, tmp_path, monkeypatch):
    """A model, and the working directory elsewhere."""
    export_model(checked(), "mf", tmp_path / "m.zip")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "m.zip"


MPP_025 = {"dpi": (101600, 101600)}


def test_a_prediction_is_a_study_that_learns_nothing(model, tmp_path, monkeypatch):
    slide(tmp_path / "new/s 1.tif", **MPP_025)
    (tmp_path / "more.tsv").write_text("slide\tpath\tmpp\tsite\nx\tnew/s 1.tif\t0.26\there\n")
    assert make_prediction("out", model, ["new"]) == []
    monkeypatch.chdir(tmp_path / "out")
    study = check_study(read_config("config.yaml"))
    assert (study.classes, study.config.model, study.config.on_bad_slide) == (["a", "b"], "model", "exclude")
    (row,) = study.classification
    assert (row.slide, row.split, row.label, Path(row.path).resolve()) == ("s-1", "test", "", tmp_path / "new/s 1.tif")
    assert study.model.calibration == {"curves": [[-1.5, 0.25]], "threshold": None}
    monkeypatch.chdir(tmp_path)
    stamp = Path("out/model/model.json").stat().st_mtime_ns
    make_prediction("out", model, ["more.tsv"])  # a sheet in place of a folder
    assert Path("out/model/model.json").stat().st_mtime_ns == stamp
    monkeypatch.chdir(tmp_path / "out")
    (row,) = check_study(read_config("config.yaml")).classification
    assert (row.slide, row.mpp, row.more) == ("x", 0.26, {"site": "here"})


@pytest.mark.parametrize("dpi", [50800, None])
def test_a_slide_of_another_resolution_or_of_none_is_refused_or_named(model, tmp_path, dpi):
    slide(tmp_path / "new/s.tif", **({"dpi": (dpi, dpi)} if dpi else {}))
    what = "0.5 micrometres a pixel" if dpi else "its resolution is not known"
    said = f"slide s: {what}, and the model learned from slides of 0.25 to 0.255"
    with pytest.raises(SlidecafError, match=f"{said}; write the column mpp"):
        make_prediction("out", model, ["new"])
    assert not (tmp_path / "out").exists()
    assert make_prediction("out", model, ["new"], any_resolution=True) == [said]


def test_folders_of_something_else_are_left_alone(model, study, tmp_path):
    slide(tmp_path / "new/s.tif", **MPP_025)
    with pytest.raises(SlidecafError, match="holds a study; choose another folder"):
        make_prediction(study, model, ["new"])
    make_prediction("out", model, ["new"])
    other = json.loads(Path("out/model/model.json").read_text())
    other["files"] = {}
    write_json("out/model/model.json", other)
    with pytest.raises(SlidecafError, match="out holds predictions of another model; choose another folder"):
        make_prediction("out", model, ["new"])


def changed(model, name, change):
    """Write an archive with one of its files changed."""
    with zipfile.ZipFile(model) as archive:
        files = {one: archive.read(one) for one in archive.namelist()}
    files[name] = change(files[name])
    with zipfile.ZipFile(model, "w") as archive:
        for one, content in files.items():
            archive.writestr(one, content)


def stated_changed(model, **values):
    changed(model, "model.json", lambda content: json.dumps({**json.loads(content), **values}).encode())


def test_damaged_and_foreign_archives_are_refused(model, tmp_path):
    slide(tmp_path / "new/s.tif", **MPP_025)
    (tmp_path / "no.zip").write_text("no archive")
    with pytest.raises(SlidecafError, match=r"no\.zip is no model of slidecaf"):
        make_prediction("out", tmp_path / "no.zip", ["new"])
    with pytest.raises(SlidecafError, match=r"x\.zip is no file; give the model"):
        make_prediction("out", tmp_path / "x.zip", ["new"])
    changed(model, "classification/mf/final/model.json", lambda content: content + b" ")
    with pytest.raises(SlidecafError, match=r"is damaged: classification/mf/final/model.json is not what was written"):
        make_prediction("out", model, ["new"])
    assert not (tmp_path / "out/config.yaml").exists()


def test_an_archive_writes_nothing_outside_its_folder(model, tmp_path):
    slide(tmp_path / "new/s.tif", **MPP_025)
    stated_changed(model, files={"../../evil": DIGEST})
    with pytest.raises(SlidecafError, match="would lie outside the model's folder"):
        make_prediction("out", model, ["new"])


def test_a_model_of_another_format_or_revision_is_refused(model, tmp_path, monkeypatch):
    slide(tmp_path / "new/s.tif", **MPP_025)
    make_prediction("out", model, ["new"])
    monkeypatch.chdir(tmp_path / "out")
    known = read_model("model").stated
    write_json("model/model.json", {**known, "revisions": {**known["revisions"], "pooling": 99}})
    with pytest.raises(SlidecafError, match=r"computes otherwise, in pooling \(99 there, \d+ here\); install slidecaf"):
        check_study(read_config("config.yaml"))
    write_json("model/model.json", {**known, "format": 99})
    with pytest.raises(SlidecafError, match=r"wrote this model in format 99, and .* reads format 1"):
        check_study(read_config("config.yaml"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x\t{slide}\tc\ttest", "row 2, column label: 'c' for slide 'x', and the model knows a, b"),
        ("x\t{slide}\ta\ttrain", "row 2, column split: train for slide 'x', and a model that is given learns nothing"),
    ],
)
def test_rows_that_a_model_cannot_judge_are_refused(model, tmp_path, monkeypatch, line, said):
    path = slide(tmp_path / "new/s.tif", **MPP_025)
    make_prediction("out", model, ["new"])
    monkeypatch.chdir(tmp_path / "out")
    text = f"slide\tpath\tlabel\tsplit\tpatient\n{line.format(slide=path)}\tp\n"
    Path("slides.tsv").write_text(text)
    with pytest.raises(InputErrors, match=said):
        check_study(read_config("config.yaml"))
