"""The packages that a rule's revision covers are those that its script imports."""

import ast
from pathlib import Path

import pytest

from slidecaf.study.kinds import CLASSIFICATION_KINDS
from slidecaf.study.steps import STEPS, made_by


@pytest.fixture(scope="module")
def rooms(repository):
    """Return the packages that have a revision."""
    top = repository / "src/slidecaf"
    found = [path.parent for path in top.rglob("__init__.py") if "\nREVISION = " in path.read_text()]
    return {".".join(folder.relative_to(top).parts) for folder in found}


def modules(path, top):
    """Return the modules of slidecaf that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            place = top.parent.joinpath(*name.split("."))
            found |= {file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()}
    return {file for file in found if top in file.parents}


def imported(script, top):
    """Return the modules that a script runs, directly or through one another."""
    seen, waiting = set(), [script]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += modules(path, top)
    return seen - {script}


def package_of(path, top, rooms):
    """Return the innermost package with a revision that a module is in."""
    parts = path.relative_to(top).parent.parts
    names = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    return next((name for name in names if name in rooms), None)


def test_every_rule_is_a_step(repository):
    texts = [path.read_text() for path in (repository / "workflow/rules").glob("*.smk")]
    rules = {line[5:-1] for text in texts for line in text.splitlines() if line.startswith("rule ")}
    assert set(STEPS) == rules


def test_the_studys_file_names_every_package_with_a_revision(rooms):
    assert set(STEPS["study"][0]) == rooms


@pytest.mark.parametrize("rule", [rule for rule in STEPS if rule != "study"])
def test_a_steps_packages_are_those_that_its_script_imports(rule, repository, rooms):
    top = Path(repository / "src/slidecaf")
    ran = imported(repository / f"workflow/scripts/{rule}.py", top)
    found = {package_of(path, top, rooms) for path in ran} - {None}
    assert set(STEPS[rule][0]) == found


@pytest.mark.parametrize("name", CLASSIFICATION_KINDS)
@pytest.mark.parametrize("rule", ["classifier", "decisions", "patch_scores"])
def test_a_kinds_packages_are_those_that_its_module_imports(name, rule, repository, rooms):
    kind, top = CLASSIFICATION_KINDS[name], Path(repository / "src/slidecaf")
    if kind.reads == "images":  # its rules are its own, and import it
        return
    if rule == "patch_scores" and "patches" not in kind.shows:
        return
    module = top.joinpath(*kind.module.split(".")).with_suffix(".py")
    ran = imported(repository / f"workflow/scripts/{rule}.py", top) | imported(module, top) | {module}
    needed = {package_of(path, top, rooms) for path in ran} - {None}
    assert set(made_by(rule, kind)["revision"]) == needed


def test_a_raised_revision_of_one_kind_reruns_no_method_of_another():
    assert "classification.mcil" in made_by("classifier", CLASSIFICATION_KINDS["mcil"])["revision"]
    assert set(made_by("classifier", CLASSIFICATION_KINDS["svm"])["revision"]) == {
        "classification",
        "features",
        "pooling",
    }
    assert made_by("classifier", CLASSIFICATION_KINDS["svm"]) == made_by("classifier")
