"""Rules name the packages whose revision they depend on: exactly those that their scripts import, near or far."""

from pathlib import Path

import pytest

from slidecaf.study.steps import STEPS
from tests.unit.test_imports import FILES, IMPORTS, imports

SCRIPTS = Path(__file__).resolve().parents[2] / "workflow" / "scripts"
PACKAGES = {module: path for module, path in FILES.items() if path.name == "__init__.py"}
REVISED = {module for module, path in PACKAGES.items() if "\nREVISION = " in path.read_text()}


def loaded(names):
    """Return the modules of slidecaf that an import of some names loads, and those that these load."""
    found, waiting = set(), set(names)
    while waiting:
        name = waiting.pop()
        parents = {name.rsplit(".", depth)[0] for depth in range(name.count(".") + 1)}
        new = {module for module in parents if module in FILES} - found
        found |= new
        waiting |= {other for module in new for other in IMPORTS[module]}
    return found


def room(module):
    """Return the innermost package with a revision that a module belongs to; None for one that changes no values."""
    parents = [module.rsplit(".", depth)[0] for depth in range(module.count(".") + 1)]
    return next((parent.removeprefix("slidecaf.") for parent in parents if parent in REVISED), None)


def rooms(modules):
    return sorted({room(module) for module in modules} - {None})


def test_every_script_has_a_rule_and_every_rule_a_script():
    assert {path.stem for path in SCRIPTS.glob("*.py")} == set(STEPS)


@pytest.mark.parametrize("rule", sorted(set(STEPS) - {"study"}))
def test_a_rule_depends_on_the_packages_that_its_script_imports(rule):
    assert sorted(STEPS[rule][0]) == rooms(loaded(imports(SCRIPTS / f"{rule}.py")))


def test_the_study_names_the_revision_of_every_package():
    assert sorted(STEPS["study"][0]) == rooms(FILES)


def test_a_package_is_found_through_others_and_in_functions():
    assert "slidecaf.segmentation.solver.squared_hinge" in loaded({"slidecaf.segmentation.training"})
    assert room("slidecaf.segmentation.solver.squared_hinge") == "segmentation.solver"
    assert room("slidecaf.features.networks.encoder") == "features"
    assert room("slidecaf.files.tables") is None
