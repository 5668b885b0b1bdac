"""Faults in jobs: Python runs this file first where its folder is on the path.

The folder that FAULTS names holds a file a fault, `{name}.todo`: a rule, an output of it and a deed. The process of the
script that makes this output does the deed before its first line:

hold    stay until killed, at the first attempt only; the file is renamed to `{name}.{job}`, so that a test finds it
fill:N  take N MB for some seconds, at every attempt
"""

import os
import sys
import time
from pathlib import Path


def provoke(script, faults):
    """Do what is to be done in this process."""
    for fault in sorted(faults.glob("*.todo")):
        rule, output, deed = fault.read_text().split()
        if not script.name.endswith(f".{rule}.py") or output.encode() not in script.read_bytes():
            continue
        if deed == "hold":
            fault.rename(fault.with_suffix(f".{os.environ['SLURM_JOB_ID']}"))
            time.sleep(3600)
        else:
            taken = b"x" * (int(deed.removeprefix("fill:")) * 10**6)
            time.sleep(4)
            del taken


if "FAULTS" in os.environ and sys.orig_argv[-1].endswith(".py"):
    provoke(Path(sys.orig_argv[-1]), Path(os.environ["FAULTS"]))
