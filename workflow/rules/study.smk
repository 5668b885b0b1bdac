"""The study as it is run.

Needs   {results}/encoders/{features}.json
Makes   {results}/study.yaml: the config with its defaults filled in, digests of code and of weights
"""

from signal import SIGTERM

from slidecaf.running.snakemake_faults import handle_in_thread


rule study:
    input:
        study_encoders,
    output:
        STUDY_FILE,
    log:
        f"{RESULTS}/logs/study.log",
    benchmark:
        f"{RESULTS}/benchmarks/study.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(15),
    params:
        study=STUDY,
        all_code=all_code,
        code=code("study.py"),
        versions=versions("slidecaf"),
    script:
        "../scripts/study.py"


LOCKS = []  # open until this process ends


onstart:
    try:
        if not is_locked_for_us("."):
            LOCKS.append(lock_study("."))
        # what runs now runs with this code: by no job, so that an edit reruns what depends on it and no more
        renew_code(STUDY_FILE, all_code(None, None))
        handle_in_thread(SIGTERM)
    except SlidecafError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
