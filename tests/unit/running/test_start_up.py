"""Scripts that need no network start without torch."""

import ast
import re
import subprocess
import sys

from slidecaf.commands import COMMANDS

WITH_NETWORK = {"features", "predict", "network", "network_decisions", "network_heatmap", "activation"}


def statements(path):
    """The import statements that run when a script starts."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for statement in body:
        body += statement.body if isinstance(statement, ast.With | ast.Try | ast.If) else []
    return [ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom)]


def loaded_by(statements):
    """The modules that a fresh interpreter holds once some imports have run."""
    code = "\n".join([*statements, "import sys", "print(*sys.modules)"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_scripts_without_a_network_import_neither_torch_nor_what_is_put_off(repository):
    scripts = sorted((repository / "workflow/scripts").glob("*.py"))
    without = [script for script in scripts if script.stem not in WITH_NETWORK]
    assert len(without) == len(scripts) - len(WITH_NETWORK)
    loaded = loaded_by(line for script in without for line in statements(script))
    assert {"numpy", "slidecaf.files.hdf5"} <= loaded
    assert not {"torch", "torchvision", "sklearn", "skimage", "scipy.stats", "matplotlib", "pandas"} & loaded


def test_commands_start_without_snakemake_torch_and_numpy():
    loaded = loaded_by(["import slidecaf.cli", *(f"import slidecaf.commands.{name}" for name in COMMANDS)])
    assert "slidecaf.commands.run" in loaded
    assert not {"snakemake", "torch", "numpy", "jsonschema", "pydantic"} & loaded


def test_a_plan_of_slides_imports_neither_torch_nor_scipy(repository):
    text = "".join(path.read_text(encoding="utf-8") for path in (repository / "workflow/rules").glob("*.smk"))
    loaded = loaded_by(re.findall(r"^from slidecaf import \w+|^import slidecaf[.\w]*", text, re.MULTILINE)) | loaded_by(
        f"import {module}" for module in re.findall(r"^from (slidecaf[.\w]*) import", text, re.MULTILINE)
    )
    assert {"slidecaf.study.sheets", "slidecaf.demo"} <= loaded
    assert not {"torch", "scipy", "sklearn"} & loaded
