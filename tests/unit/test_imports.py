"""Modules import one way, as data goes, and nothing runs in a circle."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
ORDER = [
    {"errors"},
    {"logs"},
    {"files"},
    {"study"},
    {"slides"},
    {"tiles"},
    {"features"},
    {"pooling"},
    {"scores"},
    {"training"},
    {"classification", "segmentation"},
    {"report"},
    {"viewer"},
    {"exchange"},
    {"check"},
    {"running", "demo"},
    {"commands"},
    {"cli"},
]
RANKS = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
FILES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((SOURCE / "slidecaf").rglob("*.py"))
}


@cache
def imports(module):
    """Return what a module imports anywhere in it, also in functions: modules and names of modules."""
    path, found = FILES[module], set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def room(module):
    return module.split(".")[1]


def test_every_room_has_its_place_in_the_order():
    assert {room(module) for module in FILES if module != "slidecaf"} <= set(RANKS)


@pytest.mark.parametrize("module", [module for module in FILES if module != "slidecaf"])
def test_imports_point_to_the_left(module):
    used = {room(name) for name in imports(module) if name in FILES and name != "slidecaf"} - {room(module)}
    wrong = {other for other in used if RANKS[other] >= RANKS[room(module)]}
    assert not wrong, f"{module} imports from {', '.join(sorted(wrong))}, which stands to its right"


def test_no_modules_run_in_a_circle():
    edges = {module: {name for name in imports(module) if name in FILES and name != module} for module in FILES}
    # who takes a submodule from a package needs the submodule, and the package's own imports come by themselves
    for module, names in edges.items():
        edges[module] = {name for name in names if not any(other.startswith(f"{name}.") for other in names)}
    try:
        list(TopologicalSorter(edges).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(error.args[1][::-1]))


def test_snakemake_is_imported_where_a_study_is_run_and_nowhere_else():
    users = {module for module in FILES if any(name.split(".")[0] == "snakemake" for name in imports(module))}
    assert {module for module in users if room(module) != "running"} <= {"slidecaf.commands.run"}
