"""Tables and JSON as text, checked on reading against the checksum that was written with them.

A file made twice from equal data is equal byte for byte: no time of day, no absolute path, keys in a fixed order.
"""

import csv
import io
import json
import math
import re
from pathlib import Path

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files import checksums
from slidecaf.files.atomic import atomic
from slidecaf.files.faults import unread

FORMULA = re.compile("'*[=+@\t\r\uff0b\uff0d\uff1d\uff20-]")
"""How a cell starts that a spreadsheet would compute, or that is marked as one that it shall not."""

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def write_tsv(path, columns, rows, *, checked=True):
    """Write a table as tab-separated UTF-8 text with a header line.

    Parameters
    ----------
    path : path-like
    columns : sequence of str
        The header, in order.
    rows : iterable of mapping
        One a line. A missing key or ``None`` is an empty cell; a float is written so that it reads back
        to the same number. A text that a spreadsheet would take for a formula, and is no number, gets an apostrophe
        before it, which `read_tsv` takes off: nothing that stands in a sheet is ever computed.
    checked : bool, optional
        False for a table that people edit, which needs no checksum.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    _write_text(path, text.getvalue(), checked=checked)


def _write_text(path, text, *, checked=True):
    content = text.encode()
    if checked:  # first, so that a whole file is never without it
        with atomic(checksums.beside(path), named=path) as partial:
            partial.write_text(checksums.line(content, Path(path).name), encoding="utf-8")
    with atomic(path) as partial:
        partial.write_bytes(content)


def _read_text(path):
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise unread(path, error) from error
    checksums.check(path, content)
    return content.decode()


def _cell(value):
    if value is None:
        return ""
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else repr(float(value))
    text = str(value)
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def read_tsv(path):
    """Read a table that `write_tsv` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of dict
        Column to text.

    Raises
    ------
    SlidecafError
        If it is missing, or is not what was written.
    """
    try:
        header, *lines = csv.reader(io.StringIO(_read_text(path), newline=""), delimiter="\t", strict=True)
        return [dict(zip(header, map(_uncell, line), strict=True)) for line in lines]
    except (ValueError, csv.Error) as error:
        raise SlidecafError(f"{path} is damaged ({error}); delete it and run again.") from error


def _uncell(cell):
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def write_json(path, value):
    """Write a value as indented JSON, keys in the order given; NaN becomes null.

    Parameters
    ----------
    path : path-like
    value : dict or list
        NumPy scalars and arrays are turned into numbers and lists.
    """
    _write_text(path, json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def read_json(path):
    """Read a JSON file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict or list

    Raises
    ------
    SlidecafError
        If it is missing, is not JSON, or is not what was written.
    """
    try:
        return json.loads(_read_text(path))
    except ValueError as error:
        raise SlidecafError(f"{path} is damaged ({error}); delete it and run again.") from error
