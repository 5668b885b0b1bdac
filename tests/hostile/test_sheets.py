"""Sheets that no slidecaf user would write, and spreadsheets that would compute what stands in one."""

import csv
import os
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slidecaf.errors import SHOWN, InputErrors, SlidecafError
from slidecaf.files.tables import read_tsv, write_tsv
from slidecaf.study.sheets import Row, read_sheet

FORMULAS = ["=cmd|' /C calc'!A0", "+1+cmd", "-2+3", "@SUM(1)", "'=1", "''-x", "=", "-", "－1", "＝A1"]
HARMLESS = ["-1", "-0.5e-3", "+7", ".5", "IDH-mutant", "a=b", "'quoted'", "a'", "", "it's", "2-3"]


@pytest.fixture
def sheet(tmp_path):
    """Write a sheet whose slide exists."""
    (tmp_path / "a.png").write_bytes(b"")

    def write(content):
        path = tmp_path / "sheet.tsv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def row(slide="a", path="a.png", label="GBM", patient="p"):
    return f"slide\tpath\tlabel\tpatient\n{slide}\t{path}\t{label}\t{patient}\n"


@pytest.mark.parametrize(
    "slide",
    ["../../etc", "-rf", "$(touch x)", "`id`", "a" * 300, "a b", "a/b", ".a", "a\\b", "ä", "a;b", "{a}", "a..b", "*"],
)
def test_an_id_that_could_leave_the_study_or_be_run_is_refused(sheet, slide):
    with pytest.raises(InputErrors, match=r"row 2, column slide: .* will not do. A unique id"):
        read_sheet(sheet(row(slide=slide)), "classification")


@pytest.mark.parametrize("slide", ["con", "NUL", "a", "0", "a.b-c_d", "x" * 128])
def test_an_id_that_is_a_file_name_is_taken(sheet, slide):
    assert read_sheet(sheet(row(slide=slide)), "classification")[0].slide == slide


@pytest.mark.parametrize("label", [*(f for f in FORMULAS if f != "-"), 'a "quoted" one', "a\u00a0b", "日本"])
def test_a_label_is_kept_as_it_stands(sheet, label):
    quoted = label.replace('"', '""')
    assert read_sheet(sheet(row(label=f'"{quoted}"')), "classification")[0].label == label


@pytest.mark.parametrize("column", ["label", "patient", "path"])
@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\x07b", "a\x7fb", "a\u2028b", "x" * 5000])
def test_control_characters_and_endless_texts_are_refused(sheet, column, text):
    with pytest.raises(InputErrors, match=f"row 2, column {column}: .* will not do") as raised:
        read_sheet(sheet(row(**{column: text})), "classification")
    assert "\x1b" not in str(raised.value)
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no slide"),
        (b"\0" * 100, "NUL bytes"),
        (row().encode("utf-16-le"), "UTF-16 without its mark"),
        (row(label="Gl\xe4ser").encode("latin-1"), "is not UTF-8"),
        (row(label='"GBM'), "row 2: .*(quote|save the sheet as TSV)"),
        (row(label='"a\nb"'), "goes on over the line's end"),
        (row(label="x" * 200_000), "row 2: field larger than field limit"),
        ("\t".join(f"c{i}" for i in range(50_000)) + "\nx\n", "the column slide is missing"),
        ("slide\t" * 50_000 + "\nx\n", "the column slide stands there twice"),
        (row() + "b\tb.png\tGBM\tp\textra\n", "5 cells under 4 columns"),
    ],
)
def test_a_sheet_that_is_none_says_what_to_do(sheet, content, said):
    start = time.process_time()
    with pytest.raises(InputErrors, match=said) as raised:
        read_sheet(sheet(content), "classification")
    assert time.process_time() - start < 5
    assert len(str(raised.value).splitlines()) <= SHOWN + 2


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink(path, path), lambda path: None])
def test_a_sheet_that_is_no_file_is_refused_and_does_not_hang(tmp_path, make):
    make(tmp_path / "sheet.tsv")
    with pytest.raises(InputErrors, match=r"write the sheet's path into the config|cannot be read"):
        read_sheet(tmp_path / "sheet.tsv", "classification")


def test_a_sheet_of_absurd_length_is_not_read(tmp_path):
    with open(tmp_path / "sheet.tsv", "wb") as file:
        file.truncate(2**40)
    with pytest.raises(InputErrors, match="a sheet is shorter"):
        read_sheet(tmp_path / "sheet.tsv", "classification")


def test_byte_order_mark_line_ends_and_blank_lines_change_nothing(sheet):
    plain = read_sheet(sheet(row()), "classification")
    for content in (
        b"\xef\xbb\xbf" + row().encode(),
        row().replace("\n", "\r\n"),
        row().replace("\n", "\r"),
        row() + "\n\n",
    ):
        assert read_sheet(sheet(content), "classification") == plain


def test_100000_rows_are_read_in_seconds_and_their_errors_stay_legible(sheet, promise):
    count = 100_000
    header = "slide\tpath\tlabel\tpatient\n"
    good = header + "".join(f"s{i}\ts{i}.png\t={i % 2}\tp{i}\n" for i in range(count))
    path = sheet(good)
    made = {str(path.parent / f"s{i}.png") for i in range(count)}
    start = time.process_time()
    assert len(read_sheet(path, "classification", made=made)) == count
    with pytest.raises(InputErrors) as raised:
        read_sheet(path, "classification")
    assert len(raised.value.problems) == count
    assert str(raised.value).endswith(f"and {count - SHOWN} more.")
    assert time.process_time() - start < 30
    promise("A sheet of 100,000 rows is read in seconds")


def computed(path):
    """The cells of a TSV file that a spreadsheet would compute."""
    with open(path, newline="", encoding="utf-8") as file:
        cells = [cell for line in csv.reader(file, delimiter="\t") for cell in line]
    found = []
    for cell in cells:
        try:
            float(cell)
        except ValueError:
            if cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")):
                found.append(cell)
    return found


def test_nothing_of_a_sheet_is_a_formula_in_what_a_spreadsheet_opens(tmp_path, promise):
    rows = [{"label": text, "confidence": -0.5} for text in FORMULAS + HARMLESS]
    write_tsv(tmp_path / "predictions.tsv", ["label", "confidence"], rows)
    assert computed(tmp_path / "predictions.tsv") == []
    read = read_tsv(tmp_path / "predictions.tsv")
    assert [line["label"] for line in read] == FORMULAS + HARMLESS
    assert {line["confidence"] for line in read} == {"-0.5"}
    text = (tmp_path / "predictions.tsv").read_text()
    assert all(f"{harmless}\t" in text for harmless in ("\n-1", "\na=b", "\n'quoted'"))
    promise("No cell of a sheet is computed by a spreadsheet that opens a result", provoked=len(FORMULAS))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=1))
@settings(derandomize=True, max_examples=300)
def test_any_text_reads_back_from_a_table(tmp_path_factory, texts):
    path = tmp_path_factory.getbasetemp() / "any.tsv"
    write_tsv(path, ["a", "b"], [{"a": text, "b": "x"} for text in texts])
    assert computed(path) == []
    assert [line["a"] for line in read_tsv(path)] == texts


def test_a_table_that_is_damaged_is_an_error_that_names_it(tmp_path):
    for content in (b"", b"a\tb\n1\n", b"a\tb\n1\t2\t3\n", b"a\n\xff\n", b'a\n"x\n'):
        (tmp_path / "t.tsv").write_bytes(content)
        with pytest.raises(SlidecafError, match=r"t.tsv is damaged .*; delete it and run again"):
            read_tsv(tmp_path / "t.tsv")


cells = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["slide", "path", "label", "patient", "split", "mpp", "fold", "train", "test", "a.png", "nan", "1e999"]
    ),
)
tables = st.lists(st.lists(cells, max_size=8).map("\t".join), max_size=8).map("\n".join)
GOOD = "slide\tpath\tlabel\tpatient\tmpp\tfold\n"


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300), tables, tables.map(lambda text: GOOD + text)))
@settings(derandomize=True, max_examples=500)
@example(GOOD + "a\ta.png\tx\tp\t" + "9" * 5000 + "\t" + "9" * 5000)
@example(GOOD + "a\ta.png\tx\tp\t1_0\t1_0")
@example('slide,path,label,patient\n"a","a.png",x,p"')
def test_anything_is_rows_or_errors_that_say_what_is_wrong(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    rows, problems = [], []
    try:
        rows = read_sheet(path, "classification")
    except InputErrors as error:
        problems = error.problems
    assert bool(rows) != bool(problems)
    assert all(isinstance(found, Row) for found in rows)
