"""Features of each patch of each slide.

Needs   {results}/tiles/{features}/{slide}.h5, slides, the network's weights, or another program's files
Makes   {results}/encoders/{features}.json, the network looked at once: its dimension and the digest of its weights
        {results}/features/{features}/{slide}.h5, of a batch of slides
        {results}/tiles/{features}/{slide}.h5 too, where another program computed the features
"""

from slidecaf.study.config import is_weights_file
from slidecaf.study.imported import find_sources

SOURCES = {name: find_sources(FEATURES[name]["imported"], SLIDE.values())[0] for name in IMPORTED}
READ = ["torch", "torchvision", "openslide-bin", "tifffile", "pillow", "h5py"]


def feature_settings(features):
    """Return all of a feature set but where its patches are, and which files are kept."""
    chosen = FEATURES[features]
    return {key: value for key, value in chosen.items() if key not in ("tiling", "store")}


def dense_tiling(wildcards):
    """Return a feature set's tiling where its stride has to suit the network."""
    chosen = FEATURES[wildcards.features]
    return chosen["tiling"] if chosen["extraction"] == "dense" else None


def weights_digest(wildcards):
    """Return the digest of a weights file, or nothing for weights that have a name or a seed."""
    weights = FEATURES[wildcards.features]["encoder"]["weights"]
    return FINGERPRINTS(weights) if is_weights_file(weights) else ""


def kept_slides(wildcards):
    """Return the slides whose features are kept in a file."""
    return CHECKED.slides_with_features(wildcards.features)


def imported_settings(wildcards):
    """Return whose files an imported feature set has, and the name of their folder; where it lies reruns nothing."""
    settings = FEATURES[wildcards.features]["imported"]
    folder = os.path.basename(os.path.normpath(settings["folder"]))
    return {"format": settings["format"], "folder": folder}


def imported_files(wildcards):
    """Return the files of each slide of a batch."""
    sources = SOURCES[wildcards.features]
    return {slide: [path.as_posix() for path in sources[slide].files] for slide in batch(slides_of)(wildcards)}


def imported_digests(wildcards):
    """Return the digests of these files; nothing for one that is missing."""
    return {
        slide: [FINGERPRINTS(path) if os.path.exists(path) else "" for path in files]
        for slide, files in imported_files(wildcards).items()
    }


def first_file(wildcards):
    """Return the first file of a feature set, to which the others are compared."""
    paths = [source.features for source in SOURCES[wildcards.features].values()]
    return next((path.as_posix() for path in paths if path.is_file()), "")


def imported_params(pattern):
    """Return the params of a rule that takes another program's files."""
    of_batch = tracked_batch(
        pattern,
        slides_of,
        ["exchange", "features", "slides", "tiles"],
        ["openslide-bin", "tifffile", "pillow", "h5py"],
        own=slide_digest,
        imported=imported_settings,
    )

    def params(wildcards):
        value, digests = of_batch(wildcards), imported_digests(wildcards)
        slides = {slide: {**own, "files": digests[slide]} for slide, own in value["slides"].items()}
        return {**value, "slides": slides}

    return params


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
            ["features", "tiles"],
            ["torch", "torchvision"],
            encoder=lambda wildcards: feature_settings(wildcards.features)["encoder"],
            precision=lambda wildcards: feature_settings(wildcards.features)["precision"],
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
    threads: STUDY["threads"]
    resources:
        **EXTRACTION,
        mem_mb=slide_memory(6000),
        runtime=extraction_minutes(30),
    params:
        tracked=tracked_batch(
            LAYOUT.features,
            kept_slides,
            ["features", "slides", "tiles"],
            READ,
            own=slide_digest,
            features=lambda wildcards: feature_settings(wildcards.features),
        ),
        untracked=untracked(
            paths=paths(kept_slides),
            limits=LIMITS,
            on_bad_slide=STUDY["on_bad_slide"],
            max_unreadable=STUDY["max_unreadable"],
            threads=STUDY["threads"],
        ),
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
        tracked=imported_params(LAYOUT.tiles),
        untracked=untracked(
            sources=imported_files,
            first=first_file,
            paths=paths(slides_of),
            limits=LIMITS,
            on_bad_slide=STUDY["on_bad_slide"],
        ),
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
        tracked=imported_params(LAYOUT.features),
        untracked=untracked(
            sources=imported_files,
            first=first_file,
            paths=paths(slides_of),
            limits=LIMITS,
            on_bad_slide=STUDY["on_bad_slide"],
        ),
    script:
        "../scripts/imported_features.py"
