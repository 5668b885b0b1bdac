"""docs/reliability.md lists what the tests promise, and nothing else."""

import ast
import json
import re
import subprocess
import sys


def promising_tests(repository):
    """Return test to the promises that stand in it as plain text."""
    found = {}
    for path in sorted((repository / "tests").rglob("test_*.py")):
        for function in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(function, ast.FunctionDef) and "promise" in [own.arg for own in function.args.args]:
                calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
                texts = [call.args[0].value for call in calls if getattr(call.func, "id", "") == "promise"]
                found[f"{path.relative_to(repository).as_posix()}::{function.name}"] = set(texts)
    return found


SUITES = {"tests/faults/": "## make test-faults", "tests/slurm/": "## make test-slurm"}


def test_the_page_lists_exactly_the_promises_that_the_tests_make(repository):
    listed, page = {}, (repository / "docs/reliability.md").read_text(encoding="utf-8")
    unlisted = tuple(folder for folder, title in SUITES.items() if title not in page)
    for line in page.splitlines():
        if row := re.fullmatch(r"\| (.*) \| `(.*)` \| \d+ \| \d+ \|", line):
            listed.setdefault(row[2], set()).add(row[1])
    promising = {test: texts for test, texts in promising_tests(repository).items() if not test.startswith(unlisted)}
    assert listed == promising, "run make test, test-faults, test-slurm, then make reliability"


def test_results_of_tests_become_a_table_and_other_tables_stay(repository, tmp_path):
    (tmp_path / "docs").mkdir()
    script = tmp_path / "docs/make_reliability.py"
    script.write_text((repository / "docs/make_reliability.py").read_text())
    other = "| Promise | Test | Provoked | Survived |\n|---|---|--:|--:|\n| other | `u::v` | 3 | 3 |\n"
    (tmp_path / "docs/reliability.md").write_text(f"# Reliability\n\n## make test-slurm\n\n{other}")
    results = tmp_path / "build/reliability/test.json"
    results.parent.mkdir(parents=True)
    kept = [{"test": "t::a", "promise": "p", "provoked": 2, "survived": count} for count in (2, 1)]
    results.write_text(json.dumps({"kept": kept, "missing": []}))
    subprocess.run([sys.executable, script], check=True)
    page = (tmp_path / "docs/reliability.md").read_text()
    assert "| p | `t::a` | 4 | 3 |" in page
    assert other in page
    subprocess.run([sys.executable, script], check=True)
    assert (tmp_path / "docs/reliability.md").read_text() == page
    results.write_text(json.dumps({"kept": kept, "missing": [{"test": "t::b", "reason": "Skipped: no root"}]}))
    refused = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert "t::b: Skipped: no root" in refused.stderr
    assert (tmp_path / "docs/reliability.md").read_text() == page
