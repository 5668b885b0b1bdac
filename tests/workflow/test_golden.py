"""The values of mini studies are those that were recorded with the revisions of what computes them."""

import json

import pytest

from slidecaf.files.versions import revisions
from tests.golden.values import PACKAGES, RECORD, STUDIES, differ, packages_of, rule_of, values_of

ANEW = "then record the values anew: .venv/bin/python -m tests.golden.values"


@pytest.fixture(scope="module")
def record():
    return json.loads(RECORD.read_text(encoding="utf-8"))


def test_the_record_is_of_these_revisions(record):
    assert record["revisions"] == revisions(*PACKAGES), f"a revision was raised; {ANEW}"


OFTEN = ("finished", "segmented")
"""Studies that other short tests run too."""


@pytest.mark.parametrize(
    "name", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.long) for name in STUDIES]
)
def test_values_change_with_a_revision_only(record, name, request):
    found, known = values_of(request.getfixturevalue(name) / "results", STUDIES[name]), record[name]
    assert found.keys() == known.keys(), f"other files are made than were recorded; {ANEW}"
    raised = {package for package, number in revisions(*PACKAGES).items() if number != record["revisions"].get(package)}
    changed = {path for path in found if differ(found[path], known[path])}
    unsaid = sorted(path for path in changed if not raised & packages_of(rule_of(path)))
    rules = sorted({rule_of(path) for path in unsaid})
    packages = sorted(set().union(*(packages_of(rule) for rule in rules)))
    assert not unsaid, (
        f"{len(unsaid)} results of {', '.join(rules)} have other values (such as {unsaid[0]}), and no revision was "
        f"raised: studies of users would keep the old ones. Raise REVISION in the __init__.py of the package that "
        f"changed, one of {', '.join(packages)}; {ANEW}"
    )


def test_every_result_is_of_a_rule(record):
    assert all(rule_of(path) for name in STUDIES for path in record[name])


def test_numbers_differ_beyond_a_thousandth_and_whole_ones_at_all():
    assert not differ({"a": [1, 0.5, "x"]}, {"a": [1, 0.5004, "x"]})
    assert differ({"a": 0.5}, {"a": 0.502})
    assert differ({"a": 1}, {"a": 2})
    assert differ({"a": "1"}, {"a": "1.0"})
    assert differ({"a": 1}, {"b": 1})
