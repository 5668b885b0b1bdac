"""What sheets may look like, and what is said of those that will not do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidecaf.errors import InputErrors
from slidecaf.study.sheets import check_classification, read_sheet

HEADER = "slide\tpath\tlabel\tpatient\tsplit"


@pytest.fixture
def sheet(tmp_path):
    """Write a sheet from lines and read it; every file that a line names in column path exists."""

    def read(*lines, header=HEADER, encode=lambda text: text.encode()):
        for name in ("a.png", "b.png", "c.png", "d.png"):
            (tmp_path / name).touch()
        path = tmp_path / "sheet.tsv"
        path.write_bytes(encode("\n".join([header, *lines]) + "\n"))
        return read_sheet(path, "classification")

    return read


def said_of(sheet, *lines, **options):
    with pytest.raises(InputErrors) as caught:
        sheet(*lines, **options)
    return "\n".join(caught.value.problems)


PLAIN = ("a\ta.png\tGBM\tp1\ttrain", "b\tb.png\tLGG\tp2\ttest")


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\t\t\n").encode(),
        lambda text: text.replace("\t", " \t  ").encode(),
        lambda text: text.replace("\t", ",").encode(),
        lambda text: text.replace("\n", "\n\n").encode(),
    ],
    ids=["plain", "BOM", "CRLF", "trailing tabs", "spaces", "CSV", "blank lines"],
)
def test_a_sheet_reads_the_same_however_a_spreadsheet_saved_it(sheet, tmp_path, encode):
    rows = sheet(*PLAIN, encode=encode)
    assert [(r.slide, r.label, r.patient, r.split) for r in rows] == [
        ("a", "GBM", "p1", "train"),
        ("b", "LGG", "p2", "test"),
    ]
    assert rows[0].path == (tmp_path / "a.png").as_posix()


def test_an_empty_split_is_train_and_optional_columns_are_read(sheet):
    rows = sheet("a\ta.png\tGBM\tp1\t\t0.25\t2", header=HEADER + "\tmpp\tfold")
    assert (rows[0].split, rows[0].mpp, rows[0].fold) == ("train", 0.25, 2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("../x\ta.png\tGBM\tp1\ttrain", "row 2, column slide: '../x' will not do"),
        ("a/b\ta.png\tGBM\tp1\ttrain", "row 2, column slide: 'a/b' will not do"),
        ("\ta.png\tGBM\tp1\ttrain", "row 2, column slide: an empty cell will not do"),
        ("$(touch x)\ta.png\tGBM\tp1\ttrain", "row 2, column slide: '$(touch x)' will not do"),
        ("-rf\ta.png\tGBM\tp1\ttrain", "row 2, column slide: '-rf' will not do"),
        ("a\tabsent.png\tGBM\tp1\ttrain", "row 2, column path: there is no file"),
        ("a\ta.png\tGBM\t\ttrain", "row 2, column patient: an empty cell will not do"),
        ("a\ta.png\tGBM\tp1\ttraining", "row 2, column split: 'training' will not do. train or test"),
        ("a\ta.png\tGBM\tp1\ttrain\tmore", "row 2: 6 cells under 5 columns"),
    ],
)
def test_an_error_names_row_column_value_and_what_to_write(sheet, line, said):
    assert said in said_of(sheet, line)


def test_all_errors_of_a_sheet_come_at_once(sheet):
    said = said_of(sheet, "../x\ta.png\tGBM\tp1\ttrain", "b\tb.png\tLGG\t\ttrain", "c\tc.png\tLGG\tp\tx")
    assert all(row in said for row in ("row 2", "row 3", "row 4"))


def test_columns_are_checked_before_rows(sheet):
    said = said_of(sheet, "a\ta.png\tGBM\tp1", header="slide\tpath\tlable\tpatient")
    assert "row 1: unknown column 'lable', did you mean label?" in said
    assert "row 1: the column label is missing" in said


def test_a_quote_that_is_never_closed_is_an_error_and_swallows_no_rows(sheet):
    lines = ('a\ta.png\tG\t"p1\ttrain', "b\tb.png\tG\tp2\ttrain", 'c\tc.png\tG\tp"3\ttrain')
    with pytest.raises(InputErrors, match="row"):
        sheet(*lines)
    with pytest.raises(InputErrors, match="row"):
        sheet(*lines[:2])


def test_an_id_or_a_file_given_twice_is_an_error(sheet):
    assert "already stands in row 2" in said_of(sheet, "a\ta.png\tG\tp\t", "a\tb.png\tG\tp\t")
    assert "is already slide 'a' in row 2" in said_of(sheet, "a\ta.png\tG\tp\t", "b\ta.png\tG\tp\t")


def test_a_patient_on_both_sides_of_the_split_is_an_error(sheet):
    said = said_of(sheet, "a\ta.png\tG\tp1\ttrain", "b\tb.png\tG\tp1\ttest")
    assert "'p1' is in test here and in train in row 2" in said


def test_a_patient_in_two_fixed_folds_is_an_error(sheet):
    header = HEADER + "\tfold"
    said = said_of(sheet, "a\ta.png\tG\tp1\ttrain\t0", "b\tb.png\tG\tp1\ttrain\t1", header=header)
    assert "in fold 1 here and in fold 0 in row 2" in said


@pytest.mark.parametrize("text", ["", "\n\n", HEADER + "\n"])
def test_an_empty_sheet_is_an_error(tmp_path, text):
    (tmp_path / "sheet.tsv").write_text(text)
    with pytest.raises(InputErrors, match="holds no slide"):
        read_sheet(tmp_path / "sheet.tsv", "classification")


@pytest.mark.parametrize(("content", "said"), [(b"\xff\xfe\x00a", "not UTF-8"), (b"slide\tpath\n\0", "NUL bytes")])
def test_what_is_no_text_is_an_error(tmp_path, content, said):
    (tmp_path / "sheet.tsv").write_bytes(content)
    with pytest.raises(InputErrors, match=said):
        read_sheet(tmp_path / "sheet.tsv", "classification")


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_bytes_give_rows_or_an_error_that_names_the_sheet(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "sheet.tsv"
    path.write_bytes(HEADER.encode() + b"\n" + content)
    with pytest.raises(InputErrors, match=r"sheet\.tsv"):  # no file that a random path names is there
        read_sheet(path, "classification")


def check(sheet, *lines, positive="GBM", folds=2, header=HEADER):
    rows = sheet(*lines, header=header)
    return check_classification(rows, source="sheet.tsv", positive=positive, folds=folds)


FOUR = (
    "a\ta.png\tGBM\tp1\ttrain",
    "b\tb.png\tGBM\tp2\ttrain",
    "c\tc.png\tLGG\tp3\ttrain",
    "d\td.png\tLGG\tp4\ttrain",
)


def test_the_positive_class_comes_last_of_two(sheet):
    assert check(sheet, *FOUR, positive="GBM") == ["LGG", "GBM"]
    assert check(sheet, *FOUR, positive="LGG") == ["GBM", "LGG"]


@pytest.mark.parametrize(
    ("lines", "options", "said"),
    [
        (FOUR[:2], {}, "all training rows are 'GBM'"),
        ((*FOUR[:3], "d\td.png\tAST\tp4\ttest"), {}, "'AST' stands in test only"),
        ((*FOUR[:3], "d\td.png\t\tp4\ttrain"), {}, "slide 'd' is in train and has no label"),
        (FOUR, {"positive": "gbm"}, "classification.positive is 'gbm'"),
        (FOUR, {"positive": None}, "classification.positive is None"),
        (FOUR, {"folds": 3}, "'GBM' has 2 patients in train and the config asks for 3 folds; set classification.folds"),
        (FOUR[:3], {}, "'LGG' has one patient in train"),
    ],
)
def test_what_cannot_be_learned_from_is_an_error(sheet, lines, options, said):
    with pytest.raises(InputErrors) as caught:
        check(sheet, *lines, **options)
    assert said in str(caught.value)


def test_fixed_folds_are_for_all_training_rows_and_leave_every_class_to_learn_from(sheet):
    header = HEADER + "\tfold"
    gap = [f"{line}\t{fold}" for line, fold in zip(FOUR, ("0", "1", "0", ""), strict=True)]
    with pytest.raises(InputErrors, match="column fold: empty"):
        check(sheet, *gap, header=header)
    lost = [f"{line}\t{fold}" for line, fold in zip(FOUR, "0011", strict=True)]
    with pytest.raises(InputErrors, match="with fold 0 left out no 'GBM' is left"):
        check(sheet, *lost, header=header)
    good = [f"{line}\t{fold}" for line, fold in zip(FOUR, "0101", strict=True)]
    assert check(sheet, *good, header=header) == ["LGG", "GBM"]
