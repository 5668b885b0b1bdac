"""What a run will take, by stage: patches from a survey of the slides, seconds and bytes from a probe of the machine.

Rough on purpose: it tells an hour from a night and a full disk from an empty one.
"""

from dataclasses import dataclass
from math import ceil
from types import MappingProxyType

from slidecaf.study.config import patch_sets

GIB = 2**30

BASE = 2**28
"""Of a job's memory, before its data: Python and its libraries."""

CELL_BYTES = 4
"""Of a cell of a confidence map in its file, for every model: compression takes off little (measured: 3.9)."""

PICTURE_BYTES = 24
"""Of a patch's stride in confidence map and mask, for every variant (measured on 27 sections at stride 8: 23)."""

OVERLAY_BYTES = 800_000
"""Of an overlay (measured: 0.8 MB)."""

REGIONS_A_MEGAPIXEL = 1.5
"""Seconds of a method of kind graph-rlm, whose slides come at level 0 (measured on 27 sections: 0.6, and maps)."""

IN_CONTEXT = 4
"""How many times as long a fit takes of vectors in the context of their slide, which have twice the values."""

FORWARD = 0.4
"""Of what a network takes to learn from an image: to judge it, without gradients."""

HARD_ROWS = 1.25
"""How many times as many rows the retrained models have as the plain ones: between none and half more."""


@dataclass(frozen=True)
class Stage:
    """A stage of the run.

    Attributes
    ----------
    name : str
    jobs : int
    hours : float
        On this machine, all its jobs together.
    size : float
        Bytes of what it writes.
    memory : float or None
        Bytes of a job at the peak, where known.
    """

    name: str
    jobs: int
    hours: float
    size: float = 0.0
    memory: float | None = None


def estimate(study, looks, probes, trained=MappingProxyType({}), *, job_start, cores) -> list:
    """Work out the stages of a run from nothing.

    Parameters
    ----------
    study : slidecaf.study.checked.Study
    looks : dict of str to slidecaf.check.survey.Look
        Slides that could be read.
    probes : dict of str to slidecaf.check.probe.Probe
        Feature sets that could be probed; stages of others are left out.
    trained : dict of str to slidecaf.check.training.TrainingProbe, optional
        Methods of the classification that train a network.
    job_start : float
        Seconds that a job takes before its work begins.
    cores : int
        Over which jobs that need no network are spread; networks run one after the other, as the profile for
        workstations lets them.

    Returns
    -------
    list of Stage
        In the order of the run.
    """
    stages = []
    for name, probe in probes.items():
        settings = study.config.features[name]
        computed = study.computed(name)  # once, or once a part
        slides = [slide for one in computed for slide in study.slides_of(one)]
        seen = [looks[slide] for slide in slides if _has_patches(looks, slide, name)]
        patches = sum(look.patches[name] for look in seen)
        stored = [look for look in seen if look.slide in _stored(study, name)]
        size = sum(look.patches[name] for look in stored) * probe.size
        seconds = len(seen) * (job_start + probe.start) + patches * probe.seconds
        if settings.kind == "imported":  # one job takes patches and features, without a network
            stages.append(Stage(f"imported, {name}", len(seen), seconds / cores / 3600, size, probe.memory))
        elif settings.is_whole:
            jobs = sum(len(study.shards[one]) for one in computed)
            seconds = jobs * (job_start + probe.start) + len(seen) * probe.seconds
            stages.append(Stage(f"features, {name}", jobs, seconds / 3600, size, probe.memory))
        else:
            stages.append(_tiles(study, name, looks, job_start, cores))
            stages.append(Stage(f"features, {name}", len(seen), seconds / 3600, size, probe.memory))
        if study.pools(name):
            own = [look for look in seen if look.slide in {row.slide for row in study.classification}]
            pooling = len(own) * job_start + sum(look.patches[name] for look in own) * probe.pooling
            stages.append(Stage(f"pooling, {name}", len(own), pooling / cores / 3600))
    trainers = study.config.methods("classification")
    for name in dict.fromkeys(name for one in trained for name in patch_sets(trainers[one]) if name not in probes):
        stages.append(_tiles(study, name, looks, job_start, cores))  # whose features nothing reads
    for name, probe in trained.items():
        stages.append(_training(study, name, looks, probe, job_start))
        if trainers[name].shared_out:
            stages.append(_heatmaps(study, name, looks, probe, job_start))
    for name, method in study.config.methods("segmentation").items():
        if method.kind == "graph-rlm":
            stages.append(_regions(study, name, looks, job_start, cores))
        elif method.features in probes:
            stages += _segmentation(study, name, method, looks, probes[method.features], job_start, cores)
    return stages


def _tiles(study, name, looks, job_start, cores):
    tiling = study.config.features[name].tiling
    seen = [looks[slide] for slide in study.tiled_slides(name) if _has_patches(looks, slide, name)]
    tiles = sum(job_start + _tile_seconds(look, name, tiling) for look in seen)
    return Stage(f"tiles, {name}", len(seen), tiles / cores / 3600)


def _training(study, name, looks, probe, job_start):
    """Each part learns from its own rows, but those held back, for all epochs; patience may end it before."""
    task, method = study.config.classification, study.config.methods("classification")[name]
    rows = [row for row in study.classification if row.slide in looks]
    train = [looks[row.slide] for row in rows if row.split == "train"]
    folds = len({row.fold for row in study.classification if row.split == "train"} - {None}) or task.folds
    epochs, stages = method.epochs * method.candidates, method.stages
    seconds = 2 * (folds + 1) * (job_start + probe.start)
    if features := method.patches_of:  # which every epoch reads anew; a slide is judged by all of its patches
        learned = folds * epochs * sum(min(method.patches_per_slide, look.patches[features]) for look in train)
        judged = sum(looks[row.slide].patches[features] for row in rows)
        judged += folds / method.validation * sum(look.patches[features] for look in train)
        seconds += (learned + judged) * probe.reading + (learned + FORWARD * judged) * probe.seconds
    else:
        read = len(train) * folds  # of all parts: folds - 1 of folds in each, and all in the last
        learned = stages * read * epochs  # those held back go through the network too
        seconds += stages * (read + len(rows)) * probe.reading + learned * probe.seconds
    size = stages * (folds + 1) * probe.size
    return Stage(f"training, {name}", 2 * (folds + 1), seconds / 3600, size, float(probe.memory))


def _heatmaps(study, name, looks, probe, job_start):
    """Each slide is judged once more, by all of its patches."""
    features = study.config.methods("classification")[name].patches_of
    seen = [looks[row.slide] for row in study.classification if row.slide in looks]
    jobs, patches = ceil(len(seen) / study.config.batch_size), sum(look.patches[features] for look in seen)
    seconds = jobs * (job_start + probe.start) + patches * (probe.reading + FORWARD * probe.seconds)
    return Stage(f"heat maps, {name}", jobs, seconds / 3600, memory=float(probe.memory))


def _has_patches(looks, slide, features):
    """Tell whether a slide's patches are known: not where it, or its imported file, could not be read."""
    return slide in looks and features in looks[slide].patches


def _stored(study, features):
    """Return the slides whose features are kept in a file."""
    kept = set(study.slides_of(features))
    if getattr(study.config.features[features], "store", "all") == "train":  # imported sets have no choice
        tested = {row.slide for row in study.segmentation if row.split == "test"}
        classified = features in study.config.feature_sets_of("classification")
        kept -= tested - {row.slide for row in study.classification if classified}
    return kept


def _tile_seconds(look, features, tiling):
    """Return seconds: white patches are read in full, dark ones are mostly proved by a lower level."""
    if tiling.white_above is None:
        return 0.0
    white = 1 - look.patches[features] / max(1, look.cells[features])
    return look.megapixel * look.width * look.height / 1e6 * white


def _stride(settings, look, features):
    """Return px of a patch from one patch to the next: of the tiling, or of imported files, which may differ."""
    if settings.kind == "imported":
        return look.imported[features].stride
    return settings.tiling.stride_px


def _regions(study, name, looks, job_start, cores):
    seen = [looks[row.slide] for row in study.segmentation if row.slide in looks]
    pixels = [look.width * look.height for look in seen]
    jobs = 5 * len(seen)
    seconds = jobs * job_start + sum(pixels) / 1e6 * REGIONS_A_MEGAPIXEL
    size = sum(pixels) / 64 * PICTURE_BYTES + len(seen) * OVERLAY_BYTES
    return Stage(f"regions and maps, {name}", jobs, seconds / cores / 3600, size, BASE + 40.0 * max(pixels, default=0))


def _segmentation(study, name, method, looks, probe, job_start, cores):
    features = method.features
    every = [row for row in study.segmentation if _has_patches(looks, row.slide, features)]
    train = [row for row in every if row.split == "train"]
    learned = sum(looks[row.slide].patches[features] for row in train)
    strides = {row.slide: _stride(study.config.features[features], looks[row.slide], features) for row in train}
    rows = sum(
        looks[slide].patches[features] * (stride / method.training_stride) ** 2 for slide, stride in strides.items()
    )
    groups = study.config.segmentation.folds or len({row.patient for row in train})
    values, inner = len(method.C) * len(method.context), min(method.inner_folds, max(1, groups - 1))
    wide = sum(IN_CONTEXT if context == "slide" else 1 for context in method.context)
    models = (groups * (inner + 1) + 1) * len(method.C) * wide
    variants = 2 if method.hard_examples else 1
    fits = models * rows * probe.svm * (1 + HARD_ROWS * (variants - 1))
    matrix = 2.0 * rows * HARD_ROWS * probe.dimension
    memory = BASE + min(study.config.memory * GIB, matrix * (1 + 2 * study.config.threads))
    # a training slide is mapped once for each part: by its own model, or by an inner one of another part
    mapped = learned * groups * values * variants
    largest = max((looks[row.slide].cells[features] for row in every), default=0)
    jobs = variants * (len(train) + len(every) + groups + 1)
    pixels = sum(looks[row.slide].cells[features] for row in every) * variants * PICTURE_BYTES
    maps = jobs * job_start + mapped * probe.pooling / groups + learned * variants * probe.pooling
    return [
        Stage(f"SVMs of patches, {name}", variants, (variants * job_start + fits) / 3600, 0.0, memory),
        Stage(
            f"maps and masks, {name}",
            jobs,
            maps / cores / 3600,
            mapped * CELL_BYTES + pixels + len(every) * variants * OVERLAY_BYTES,
            BASE + 8.0 * largest * values,
        ),
    ]
