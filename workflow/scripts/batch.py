"""Run a rule's script for each slide of a batch, one after the other in one process."""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, Wildcards

from slidecaf.errors import SlidecafError
from slidecaf.study.batches import for_each

params = snakemake.params
script = Path(snakemake.scriptdir) / params.script
SHARED = {key: value for key, value in params.items() if key not in ("slides", "own", "keep", "script")}


def run(slide):
    """Run the script as Snakemake would, for one slide."""
    own, log = slide["own"], slide["own"]["log"]
    stand_in = SimpleNamespace(
        wildcards=Wildcards(fromdict=own["wildcards"]),
        input=InputFiles(fromdict=own["input"]),
        output=OutputFiles(fromdict=own["output"]),
        log=Log(toclone=[log]),
        params=Params(fromdict=slide["params"]),
    )
    try:
        runpy.run_path(str(script), init_globals={"snakemake": stand_in})
    except SystemExit as end:
        if end.code:
            raise SlidecafError(f"{slide['slide']} failed, see {log}.") from None


def flat(files):
    """Return a job's files as a list."""
    return [path for value in files.values() for path in ([value] if isinstance(value, str) else value)]


slides = [
    {
        "slide": tracked["slide"],
        "inputs": flat(own["input"]),
        "outputs": flat(own["output"]),
        "own": own,
        "params": {**SHARED, **tracked["params"], **own["params"]},
    }
    for tracked, own in zip(params.slides, params.own, strict=True)
]
try:
    for_each(slides, run, keep=params.keep, depends_on=params.script)
except SlidecafError as error:
    sys.exit(str(error))
