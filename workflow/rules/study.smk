"""The study as it is run.

Needs   {results}/encoders/{features}.json
Makes   {results}/study.yaml: the config with its defaults filled in, and digests of weights
"""

from signal import SIGTERM

from slidecaf.running.lock import is_locked_for_us, lock_study
from slidecaf.running.snakemake_faults import handle_in_thread


rule study:
    input:
        TARGETS.encoders(),
    output:
        LAYOUT.study,
    log:
        LAYOUT.log("study", ""),
    conda:
        ENVIRONMENT
    params:
        tracked=tracked("study", study=STUDY.plain()),
    script:
        "../scripts/study.py"


LOCKS = []  # open until this process ends


onstart:
    if not is_locked_for_us("."):
        LOCKS.append(or_end(lock_study, "."))
    handle_in_thread(SIGTERM)
