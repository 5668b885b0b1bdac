"""The study that tests of this folder plan."""

import pytest

from tests.unit.running.jobs.planned import Planned


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """Plan the study in a folder without any file."""
    monkeypatch.chdir(tmp_path)
    return Planned()
