"""The report: everything that is known of a study on one page, which works from disk and by mail.

It reads result files only: no slide, no sheet, no config but the one in the results. What it shows of timings differs
from run to run, and so do its bytes.
"""

from slidecaf.report.page import write_report

REVISION = 1
"""Of the values that this package computes: a whole number, raised where they change."""

__all__ = ["write_report"]
