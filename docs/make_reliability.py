"""Turn the tests' own results into docs/reliability.md: `python docs/make_reliability.py`, or `make reliability`.

`make test`, `make test-faults` and `make test-slurm` write what their tests promise to build/reliability/. Each has a
table of its own on the page; the table of one that was not run here stays as it is.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
SUITES = ("test", "test-faults", "test-slurm")

HEAD = """# Reliability

What slidecaf promises, the test that provokes the fault, how often it is provoked in one run of the tests, and how
often the study came out right: with the bytes of an undisturbed run, or with a clear error and all else whole.
Made by `make reliability` from the tests' own results; nothing here is written by hand.
"""


def main():
    """Write the page anew."""
    page = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    sections = {suite: section(page, suite) for suite in SUITES}
    for suite in SUITES:
        results = ROOT / "build" / "reliability" / f"{suite}.json"
        if results.is_file():
            found = json.loads(results.read_text(encoding="utf-8"))
            if found["missing"]:
                lines = [f"{test['test']}: {test['reason']}" for test in found["missing"]]
                sys.exit("\n".join([f"make {suite} did not keep every promise:", *lines]))
            sections[suite] = table(found["kept"])
    texts = [f"## make {suite}\n\n{text}" for suite, text in sections.items() if text]
    PAGE.write_text("\n".join([HEAD, *texts]), encoding="utf-8")


def section(page, suite):
    """Return the table of a suite as the page has it, or nothing."""
    found = re.search(rf"^## make {suite}\n\n((?:\|.*\n)+)", page, re.MULTILINE)
    return found[1] if found else ""


def table(kept):
    """Return a table of promises; those of one test and text are counted together."""
    counts = {}
    for row in kept:
        count = counts.setdefault((row["test"], row["promise"]), [0, 0])
        count[0] += row["provoked"]
        count[1] += row["survived"]
    lines = ["| Promise | Test | Provoked | Survived |", "|---|---|--:|--:|"]
    for (test, text), (provoked, survived) in sorted(counts.items()):
        lines.append(f"| {text.replace('|', '/')} | `{test}` | {provoked} | {survived} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
