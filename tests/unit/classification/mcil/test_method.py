"""A part of kind mcil is MCIL on the valid patches of its training slides, and holds nothing of the slides left out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slidecaf.classification.classifier import decide, fit_classifier
from slidecaf.classification.folds import assign_folds
from slidecaf.classification.mcil.method import best_threshold, patch_scores
from slidecaf.classification.mcil.model import MCIL
from slidecaf.errors import SlidecafError, SlideError
from slidecaf.files.tables import read_json, read_tsv, write_tsv
from slidecaf.study.config import ClassificationMcil
from tests.unit.classification.bag_files import bag_file

OUTPUTS = ("choice.json", "selection.tsv", "model.json", "inner.tsv")
SETTINGS = ClassificationMcil(kind="mcil", features="cnn", clusters=2, rounds=6)
CLASSES = ("LGG", "GBM")


class Study:
    """Twelve training and two test slides; s03 has no tissue, and s04 patches that are not valid."""

    def __init__(self, folder):
        rng = np.random.default_rng(0)
        self.folder, self.folds, self.bags, self.files = folder, folder / "folds.tsv", {}, {}
        names = [f"s{k:02}" for k in range(14)]
        self.rows = [{"slide": name, "label": CLASSES[k % 2], "patient": f"p{k}"} for k, name in enumerate(names)]
        for k, name in enumerate(names):
            vectors = rng.normal(size=(20 + k, 5))
            vectors[: 6 * (k % 2), 1 + 2 * (k // 2 % 2)] += 6
            lost, invalid = name == "s03", [0, 9] if name == "s04" else []
            self.files[name] = bag_file(
                folder / f"{name}.h5",
                vectors[:0] if lost else vectors,
                invalid=invalid,
                status="no tissue" if lost else "ok",
            )
            self.bags[name] = np.delete(vectors.astype(np.float16), invalid, axis=0)
        self.train = self.rows[:12]
        write_tsv(
            self.folds, ["slide", "patient", "fold"], [{**row, "fold": k // 4} for k, row in enumerate(self.train)]
        )

    def fit(self, name, part="fold-1", **changed):
        top = self.folder / name
        outputs = {output.partition(".")[0]: top / output for output in OUTPUTS}
        options = {
            **{"vectors": {"cnn": self.files}, "folds": self.folds, "part": part, "rows": self.train},
            **{"classes": CLASSES, "settings": SETTINGS, "inner_folds": 3, "seed": 0, **changed},
        }
        fit_classifier(**outputs, **options)
        return top

    def decide(self, top, part="fold-1", **changed):
        options = {"kind": "mcil", "model": top / "model.json", "vectors": {"cnn": self.files}, "folds": self.folds}
        decide(top / "decisions.tsv", **options, part=part, **changed)
        return read_tsv(top / "decisions.tsv")

    def joined(self, names):
        bags = [self.bags[name] for name in names]
        return np.concatenate(bags), np.cumsum([0, *map(len, bags)])


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path)


def test_a_part_has_mcil_of_its_training_slides(study):
    top = study.fit("one")
    learned = ["s00", "s01", "s02", *(f"s{k:02}" for k in range(8, 12))]  # s03 has no tissue
    positive = [int(name[1:]) % 2 == 1 for name in learned]
    expected = MCIL(2, rounds=6).fit(*study.joined(learned), positive)
    model = read_json(top / "model.json")
    assert (model["features"], model["classes"]) == ("cnn", list(CLASSES))
    for name in ("feature", "mean", "deviation", "prior", "step", "log_likelihood"):
        np.testing.assert_array_equal(model[name], getattr(expected, f"{name}_"))

    table = read_tsv(top / "selection.tsv")
    steps = {}
    for feature, step in zip(expected.feature_.ravel(), expected.step_.ravel(), strict=True):
        steps[feature] = steps.get(feature, 0) + step
    ranked = sorted(((-step, feature) for feature, step in steps.items() if step), key=lambda pair: pair)
    assert [(int(row["rank"]), int(row["feature"])) for row in table] == [
        (rank, feature) for rank, (_, feature) in enumerate(ranked, 1)
    ]
    np.testing.assert_allclose([-float(row["weight"]) for row in table], [step for step, _ in ranked], rtol=1e-12)

    choice = read_json(top / "choice.json")
    chosen = {"features": "cnn", "clusters": 2, "rounds": 6, "exponent": 20, "threshold": model["threshold"]}
    assert choice["chosen"] == chosen
    assert (choice["n"], choice["dropped"], choice["left_out"]) == (7, [], ["s03"])


def test_the_threshold_is_the_best_of_slides_that_inner_models_did_not_see(study):
    top = study.fit("one")
    learned = ["s00", "s01", "s02", *(f"s{k:02}" for k in range(8, 12))]
    positive = np.array([int(name[1:]) % 2 == 1 for name in learned])
    labels = [CLASSES[int(one)] for one in positive]
    folds = assign_folds(labels, [f"p{int(name[1:])}" for name in learned], 3, seed=0)
    odds = np.empty(7)
    for fold in range(3):
        inner = [name for name, own in zip(learned, folds, strict=True) if own != fold]
        model = MCIL(2, rounds=6).fit(*study.joined(inner), positive[folds != fold])
        held = [name for name, own in zip(learned, folds, strict=True) if own == fold]
        odds[folds == fold] = model.decision_function(*study.joined(held))
    choice, threshold = read_json(top / "choice.json"), read_json(top / "model.json")["threshold"]
    right = max(sum((odds > one) == positive) for one in (-np.inf, *odds))
    assert sum((odds > threshold) == positive) == right == choice["correct"]
    assert (choice["inner_folds"], choice["accuracy"]) == (3, right / 7)
    assert "in 3 folds, inside the training rows" in choice["note"]


def test_a_threshold_of_the_config_is_taken_as_it_is(study):
    settings = ClassificationMcil(kind="mcil", features="cnn", clusters=2, rounds=6, threshold=1.5)
    inner, fixed = study.decide(study.fit("one")), study.decide(study.fit("two", settings=settings))
    threshold = read_json(study.folder / "one/model.json")["threshold"]
    for ours, other in zip(inner, fixed, strict=True):
        assert float(other["confidence"]) == pytest.approx(float(ours["confidence"]) + threshold - 1.5, rel=1e-9)
        assert other["predicted"] == CLASSES[float(other["confidence"]) > 0]
    assert read_json(study.folder / "two/choice.json")["accuracy"] is None


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.booleans()), min_size=1, max_size=12),
)
def test_no_threshold_is_better_than_the_best(pairs):
    confidence, positive = np.array([one for one, _ in pairs]), np.array([own for _, own in pairs])
    right = np.count_nonzero((confidence > best_threshold(confidence, positive)) == positive)
    assert right == max(np.count_nonzero((confidence > one) == positive) for one in (-np.inf, *confidence))


@pytest.mark.parametrize("part", ["fold-1", "final"])
def test_decisions_are_the_log_odds_of_slides_it_never_saw(study, part):
    top = study.fit("one", part)
    table = study.decide(top, part, slides=["s13", "s12"])
    tested = ["s04", "s05", "s06", "s07"] if part == "fold-1" else ["s12", "s13"]
    model = MCIL.from_dict(read_json(top / "model.json"))
    assert list(table[0]) == ["slide", "predicted", "confidence", "patches", "status"]
    assert [row["slide"] for row in table] == tested
    assert [int(row["patches"]) for row in table] == [len(study.bags[name]) for name in tested]
    confidence = [float(row["confidence"]) for row in table]
    threshold = read_json(top / "model.json")["threshold"]
    np.testing.assert_allclose(confidence, model.decision_function(*study.joined(tested)) - threshold, rtol=1e-9)
    assert [row["predicted"] for row in table] == [CLASSES[value > 0] for value in confidence]
    assert [row["predicted"] for row in table] == [CLASSES[int(name[1:]) % 2] for name in tested]


def test_files_made_twice_are_equal_and_know_nothing_of_the_slides_left_out_nor_of_threads(study):
    first, again = study.fit("one"), study.fit("two", threads=3)
    turned = [{**row, "label": "LGG"} if 4 <= k < 8 else row for k, row in enumerate(study.train)]
    files = {name: path for k, (name, path) in enumerate(study.files.items()) if k < 12 and not 4 <= k < 8}
    other = study.fit("three", rows=turned, vectors={"cnn": files})
    for name in OUTPUTS:
        assert (first / name).read_bytes() == (again / name).read_bytes() == (other / name).read_bytes()


def test_a_slide_without_tissue_has_no_prediction_and_an_unreadable_one_may_be_an_error(study):
    top = study.fit("one", "fold-0")
    lost = study.decide(top, "fold-0")[3]
    assert (lost["slide"], lost["predicted"], lost["confidence"], lost["patches"]) == ("s03", "", "", "0")
    bag_file(study.files["s05"], np.empty((0, 5)), status="unreadable")
    with pytest.raises(SlideError, match="slide s05: it could not be read"):
        study.fit("two", "fold-0")
    assert not (study.folder / "two").exists()
    assert read_json(study.fit("two", "fold-0", on_bad_slide="exclude") / "choice.json")["left_out"] == ["s05"]
    assert study.decide(study.fit("three"), on_bad_slide="exclude")[1]["status"] == "unreadable"


def test_one_slide_of_a_class_is_enough_and_none_is_an_error(study):
    labels = dict.fromkeys(("s01",), "GBM")
    alone = [{**row, "label": labels.get(row["slide"], "LGG")} for row in study.train]
    with pytest.raises(SlidecafError, match=r"class GBM has one patient \(p1\).*write threshold: 0, or add patients"):
        study.fit("one", rows=alone)
    fixed = ClassificationMcil(kind="mcil", features="cnn", clusters=2, rounds=6, threshold=0)
    assert read_json(study.fit("one", rows=alone, settings=fixed) / "choice.json")["n"] == 7
    with pytest.raises(SlidecafError, match="label 'GBM': none of its training slides has a patch"):
        study.fit("two", rows=[{**row, "label": "GBM" if row["slide"] == "s03" else "LGG"} for row in study.train])


def test_patches_that_exceed_the_memory_are_an_error_before_they_are_read(study):
    with pytest.raises(SlidecafError, match=r"mcil: \d+ patches of 7 training slides with 5 values each take 0.0 GiB"):
        study.fit("one", memory=1e-6, method="mcil")
    assert not (study.folder / "one").exists()


def test_patches_have_the_scores_and_clusters_of_the_model(study):
    model = read_json(study.fit("one") / "model.json")
    score, cluster = patch_scores(model, study.bags["s05"])
    known = MCIL.from_dict(model)
    np.testing.assert_array_equal(score, known.instance_decision(study.bags["s05"]) - model["threshold"])
    np.testing.assert_array_equal(cluster, known.membership(study.bags["s05"]))
    assert (score[:6] > -model["threshold"]).all()


def test_a_damaged_model_is_an_error(study):
    stored = read_json(study.fit("one") / "model.json")
    for change in ({"step": [[1.0]]}, {"prior": "x"}, {"feature": None}):
        with pytest.raises(SlidecafError, match="the model is damaged"):
            MCIL.from_dict(stored | change)
    with pytest.raises(SlidecafError, match="the model is damaged"):
        MCIL.from_dict({key: value for key, value in stored.items() if key != "mean"})
    with pytest.raises(SlidecafError, match="it has no threshold"):
        patch_scores({key: value for key, value in stored.items() if key != "threshold"}, study.bags["s05"])
