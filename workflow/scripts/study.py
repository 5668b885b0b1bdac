"""Write the config as used, with its defaults filled in."""

import yaml

from slidecaf.logs import job
from slidecaf.store import atomic
from slidecaf.versions import version

with job(snakemake.log[0]), atomic(snakemake.output[0]) as partial:
    text = yaml.safe_dump(dict(snakemake.params.study), sort_keys=False, allow_unicode=True)
    partial.write_text(f"# as run by slidecaf {version()}, defaults filled in\n{text}", encoding="utf-8")
