"""Docstrings: their examples run, and what they name exists."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
TEXTS = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path.read_text()
    for path in sorted((SOURCE / "slidecaf").rglob("*.py"))
}
CALLED_BY_USERS = {
    "classification.selection",
    "classification.svm",
    "pooling.norms",
    "scores.classification",
    "scores.intervals",
    "scores.paired",
    "scores.segmentation",
    "segmentation.cells",
    "tiles.grid",
}
"""Modules of the steps that a user of the library starts with."""


def exists(name):
    """Tell whether a dotted name is that of a module, or of something in one."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


@pytest.mark.parametrize("module", [module for module, text in TEXTS.items() if ">>> " in text])
def test_examples_show_what_happens(module):
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert tried
    assert not failed


@pytest.mark.parametrize("module", sorted(CALLED_BY_USERS))
def test_what_users_call_has_examples(module):
    assert ">>> " in TEXTS[f"slidecaf.{module}"]


def test_names_in_docstrings_exist():
    named = {(module, name) for module, text in TEXTS.items() for name in re.findall(r"`(slidecaf\.[\w.]+\w)`", text)}
    assert [(module, name) for module, name in sorted(named) if not exists(name)] == []
