"""A part from its images' places to decisions: what is chosen, and that nothing held out reaches it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slidecaf.classification.classifier import decide, fit_classifier
from slidecaf.classification.fisher.encoded import EncodedVectors, encode
from slidecaf.classification.fisher.mixtures import Codebook, fit_mixtures, read_mixtures
from slidecaf.errors import SlidecafError
from slidecaf.features.rows import each_rows
from slidecaf.files.tables import read_tsv
from slidecaf.pooling.fisher.encoding import Encoder
from slidecaf.study.config import classification_method

CODEBOOKS = {"features": ["places"], "pca": [None, 3], "components": [2, 4], "steps": 1}
CLASSES = ["a", "b"]


def method(**changes):
    fisher = {"kind": ["fv", "ifv", "ffv", "bow", "vlad"], "pca": [None, 3], "components": [2, 4]}
    return classification_method({"features": ["places"], "fisher": fisher, "keep": ["all"], "C": [1, 10], **changes})


def mixtures(part, name="mixtures.h5", **changes):
    given = {
        "features": part.features,
        "folds": part.folds,
        "part": "fold-0",
        "rows": part.rows,
        "classes": CLASSES,
        "codebooks": CODEBOOKS,
        "inner_folds": 3,
        "seed": 0,
    }
    fit_mixtures(part.folder / name, **{**given, **changes})
    return part.folder / name


def encoded(part, path, rows, **changes):
    given = {
        "mixtures": path,
        "features": part.features,
        "folds": part.folds,
        "part": "fold-0",
        "rows": rows,
        "codebooks": CODEBOOKS,
        "kinds": ["bow", "fisher", "vlad"],
    }
    encode(part.folder / f"{rows}.h5", **{**given, **changes})
    return part.folder / f"{rows}.h5"


def classifier(part, vectors, settings, rows=None):
    files = {name: part.folder / name for name in ("choice.json", "selection.tsv", "model.json", "inner.tsv")}
    fit_classifier(
        **{Path(name).stem: path for name, path in files.items()},
        vectors=vectors,
        folds=part.folds,
        part="fold-0",
        rows=part.rows if rows is None else rows,
        classes=CLASSES,
        settings=settings,
        inner_folds=3,
        seed=0,
    )
    return files


def test_a_part_learns_chooses_and_decides(part):
    path = mixtures(part)
    files = classifier(part, encoded(part, path, "training"), method())
    choice = json.loads(files["choice.json"].read_text())
    assert len(choice["candidates"]) == 5 * 2 * 2 * 2
    assert set(choice["chosen"]) == {"features", "fisher", "components", "pca", "keep", "C"}
    assert choice["n"] == 18
    decide(
        part.folder / "decisions.tsv",
        kind="fisher",
        model=files["model.json"],
        vectors=encoded(part, path, "left_out"),
        folds=part.folds,
        part="fold-0",
    )
    rows = read_tsv(part.folder / "decisions.tsv")
    assert {row["slide"] for row in rows} == part.held_out
    assert all(row["predicted"] == row["slide"][0] for row in rows)
    assert {row["patches"] for row in rows} == {"16"}


def test_a_class_of_one_patient_names_the_lists_that_the_method_has(part):
    rows = [{**row, "patient": "p"} if row["label"] == "b" else row for row in part.rows]
    path = mixtures(part, rows=rows)
    with pytest.raises(SlidecafError, match="one patient") as error:
        classifier(part, encoded(part, path, "training"), method(), rows=rows)
    assert str(error.value).endswith(
        "class b has one patient (p) in the training rows, so that no cross-validation can choose; give one value for "
        "each of features, fisher.components, fisher.kind, fisher.pca, keep and C, or add patients."
    )


@pytest.mark.parametrize(("kind", "components"), [("fv", 2), ("ifv", 2), ("ffv", 2), ("bow", 4), ("vlad", 2)])
def test_every_kind_alone_tells_the_classes_apart(part, kind, components):
    settings = method(fisher={"kind": kind, "pca": None, "components": components}, C=10)
    assert settings.candidates == 1
    codebooks = {"features": ["places"], "pca": [None], "components": [components], "steps": 100}
    path = mixtures(part, codebooks=codebooks)
    said = {"codebooks": codebooks, "kinds": settings.fisher.stored}
    files = classifier(part, encoded(part, path, "training", **said), settings)
    model = json.loads(files["model.json"].read_text())
    assert model["fisher"]["kind"] == kind
    assert ("weights" in model["fisher"]) == (kind == "ffv")
    left_out = encoded(part, path, "left_out", **said)
    decide(
        part.folder / "decisions.tsv",
        kind="fisher",
        model=files["model.json"],
        vectors=left_out,
        folds=part.folds,
        part="fold-0",
    )
    rows = read_tsv(part.folder / "decisions.tsv")
    assert sum(row["predicted"] == row["slide"][0] for row in rows) >= 5


def test_held_out_labels_and_pictures_change_nothing_that_is_learned(part):
    def made():
        path = mixtures(part)
        return [
            path.read_bytes(),
            *(file.read_bytes() for file in classifier(part, encoded(part, path, "training"), method()).values()),
        ]

    before = made()
    assert before == made()
    for row in part.rows:
        if row["slide"] in part.held_out:
            row["label"] = {"a": "b", "b": "a"}[row["label"]]
    part.write(lambda slide, one: replace(one, features=one.features[::-1] * 0.5) if slide in part.held_out else one)
    assert before == made()
    # one that is learned from does change it
    part.write(lambda slide, one: replace(one, features=one.features[::-1, ::-1]) if slide == "a-00" else one)
    assert before[0] != made()[0]


def test_an_inner_folds_mixture_never_saw_the_images_that_the_fold_holds_out(part):
    found = read_mixtures(mixtures(part))
    assert sorted(set(found.folds.tolist())) == [0, 1, 2]
    changed = {slide for slide, fold in zip(found.slides, found.folds, strict=True) if fold == 1}
    books = lambda folds: [Codebook("places", 3, 2, fold) for fold in folds]  # noqa: E731
    before = read_mixtures(mixtures(part), books).fitted
    part.write(lambda slide, one: replace(one, features=one.features[:, ::-1]) if slide in changed else one)
    after = read_mixtures(mixtures(part), books).fitted
    same = {
        book.fold: before[book][1].means.tobytes() == after[book][1].means.tobytes()
        and before[book][0].directions.tobytes() == after[book][0].directions.tobytes()
        for book in before
    }
    assert same == {None: False, 0: False, 1: True, 2: False}


def test_what_is_stored_is_what_the_library_computes(part):
    path = mixtures(part)
    source = EncodedVectors(
        encoded(part, path, "training"), slides=["a-01", "b-02"], features=["places"], on_bad_slide="fail"
    )
    book = Codebook("places", 3, 4, 2)
    projection, mixture = read_mixtures(path, lambda folds: [book]).fitted[book]
    rows = dict(each_rows(part.features["places"], ["a-01", "b-02"]))
    for kind, name in (("ffv", "fisher"), ("bow", "bow"), ("vlad", "vlad")):
        expected = [getattr(Encoder(mixture).add(projection(rows[s].vectors)), name)() for s in ("b-02", "a-01")]
        np.testing.assert_array_equal(source.matrix(book, kind, ["b-02", "a-01"]), np.array(expected, np.float32))


def test_images_that_could_not_be_read_are_left_out_or_an_error(part):
    def bad(slide, one):
        nothing = {"features": one.features[:0], "scale": one.scale[:0], "box": one.box[:0]}
        return replace(one, **nothing, status="unreadable") if slide in ("a-01", "a-10") else one

    part.write(bad)
    with pytest.raises(SlidecafError, match="slide a-01: it could not be read"):
        mixtures(part)
    path = mixtures(part, on_bad_slide="exclude")
    assert "a-01" not in read_mixtures(path).slides
    with pytest.raises(SlidecafError, match="slide a-10: it could not be read"):
        encoded(part, path, "left_out")
    source = EncodedVectors.read(
        encoded(part, path, "left_out", on_bad_slide="exclude"),
        slides=part.held_out,
        wanted={"features": ["places"]},
        on_bad_slide="exclude",
    )
    assert set(part.held_out) - set(source.usable(part.held_out)) == {"a-10"}


def test_vectors_that_memory_cannot_hold_are_refused_with_what_to_write(part):
    vectors = encoded(part, mixtures(part), "training")
    with pytest.raises(SlidecafError, match=r"18 training slides with 32 values each .* fewer fisher.components"):
        fit_classifier(
            **{name: part.folder / name for name in ("choice", "selection", "model", "inner")},
            vectors=vectors,
            folds=part.folds,
            part="fold-0",
            rows=part.rows,
            classes=CLASSES,
            settings=method(),
            inner_folds=3,
            seed=0,
            memory=1e-6,
        )


def test_too_many_components_name_method_and_feature_set(part):
    with pytest.raises(SlidecafError, match=r"fish, feature set places: fisher.components: 4000 is above the 288"):
        mixtures(part, codebooks={**CODEBOOKS, "components": [4000]}, method="fish")
