"""Write the reference pages that have their source elsewhere: config keys and columns, commands, the library.

Run it with .venv/bin/python docs/make_reference.py. docs/reference/config.md is kept in git, and a test holds it
against the schemas; the others are made with the site (`make docs`) and are not kept.
"""

import argparse
import ast
import importlib
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
SCHEMAS = ROOT / "workflow" / "schemas"
PLACEHOLDERS = {"features": "NAME", "methods": "NAME"}
SECTIONS = ("Parameters", "Returns", "Yields", "Raises", "Attributes", "Notes")
ORDER = [
    *("errors", "logs", "versions", "config", "digests", "sheets", "study", "slides", "store", "tiling"),
    *("encoders", "extraction", "pooling", "folds", "scores", "selection", "svm", "choice", "classification"),
]
"""Modules in the order in which data flows; all others follow by name."""


def config_page():
    """Return the page of config keys and of the sheets' columns, from the schemas."""
    schema = yaml.safe_load((SCHEMAS / "config.schema.yaml").read_text(encoding="utf-8"))
    lines = [
        "# Config keys",
        "",
        "Generated from `workflow/schemas/` by `docs/make_reference.py`. `-` is a key that may be left out and has no",
        "default. `slidecaf check` holds a config against this list.",
        "",
    ]
    lines += _keys(schema, "")
    lines += ["", "## `features.NAME`, computed by another program", ""]
    lines += _keys(schema["$defs"]["imported_features"], "features.NAME.")
    for task in ("classification", "segmentation"):
        sheet = yaml.safe_load((SCHEMAS / f"{task}.schema.yaml").read_text(encoding="utf-8"))
        lines += ["", f"## Columns of the {task} sheet", "", "| column | default | |", "| --- | --- | --- |"]
        for column, part in sheet["properties"].items():
            default = "needed" if column in sheet["required"] else "empty"
            lines.append(f"| `{column}` | {default} | {_cell(part['description'])} |")
    return "\n".join(lines) + "\n"


def _keys(schema, prefix):
    """Return a table of the keys that hold values, and below it the tables of those that hold further keys."""
    rows, below = [], []
    for key, part in schema["properties"].items():
        inner = part.get("additionalProperties") if isinstance(part.get("additionalProperties"), dict) else None
        path = f"{prefix}{key}"
        if inner or "properties" in part:
            named = f"{path}.{PLACEHOLDERS[key]}" if inner else path
            table = [f"## `{named}`", "", part["description"], ""]
            if "default" in part:
                table[2] += f" Default: `{_value(part['default'])}`."
            below += ["", *table, *_keys(inner or part, f"{named}.")]
        else:
            default = f"`{_value(part['default'])}`" if "default" in part else "-"
            needed = "needed" if key in schema.get("required", []) else default
            rows.append(f"| `{key}` | {needed} | {_cell(part['description'])} |")
    return [*(["| key | default | |", "| --- | --- | --- |", *rows] if rows else []), *below]


def _value(value):
    return yaml.safe_dump(value, default_flow_style=True).splitlines()[0]


def _cell(text):
    return text.replace("|", "\\|")


def commands_page():
    """Return the page of commands, from their own help texts."""
    from slidecaf.commands import COMMANDS

    lines = ["# Commands", "", "Generated from the commands' help texts by `docs/make_reference.py`.", ""]
    for listed in COMMANDS:
        module, name = importlib.import_module(f"slidecaf.commands.{listed}"), listed.rstrip("_")
        parser = argparse.ArgumentParser(
            prog=f"slidecaf {name}",
            description=module.__doc__,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=110),
        )
        module.add_arguments(parser)
        lines += [f"## `slidecaf {name}`", "", "```text", parser.format_help().rstrip(), "```", ""]
    return "\n".join(lines)


def library_pages():
    """Return file name to page for the library: public functions and classes of every module, by their docstrings."""
    modules = {}
    for path in sorted((ROOT / "src" / "slidecaf").rglob("*.py")):
        parts = path.relative_to(ROOT / "src" / "slidecaf").with_suffix("").parts
        if "commands" not in parts and "demo" not in parts and parts[0] not in ("cli", "__init__"):
            name = ".".join(parts).removesuffix(".__init__")
            if text := _module(name, ast.parse(path.read_text(encoding="utf-8"))):
                modules[name] = text
    order = sorted(modules, key=lambda name: (_place(name), name))
    index = [
        "# The library",
        "",
        "Every step can be called from Python; no Snakemake is needed. From the docstrings.",
        "",
    ]
    index += [f"- [`slidecaf.{name}`]({name}.md): {_first(modules[name])}" for name in order]
    return {"index.md": "\n".join(index) + "\n", **{f"{name}.md": text for name, text in modules.items()}}


def _place(name):
    top = name.split(".")[0]
    return ORDER.index(top) if top in ORDER else len(ORDER)


def _first(page):
    return page.split("\n\n")[1].splitlines()[0]


def _module(name, tree):
    entries = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            entries += _entry(node, "##")
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef) and (
                        not inner.name.startswith("_") or inner.name == "__call__"
                    ):
                        entries += _entry(inner, "###", f"{node.name}.")
    return (
        "\n".join([f"# `slidecaf.{name}`", "", ast.get_docstring(tree) or "", "", *entries]) + "\n" if entries else ""
    )


def _entry(node, level, prefix=""):
    """Return a function's or class's heading, signature and docstring."""
    lines = [f"{level} `{prefix}{node.name}`", ""]
    if isinstance(node, ast.FunctionDef):
        arguments = ast.unparse(node.args)
        lines += ["```python", f"{prefix}{node.name}({re.sub('^(self|cls)(, )?', '', arguments)})", "```", ""]
    return [*lines, *_docstring(ast.get_docstring(node) or ""), ""]


def _docstring(text):
    """Turn a NumPy docstring into Markdown: a list for each section."""
    lines, result, section, i = text.splitlines(), [], None, 0
    while i < len(lines):
        if lines[i] in SECTIONS and i + 1 < len(lines) and set(lines[i + 1]) == {"-"}:
            section = lines[i]
            result += ["", f"**{section}**", ""]
            i += 2
            continue
        if section in (None, "Notes"):
            result.append(lines[i])
        elif lines[i].startswith(" "):
            result.append(f"    {lines[i].strip()}")
        elif lines[i]:
            name, _, kind = lines[i].partition(" : ")
            result.append(f"- `{name}`" + (f": {kind}" if kind else "") + "  ")
        i += 1
    return [line.replace("``", "`") for line in result]


def main():
    """Write all pages."""
    (REFERENCE / "library").mkdir(parents=True, exist_ok=True)
    (REFERENCE / "config.md").write_text(config_page(), encoding="utf-8")
    (REFERENCE / "commands.md").write_text(commands_page(), encoding="utf-8")
    for name, text in library_pages().items():
        (REFERENCE / "library" / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
