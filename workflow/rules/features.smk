"""Features of each patch of each slide.

Needs   {results}/tiles/{features}/{slide}.h5, slides, the network's weights, or another program's files
Makes   {results}/encoders/{features}.json, the network looked at once: its dimension and the digest of its weights
        {results}/features/{features}/{slide}.h5, of a batch of slides
        {results}/tiles/{features}/{slide}.h5 too, where another program computed the features
"""

from slidecaf.study.names import is_weights_file
from slidecaf.study.imported import ImportedSet

SETS = {name: ImportedSet(FEATURES[name], SLIDE.values()) for name in IMPORTED}


def feature_settings(features):
    """Return what a feature set's features come of; which files are kept reruns nothing."""
    return {key: value for key, value in FEATURES[features].given().items() if key != "store"}


def dense_tiling(wildcards):
    """Return a feature set's tiling where its stride has to suit the network."""
    chosen = FEATURES[wildcards.features]
    return chosen.tiling.given() if chosen.extraction == "dense" else None


def weights_digest(wildcards):
    """Return the digest of a weights file, or nothing for weights that have a name or a seed."""
    weights = FEATURES[wildcards.features].encoder.weights
    return FINGERPRINTS(weights) if is_weights_file(weights) else ""


def kept_slides(wildcards):
    """Return the slides whose features are kept in a file."""
    return CHECKED.slides_with_features(wildcards.features) or SLIDE


def imported_from(slide, wildcards):
    """Return what the patches and features of a slide depend on; nothing stands for a file that is missing."""
    files = SETS[wildcards.features].files(slide)
    digests = [FINGERPRINTS(path) if os.path.exists(path) else "" for path in files]
    return {**slide_digest(slide, wildcards), "files": digests}


def imported_files(wildcards):
    """Return the files of each slide of a batch."""
    return {slide: SETS[wildcards.features].files(slide) for slide in batch(slides_of)(wildcards)}


rule encoder:
    output:
        LAYOUT.encoder,
    log:
        LAYOUT.log("encoder", "{features}"),
    benchmark:
        LAYOUT.benchmark("encoder", "{features}")
    wildcard_constraints:
        features=one_of(COMPUTED),
    conda:
        ENVIRONMENT
    resources:
        **EXTRACTION,
        mem_mb=memory(6000),
        runtime=minutes(30),
    params:
        tracked=tracked(
            "encoder",
            encoder=lambda wildcards: FEATURES[wildcards.features].encoder.given(),
            precision=lambda wildcards: FEATURES[wildcards.features].precision,
            weights=weights_digest,
            dense=dense_tiling,
        ),
    script:
        "../scripts/encoder.py"


rule features:
    input:
        drawn=ancient(drawn(paths(kept_slides))),
        tiles=LAYOUT.batch(LAYOUT.tiles),
        encoder=LAYOUT.encoder,
    output:
        LAYOUT.batch(LAYOUT.features),
    log:
        LAYOUT.log("features", "{features}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("features", "{features}/batch-{batch}")
    wildcard_constraints:
        features=one_of(COMPUTED),
    conda:
        ENVIRONMENT
    threads: STUDY.threads
    resources:
        **EXTRACTION,
        mem_mb=slide_memory(6000),
        runtime=minutes(30, rate=extraction_rate),
    params:
        tracked=tracked_batch(
            "features",
            LAYOUT.features,
            kept_slides,
            own=slide_digest,
            features=lambda wildcards: feature_settings(wildcards.features),
        ),
        untracked=reading(kept_slides, max_unreadable=STUDY.max_unreadable, threads=STUDY.threads),
    script:
        "../scripts/features.py"


rule imported_tiles:
    input:
        drawn=ancient(drawn(paths(slides_of))),
    output:
        LAYOUT.batch(LAYOUT.tiles),
    log:
        LAYOUT.log("imported_tiles", "{features}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("imported_tiles", "{features}/batch-{batch}")
    wildcard_constraints:
        features=one_of(IMPORTED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_patch=BYTES_A_PATCH),
        runtime=minutes(30, rate=MAPPED),
    params:
        tracked=tracked_batch(
            "imported_tiles",
            LAYOUT.tiles,
            slides_of,
            own=imported_from,
            imported=lambda wildcards: SETS[wildcards.features].described,
        ),
        untracked=reading(slides_of, sources=imported_files, first=lambda wildcards: SETS[wildcards.features].first),
    script:
        "../scripts/imported_tiles.py"


rule imported_features:
    input:
        drawn=ancient(drawn(paths(slides_of))),
        tiles=LAYOUT.batch(LAYOUT.tiles),
    output:
        LAYOUT.batch(LAYOUT.features),
    log:
        LAYOUT.log("imported_features", "{features}/batch-{batch}"),
    benchmark:
        LAYOUT.benchmark("imported_features", "{features}/batch-{batch}")
    wildcard_constraints:
        features=one_of(IMPORTED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000, a_patch=BYTES_A_PATCH),
        runtime=minutes(30, rate=MAPPED),
    params:
        tracked=tracked_batch(
            "imported_features",
            LAYOUT.features,
            slides_of,
            own=imported_from,
            imported=lambda wildcards: SETS[wildcards.features].described,
        ),
        untracked=reading(slides_of, sources=imported_files, first=lambda wildcards: SETS[wildcards.features].first),
    script:
        "../scripts/imported_features.py"
