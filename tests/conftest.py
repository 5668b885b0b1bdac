"""Fixtures that several tests share."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository():
    """The clone."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data():
    """Real slides, sections and weights, kept beside the clone and never in it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real data is absent: there is no ../shared/data beside the clone")
    return folder


@pytest.fixture
def promise(record_property):
    """Record what a test promises, for docs/reliability.md: promise(text, provoked=n, survived=m)."""

    def record(text, *, provoked=1, survived=None):
        record_property("promise", text)
        record_property("provoked", provoked)
        record_property("survived", provoked if survived is None else survived)

    return record
