"""A sheet's file as cells of text, however a spreadsheet saved it."""

import csv
import io
import os
import re
from pathlib import Path

from slidecaf.errors import InputErrors
from slidecaf.files.faults import is_file, machine_fault, unread

MOST_BYTES = 2**28
"""Of a sheet: a million rows have less."""

SEPARATORS = "\t,;"
"""What may stand between cells; where several would do, the first of these."""

WORKBOOKS = {b"PK\x03\x04": "an Excel or OpenDocument workbook", b"\xd0\xcf\x11\xe0": "an old Excel workbook"}
"""First bytes of files that a spreadsheet saves where it is not told to save text."""

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""Byte-order marks, by which a spreadsheet's "Unicode text" is known."""


def read_table(path, known) -> tuple[list, list]:
    """Read the cells of a sheet, trimmed.

    It is TSV or CSV, the latter with commas or semicolons, in UTF-8, or in UTF-16 with a byte-order mark. A first line
    ``sep=;`` as Excel knows it is passed over.

    Parameters
    ----------
    path : path-like
    known : container of str
        Columns that tell which separator is meant: the one that gives most of them.

    Returns
    -------
    header : list of str
        Without empty cells at its end.
    lines : list of (int, list of str)
        Row number, as a spreadsheet shows it (the header is row 1), and cells of every line that is not blank.

    Raises
    ------
    InputErrors
        If there is no such file, or it is no such text, or holds no row.
    """
    if not is_file(path) and os.path.exists(path):
        raise InputErrors(path, ["it is no file; write the sheet's path into the config."])
    if is_file(path) and os.path.getsize(path) > MOST_BYTES:
        raise InputErrors(path, [f"it has more than {MOST_BYTES} bytes; a sheet is shorter: take the right file."])
    text, before = _text(path), 0
    first, _, rest = text.partition("\n")
    separator = re.fullmatch(r'"?sep=([,;\t])"?\s*', first)
    if separator:
        text, before = rest, 1
        first = text.partition("\n")[0]
    chosen = separator[1] if separator else _separator(first, known)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=chosen, strict=True)
    try:
        lines = [(before + reader.line_num, [cell.strip() for cell in line]) for line in reader]
    except csv.Error as error:
        raise InputErrors(path, [f"row {reader.line_num}: {error}; save the sheet as TSV or CSV."]) from error
    broken = [number for number, line in lines if any("\n" in cell or "\r" in cell for cell in line)]
    if broken:  # a quote that was never closed swallows the rows below it
        raise InputErrors(path, [f"row {broken[0]}: a cell goes on over the line's end; close or remove its quote."])
    lines = [(number, line) for number, line in lines if any(line)]
    if len(lines) < 2:
        raise InputErrors(path, ["the sheet holds no slide; write a header and one row a slide."])
    header = lines[0][1]
    while not header[-1]:
        header = header[:-1]
    return header, lines[1:]


def _text(path):
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        if machine_fault(error):
            raise unread(path, error) from error
        raise InputErrors(
            path, [f"it cannot be read ({error.strerror}); write the sheet's path into the config."]
        ) from error
    for start, what in WORKBOOKS.items():
        if content.startswith(start):
            raise InputErrors(path, [f"it is {what}; save it as CSV UTF-8 (or as text), and name that file."])
    encoding = "UTF-16" if content.startswith(UTF_16) else "UTF-8"
    try:
        text = content.decode("utf-8-sig" if encoding == "UTF-8" else "utf-16")
    except UnicodeDecodeError as error:
        raise InputErrors(
            path, [f"byte {error.start} is not {encoding}; save the sheet as CSV UTF-8, or as TSV in UTF-8."]
        ) from error
    if "\0" in text:
        raise InputErrors(
            path,
            ["the file holds NUL bytes, so it is no text, or UTF-16 without its mark; save the sheet as CSV UTF-8."],
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _separator(first, known):
    def columns(separator):
        return sum(cell.strip().strip('"') in known for cell in first.split(separator))

    return max(SEPARATORS, key=columns)  # of equals the first
