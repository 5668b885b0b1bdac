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
        for name in ("a.png", "b.png", "c.png", "d.png", "e.png"):
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
        lambda text: text.replace("\t", ";").encode(),
        lambda text: b"sep=;\n" + text.replace("\t", ";").encode(),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: ('"' + text.rstrip("\n").replace("\t", '","').replace("\n", '"\n"') + '"\n').encode(),
    ],
    ids=[
        *("plain", "BOM", "CRLF", "trailing tabs", "spaces", "CSV", "blank lines", "semicolons", "sep=", "UTF-16"),
        *("UTF-16, big end first", "CR", "all cells quoted"),
    ],
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
    ("text", "mpp"), [("0,25", 0.25), ("0.25", 0.25), ("25e-2", 0.25), ("1", 1.0), ("0,2,5", None), ("1_0", None)]
)
def test_a_number_may_have_a_decimal_comma(sheet, text, mpp):
    line, header = f"a;a.png;GBM;p1;train;{text}", (HEADER + "\tmpp").replace("\t", ";")
    if mpp is None:
        assert f"column mpp: {text!r} will not do" in said_of(sheet, line, header=header)
    else:
        assert sheet(line, header=header)[0].mpp == mpp


@pytest.mark.parametrize(
    ("text", "fold"), [("2", 2), ("2.0", 2), ("2,0", 2), ("2.5", None), ("٣", None), ("1_0", None)]
)
def test_a_fold_is_a_whole_number_as_a_spreadsheet_may_write_it(sheet, text, fold):
    line, header = f"a\ta.png\tGBM\tp1\ttrain\t{text}", HEADER + "\tfold"
    if fold is None:
        assert f"column fold: {text!r} will not do" in said_of(sheet, line, header=header)
    else:
        assert sheet(line, header=header)[0].fold == fold


def test_a_path_of_windows_is_read_where_it_is_plain(sheet, tmp_path):
    (tmp_path / "slides").mkdir()
    (tmp_path / "slides/x.png").touch()
    assert sheet("a\tslides\\x.png\tGBM\tp1\t")[0].path == (tmp_path / "slides/x.png").as_posix()
    said = said_of(sheet, "a\tC:\\data\\x.png\tGBM\tp1\t")
    assert "written as on Windows; write it with / and relative" in said


def test_a_file_of_another_spelling_is_named(sheet):
    assert "there is no file" in said_of(sheet, "a\tA.PNG\tGBM\tp1\t")
    assert "there is 'a.png'." in said_of(sheet, "a\tA.PNG\tGBM\tp1\t")


def test_further_columns_are_kept_and_slips_of_the_pen_are_not(sheet):
    header = HEADER + "\tsite\tage\tscore"
    row = sheet("a\ta.png\tGBM\tp1\t\tWien\t61\t3", header=header)[0]
    assert row.more == {"site": "Wien", "age": "61", "score": "3"}
    for wrong, right in (("folds", "fold"), ("MPP", "mpp"), ("scenes", "scene"), ("Fold", "fold")):
        said = said_of(sheet, "a\ta.png\tGBM\tp1\t\t1", header=f"{HEADER}\t{wrong}")
        assert f"row 1: unknown column {wrong!r}, did you mean {right}?" in said


@pytest.mark.parametrize("word", ["nan", "NaN", "NA", "N/A", "null", "None", "#N/A", "-", "?"])
def test_a_word_for_a_missing_value_is_no_class_and_no_patient(sheet, word):
    said = said_of(sheet, f"a\ta.png\t{word}\tp1\t", "b\tb.png\tGBM\tp2\t", f"c\tc.png\t{word}\tp3\t")
    assert f"rows 2, 4, column label: {word!r} says that the value is missing; leave the cell of a test row" in said
    assert f"row 2, column patient: {word!r} says" in said_of(sheet, f"a\ta.png\tGBM\t{word}\t")


@pytest.mark.parametrize("other", ["gbm", "Gbm", "G\u200bBM", "\uff27BM"])
def test_two_spellings_of_a_class_or_a_patient_are_an_error(sheet, other):
    said = said_of(sheet, "a\ta.png\tGBM\tp1\t", f"b\tb.png\t{other}\tp2\t", "c\tc.png\tGBM\tp3\t")
    assert f"column label: 'GBM' in rows 2, 4, {other!r} in row 3 differ in case or space only; write them" in said
    said = said_of(sheet, "a\ta.png\tX\tGBM\t", f"b\tb.png\tX\t{other}\t")
    assert f"column patient: 'GBM' in row 2, {other!r} in row 3 differ" in said


def test_kinds_of_space_and_the_fraction_of_a_whole_number_make_no_class(sheet):
    assert "differ" in said_of(sheet, "a\ta.png\tlow grade\tp\t", "b\tb.png\tlow  grade\tp\t")
    assert "differ" in said_of(sheet, "a\ta.png\t1\tp\t", "b\tb.png\t1.0\tp\t")
    assert len(sheet("a\ta.png\tG1\tp\t", "b\tb.png\tG2\tp\t", "c\tc.png\tG-1\tp\t")) == 3


def test_a_number_that_a_spreadsheet_rounded_is_no_patient(sheet):
    assert "'1.23E+11' is a long number that a spreadsheet has rounded" in said_of(sheet, "a\ta.png\tG\t1.23E+11\t")


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


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00a\x00", "not UTF-16"),
        ("slide\tlabel äöü".encode("latin-1"), "not UTF-8; save the sheet as CSV UTF-8"),
        (b"slide\tpath\n\0", "NUL bytes"),
        ("slide\tpath\n".encode("utf-16-le"), "UTF-16 without its mark"),
        (b"PK\x03\x04rest", "it is an Excel or OpenDocument workbook; save it as CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0rest", "an old Excel workbook"),
    ],
)
def test_what_is_no_text_is_an_error(tmp_path, content, said):
    (tmp_path / "sheet.tsv").write_bytes(content)
    with pytest.raises(InputErrors, match=said):
        read_sheet(tmp_path / "sheet.tsv", "classification")


@given(st.binary(max_size=200))
@settings(max_examples=60)
def test_any_bytes_give_rows_or_an_error_that_names_the_sheet(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "sheet.tsv"
    path.write_bytes(HEADER.encode() + b"\n" + content)
    with pytest.raises(InputErrors, match=r"sheet\.tsv"):  # no file that a random path names is there
        read_sheet(path, "classification")


def check(sheet, *lines, positive="GBM", folds=2, header=HEADER, **options):
    rows = sheet(*lines, header=header)
    return check_classification(rows, source="sheet.tsv", positive=positive, folds=folds, **options)


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
        (
            (*FOUR, "e\te.png\tAST\tp5\ttrain"),
            {},
            "classification.positive is 'GBM' in the config and the labels are 3",
        ),
        (FOUR, {"chooses": True}, "'GBM' has 2 patients in train, of which 2 folds leave 1 to learn from"),
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
    with pytest.raises(InputErrors, match="with fold 0 left out one patient of 'GBM' is left, 'p2', and a choice"):
        check(sheet, *good, header=header, chooses=True)


def test_a_collection_calls_its_column_image_and_so_do_errors(sheet):
    header = HEADER.replace("slide", "image")
    assert [row.slide for row in sheet(*PLAIN, header=header)] == ["a", "b"]
    said = said_of(sheet, PLAIN[0], PLAIN[0].replace("a.png", "b.png"), "b..c\tc.png\tGBM\tp1\t", header=header)
    assert "row 3, column image: 'a' already stands in row 2; give each image its own id." in said
    assert "row 4, column image: 'b..c' will not do" in said
    rows = sheet("a\ta.png\tGBM\tp1\t\tI-1", header=HEADER + "\timage")
    assert (rows[0].slide, rows[0].more) == ("a", {"image": "I-1"})
