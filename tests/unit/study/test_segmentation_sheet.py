"""What the segmentation's sheet and config may not hold, and what is said of it."""

import copy

import pytest

from slidecaf.errors import InputErrors
from slidecaf.study.config import check_config
from slidecaf.study.sheets import check_segmentation, check_together, read_sheet

HEADER = "slide\tpath\tmask\themorrhage\tpatient\tsplit\tfold"


@pytest.fixture
def read(tmp_path):
    """Write a sheet and read it; a.png to d.png exist, and the masks m-a.png to m-d.png."""
    for name in "abcd":
        (tmp_path / f"{name}.png").touch()
        (tmp_path / f"m-{name}.png").touch()

    def rows(*lines):
        path = tmp_path / "segmentation.tsv"
        cells = ["\t".join("" if cell == "_" else cell for cell in line.split()) for line in lines]
        path.write_text("\n".join([HEADER, *cells]) + "\n")
        return read_sheet(path, "segmentation")

    return rows


def line(name, mask="m-{}.png", hemorrhage="_", patient="p-{}", split="train", fold="_"):
    return f"{name} {name}.png {mask.format(name)} {hemorrhage} {patient.format(name)} {split} {fold}"


def said_of(rows, folds=None):
    with pytest.raises(InputErrors) as caught:
        check_segmentation(rows, source="segmentation.tsv", folds=folds)
    return "\n".join(caught.value.problems)


def test_a_whole_sheet_is_taken_and_paths_start_at_its_folder(read, tmp_path):
    rows = read(line("a", hemorrhage="m-b.png"), line("b"), line("c"), line("d", mask="_", split="test"))
    check_segmentation(rows, source="segmentation.tsv", folds=None)
    assert rows[0].hemorrhage == (tmp_path / "m-b.png").as_posix()
    assert [row.mask == "" for row in rows] == [False, False, False, True]


def test_a_mask_that_is_not_there_is_named_by_row_and_column(read):
    with pytest.raises(InputErrors, match=r"row 3, column mask: there is no file .*none\.png"):
        read(line("a"), line("b", mask="none.png"), line("c"))


@pytest.mark.parametrize(
    ("lines", "folds", "said"),
    [
        ([line("a", mask="_"), line("b"), line("c")], None, "row 2, column mask: slide 'a' is in train and has no"),
        (
            [line("a"), line("b"), line("c"), line("d", mask="_", hemorrhage="m-d.png", split="test")],
            None,
            "row 5, column hemorrhage: slide 'd' has no mask",
        ),
        ([line("a", patient="p"), line("b", patient="p"), line("c")], None, "2 in train (p, p-c); at least three"),
        ([line("a", patient="p"), line("b", patient="p")], None, "1 in train (p); at least three"),
        ([line("a"), line("b"), line("c")], 4, "3 patients in train and the config asks for 4 folds"),
        ([line("a", fold="1"), line("b"), line("c")], None, "row 3, column fold: empty"),
        ([line("a", fold="1"), line("b", fold="1"), line("c", fold="1")], None, "every training row is in fold 1"),
        ([line("a", fold="1"), line("b", fold="1"), line("c", fold="2")], None, "with fold 1 left out one patient"),
        ([line("a", split="test")], None, "no row is in train"),
    ],
)
def test_a_sheet_that_cannot_be_learned_from_says_why(read, lines, folds, said):
    assert said in said_of(read(*lines), folds)


def test_both_sheets_give_a_slide_one_path_and_a_file_one_id(read, tmp_path):
    masked = read(line("a"), line("b"), line("c"))
    sheet = tmp_path / "classification.tsv"
    head = "slide\tpath\tlabel\tpatient\n"
    sheet.write_text(head + "a\ta.png\tx\tp1\nb\tb.png\ty\tp2\n")
    check_together(read_sheet(sheet, "classification"), masked, sources=("classification.tsv", "segmentation.tsv"))
    sheet.write_text(head + "a\td.png\tx\tp1\nz\tb.png\ty\tp2\n")
    with pytest.raises(InputErrors) as caught:
        check_together(read_sheet(sheet, "classification"), masked, sources=("classification.tsv", "segmentation.tsv"))
    said = "\n".join(caught.value.problems)
    assert "row 2, column path: slide 'a' has" in said
    assert "row 3, column path" in said
    assert "give a file one id" in said


@pytest.fixture
def config():
    return {
        "features": {
            "dense": {
                "tiling": {"patch_size": 112, "stride": 16, "edge": "cover"},
                "encoder": {"model": "alexnet", "layer": "classifier.5", "weights": "random:0"},
                "extraction": "dense",
            }
        },
        "segmentation": {"sheet": "s.tsv", "methods": {"svm": {"features": "dense"}}},
    }


def test_defaults_leave_retraining_out_and_an_empty_mapping_asks_for_it(config):
    plain = check_config(config).segmentation.methods["svm"]
    assert plain.hard_examples is None
    assert (plain.training_stride, plain.smooth, plain.min_object) == (32, [0], [1000])
    config["segmentation"]["methods"]["svm"]["hard_examples"] = {}
    hard = check_config(config).segmentation.methods["svm"].hard_examples
    assert hard.plain() == {"copies": 1, "stride": 32, "max_share": 0.5}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"training_stride": 40}, "svm.training_stride: 40 is no multiple of the stride of dense, 16 px; write 16, 32"),
        ({"hard_examples": {"stride": 8}}, "svm.hard_examples.stride: 8 is no multiple"),
        ({"features": "dens"}, "there is no feature set 'dens', did you mean dense?"),
        ({"C": [1, 1]}, "svm.C: [1, 1] names a candidate twice"),
        ({"min_object": [-1]}, "min_object.0: -1 will not do"),
        ({"hard_examples": {"max_share": 2}}, "max_share: 2 will not do"),
    ],
)
def test_an_error_names_the_key_the_value_and_what_to_write(config, change, said):
    config["segmentation"]["methods"]["svm"].update(change)
    with pytest.raises(InputErrors) as caught:
        check_config(copy.deepcopy(config))
    assert said in "\n".join(caught.value.problems)


def test_smoothing_needs_a_stride_that_divides_the_patch(config):
    config["segmentation"]["methods"]["svm"]["smooth"] = [0, 8]
    assert check_config(config)
    config["features"]["dense"]["tiling"]["stride"] = 32
    with pytest.raises(InputErrors, match="does not divide its patch_size, 112 px"):
        check_config(config)
