"""The two tasks: slides by split, parts, variants, and who maps whom."""

from slidecaf.study.config import check_config
from slidecaf.study.sheets import Row
from slidecaf.study.tasks import ClassificationTask, SegmentationTask

ENCODER = {"model": "alexnet", "layer": "classifier.5", "weights": "random:0"}


def config(store="all", hard=None, folds=None, **own):
    features = {"tiling": {"patch_size": 64, "stride": 64}, "encoder": ENCODER, "store": store}
    method = {"features": "cnn", "training_stride": 64, "hard_examples": hard}
    task = {"sheet": "s.tsv", "folds": folds, "methods": {"maps": method}, **own}
    labelled = {"sheet": "c.tsv", "positive": "GBM", "folds": 3, "methods": {"svm": {"features": ["cnn"]}}}
    return check_config({"features": {"cnn": features}, "classification": labelled, "segmentation": task})


def row(slide, patient, split="train", fold=None, **own):
    return Row(2, slide, f"{slide}.svs", patient, split, None, fold, **own)


ROWS = [
    row("d", "p3", mask="d.png"),
    row("a", "p1", mask="a.png"),
    row("b", "p1", mask="b.png", hemorrhage="h.png"),
    row("c", "p2", mask="c.png"),
    row("z", "p9", "test"),
    row("y", "p8", "test", mask="y.png"),
]


def segmentation(rows=ROWS, **changed):
    made = config(**changed)
    return SegmentationTask(made.segmentation, rows, made.features, made.seed)


def classification(rows):
    return ClassificationTask(config().classification, rows)


def test_slides_are_sorted_by_id_in_their_split():
    task = segmentation()
    assert (task.train, task.test) == (["a", "b", "c", "d"], ["y", "z"])
    assert task.masked == ["a", "b", "c", "d", "y"]
    assert list(task.methods) == ["maps"]


def test_a_task_that_the_study_has_not_has_nothing():
    for task in (ClassificationTask(None, []), SegmentationTask(None, [], {}, 0)):
        assert (task.methods, task.rows, task.train, task.test) == ({}, {}, [], [])
        assert task.setting("sheet") is None
    assert task.parts == []
    assert task.mask_settings == {"mask_value": None}


def test_how_masks_are_read_names_a_channel_only_where_it_is_set():
    """So no study of before the key was there is computed anew."""
    assert segmentation().mask_settings == {"mask_value": None}
    for channel in (0, "necrosis"):
        found = segmentation(mask_value=1, mask_channel=channel).mask_settings
        assert found == {"mask_value": 1, "mask_channel": channel}


def test_the_config_says_how_many_folds_and_the_sheet_may_overrule_it():
    assert classification([row("a", "p1"), row("b", "p2")]).parts == ["fold-0", "fold-1", "fold-2", "final"]
    fixed = classification([row("a", "p1", fold=4), row("b", "p2", fold=9), row("t", "p3", "test")])
    assert fixed.folds == 2
    assert fixed.parts == fixed.decided == ["fold-0", "fold-1", "final"]


def test_the_final_model_decides_where_there_are_test_slides_only():
    assert classification([row("a", "p1"), row("b", "p2")]).decided == ["fold-0", "fold-1", "fold-2"]


def test_each_patient_is_left_out_in_turn_and_test_slides_are_mapped_by_the_final_model():
    task = segmentation()
    assert task.groups["a"] == task.groups["b"]
    assert len(set(task.groups.values())) == 3
    assert task.parts == ["fold-0", "fold-1", "fold-2", "final"]
    assert task.left_out == task.parts[:-1]
    assert task.part_of("a") == task.part_of("b") == f"fold-{task.groups['a']}"
    assert task.part_of("z") == "final"


def test_patients_may_be_left_out_in_groups_or_as_the_sheet_says():
    assert len(set(segmentation(folds=2).groups.values())) == 2
    fixed = [row(slide, f"p{slide}", fold=fold, mask="m.png") for slide, fold in (("a", 7), ("b", 3), ("c", 7))]
    assert segmentation(fixed).groups == {"a": 1, "b": 0, "c": 1}


def test_a_method_has_a_variant_more_where_it_is_retrained():
    assert segmentation().variants("maps") == ["plain"]
    assert segmentation(hard={"stride": 64}).variants("maps") == ["plain", "hard"]


def test_a_method_is_fused_where_features_of_test_slides_are_not_stored():
    assert segmentation().is_fused("maps") is False
    assert segmentation(store="train").is_fused("maps") is True


def test_columns_of_the_sheet_are_given_by_slide():
    task = segmentation()
    assert task.masks(["b", "z"]) == {
        "b": {"slide": "b", "number": 2, "mask": "b.png", "hemorrhage": "h.png"},
        "z": {"slide": "z", "number": 2, "mask": "", "hemorrhage": ""},
    }
    assert task.table(["c"], "slide", "patient") == [{"slide": "c", "patient": "p2"}]


def test_a_varied_method_is_itself_but_for_one_list():
    varied = {"method": "svm", "norm": [1, "inf"], "keep": ["all"]}
    plain = config().plain()
    plain["classification"] |= {"ablation": varied}
    task = ClassificationTask(check_config(plain).classification, [row("a", "p1")])
    own = task.methods["svm"]
    assert task.settings == [["norm", 1], ["norm", "inf"], ["keep", "all"]]
    assert task.varied("norm-inf").plain() == own.plain() | {"norm": ["inf"]}
    assert [one.plain() for one in task.tried()] == [
        own.plain() | change for change in ({"norm": [1]}, {"norm": ["inf"]}, {"keep": ["all"]})
    ]
    assert task.candidates() == {"norm": [3], "keep": [100]}
    assert ClassificationTask(None, []).tried() == []
