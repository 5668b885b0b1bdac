"""Write the reference pages that have their source elsewhere: config keys and columns, commands, the library.

Run it with .venv/bin/python docs/make_reference.py. docs/reference/config.md and the JSON schema of a config
are kept in git, and a test holds them against the models; the others are made with the site (`make docs`) and are not
kept.
"""

import argparse
import ast
import importlib
import json
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
SCHEMA = ROOT / "src" / "slidecaf" / "study" / "config.schema.json"
PLACEHOLDERS = {"features": "NAME", "methods": "NAME", "outputs": "OUTPUT"}
SECTIONS = ("Parameters", "Returns", "Yields", "Raises", "Attributes", "Notes")
ORDER = [
    *("errors", "logs", "files", "study", "slides", "tiles", "features", "pooling", "scores", "classification"),
    *("segmentation", "report", "viewer", "exchange", "check", "running"),
]
"""Packages in the order in which data flows; all others follow by name."""


def config_page():
    """Return the page of config keys and of the sheets' columns, from the models."""
    from slidecaf.study.columns import COLUMNS
    from slidecaf.study.config import json_schema

    schema = json_schema()
    lines = [
        "# Config keys",
        "",
        "Generated from `slidecaf.study.config` by `docs/make_reference.py`. `-` is a key that may be left out and has",
        "no default. `slidecaf check` holds a config against this list; `src/slidecaf/study/config.schema.json` is the",
        "same for editors.",
        "",
    ]
    lines += _keys(schema, schema, "")
    for task, columns in COLUMNS.items():
        lines += ["", f"## Columns of the {task} sheet", "", "| column | default | |", "| --- | --- | --- |"]
        lines += [
            f"| `{column.name}` | {'needed' if column.needed else 'empty'} | {_cell(column.description)} |"
            for column in columns
        ]
    return "\n".join(lines) + "\n"


def _keys(part, schema, prefix):
    """Return a table of the keys that hold values, and below it the tables of those that hold further keys."""
    rows, below = [], []
    for key, inner in part["properties"].items():
        path = f"{prefix}{key}"
        named = f"{path}.{PLACEHOLDERS[key]}" if "additionalProperties" in inner else path
        mappings = _mappings(inner.get("additionalProperties", inner), schema)
        if not mappings:
            default = f"`{_value(inner['default'])}`" if "default" in inner else "-"
            needed = "needed" if key in part.get("required", []) else default
            rows.append(f"| `{key}` | {needed} | {_cell(inner['description'])} |")
        for mapping in mappings:
            of_kind = f", kind `{_kind(mapping)}`" if len(mappings) > 1 else ""
            said = mapping["description"] if of_kind else inner["description"]
            default = f" Default: `{_value(inner['default'])}`." if "default" in inner else ""
            below += ["", f"## `{named}`{of_kind}", "", said + default, "", *_keys(mapping, schema, f"{named}.")]
    return [*(["| key | default | |", "| --- | --- | --- |", *rows] if rows else []), *below]


def _mappings(part, schema):
    """Return the models that a key may hold: one, one of each kind, or none."""
    references = [one["$ref"] for one in (part, *part.get("oneOf", ()), *part.get("anyOf", ())) if "$ref" in one]
    return [schema["$defs"][reference.rpartition("/")[2]] for reference in references]


def _kind(mapping):
    return mapping["properties"]["kind"]["const"]


def config_schema():
    """Return the JSON schema of a config, as it is shipped for editors."""
    from slidecaf.study.config import json_schema

    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


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
    if not SCHEMA.is_file() or SCHEMA.read_text(encoding="utf-8") != config_schema():
        SCHEMA.write_text(config_schema(), encoding="utf-8")
    (REFERENCE / "commands.md").write_text(commands_page(), encoding="utf-8")
    for name, text in library_pages().items():
        (REFERENCE / "library" / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
