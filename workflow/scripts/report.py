"""Put everything that is known of the study on one page."""

from slidecaf.logs import job, logger
from slidecaf.report import write_report

with job(snakemake.log[0]):
    size = write_report(snakemake.output[0], **snakemake.params.untracked)
    logger.info("%.1f MB", size / 1e6)
