"""Revisions and what files say of how they were made."""

import importlib

import pytest

from slidecaf.files.versions import origin, revision, revisions, version
from slidecaf.study.steps import STEPS

PACKAGES = sorted({package for packages, _ in STEPS.values() for package in packages})


@pytest.mark.parametrize("package", PACKAGES)
def test_a_revision_is_read_without_an_import_and_is_the_packages_own(package):
    assert revision(package) == importlib.import_module(f"slidecaf.{package}").REVISION >= 1


def test_several_revisions_go_by_name():
    assert revisions("tiles", "slides") == {"tiles": revision("tiles"), "slides": revision("slides")}


def test_a_file_says_version_and_revisions_in_one_order():
    said = origin({"tiles": 3, "slides": 1}, weights_sha256="ab")
    assert said == {"slidecaf_version": version(), "revision": "slides 1, tiles 3", "weights_sha256": "ab"}
