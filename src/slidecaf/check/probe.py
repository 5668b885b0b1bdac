"""A short probe of this machine: how fast a feature set's network is on a part of a slide, and what its files take.

The probe does what the `features` job does, on some patches where the slide has most tissue: it reads, enlarges, runs
the network, and writes. Where another program computed the features, it reads a slide's files and writes them, as the
`imported` job does. What it measures is scaled up by `slidecaf.check.estimate`.
"""

import resource
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from time import perf_counter

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.exchange.reading import read_features, read_patches
from slidecaf.features.batch import TOGETHER
from slidecaf.features.file import open_features, valid_features, write_features
from slidecaf.features.outputs import width_of
from slidecaf.features.source import Image, Source
from slidecaf.pooling.norms import Pooler
from slidecaf.slides import open_slide
from slidecaf.study.config import WHOLE
from slidecaf.study.names import is_timm, is_weights_file
from slidecaf.tiles.grid import lay
from slidecaf.tiles.tiling import Tiling

RESOLVED = 1.5
"""How many times as long as the smallest square a larger one has to take, for the difference to say something."""

SECONDS = 2.0
"""After which no larger square is extracted."""

SIDES = (8, 24, 72, 160)
"""Patches along a side of the squares that are extracted one after the other, until time is up."""

PLACES = 5
"""Candidates along each side of the slide for the place with most tissue."""

SVM_ROWS = 2000
"""Rows of the SVM that is timed."""


@dataclass(frozen=True)
class Probe:
    """What a feature set takes on this machine.

    Attributes
    ----------
    device : str
        ``cpu``, or the GPU's name; ``files`` where features are imported.
    dimension : int
        Values a patch.
    timed : int
        Patches on which the rest was measured.
    start : float
        Seconds of an extraction that do not depend on the patches.
    seconds : float
        For a patch: read, encoded where the study does that, written.
    size : float
        Bytes of a patch in the features file.
    pooling : float
        Seconds for a patch: read and pooled.
    svm : float
        Seconds for a row of one SVM of patches.
    minimum : float
        The least feature value seen.
    memory, gpu_memory : int
        Bytes at the peak.
    """

    device: str
    dimension: int
    timed: int
    start: float
    seconds: float
    size: float
    pooling: float
    svm: float
    minimum: float
    memory: int
    gpu_memory: int


def absent_weights(settings) -> str:
    """Return what would have to be downloaded first.

    Parameters
    ----------
    settings : mapping
        A feature set of the config.

    Returns
    -------
    str
        The address of published weights that are not on this machine; empty where nothing is missing.

    Raises
    ------
    SlidecafError
        If torchvision or timm has no weights of this name.
    """
    from slidecaf.features.networks.timm_networks import absent
    from slidecaf.features.networks.weights import checkpoint, torchvision_weights

    model, weights = settings["encoder"]["model"], settings["encoder"]["weights"]
    if is_weights_file(weights, model) or weights.startswith("random:"):
        return ""
    if is_timm(model):
        return absent(model, weights)
    named = torchvision_weights(model, weights)
    return "" if checkpoint(named).is_file() else named.url


def probe(settings, path, *, mpp=None, scene="", threads=1, seconds=SECONDS, target=None) -> Probe:
    """Time a feature set on a part of a slide; memory is that of the whole process.

    Parameters
    ----------
    settings : mapping
        A feature set of the config.
    path : path-like
        A slide.
    mpp, scene : optional
        As the sheet has it.
    threads : int, optional
        Of an extraction.
    seconds : float, optional
        How long to measure.
    target : mapping, optional
        As for `slidecaf.features.batch.extract_slides`.

    Returns
    -------
    Probe

    Raises
    ------
    SlidecafError
        If the network or its weights cannot be had or used like this: what its jobs would say.
    """
    start = perf_counter()  # importing torch is a good part of a short job
    from slidecaf.features.extraction import devices
    from slidecaf.features.extraction.slide import Extraction
    from slidecaf.features.networks.precision import choose_precision

    tried, target = {"batch_size": TOGETHER, **settings}, target and Image(**target)
    if settings["kind"] == "network" and absent_weights(settings):  # other weights of the same network are as fast
        tried["encoder"] = {**settings["encoder"], "weights": "random:0"}
    precision = settings.get("precision", "fp32")
    if precision == "auto":
        with devices.device() as device:
            precision = choose_precision(tried["encoder"], device=device)
    if settings["tiling"] == WHOLE:
        return _probe_whole(tried, precision, path, mpp, scene, threads, start, target)
    with (
        Extraction(tried, precision, threads=threads, max_unreadable=1.0, target=target) as extraction,
        open_slide(path, mpp=mpp, scene=scene) as slide,
        tempfile.TemporaryDirectory() as folder,
    ):
        encoder, device = extraction.encoder, extraction.encoder.device
        dimension = width_of(encoder.dimension)  # several outputs are written side by side
        start = perf_counter() - start
        part = _Part(slide, Tiling.from_config(settings["tiling"]))
        file = Path(folder) / "features.h5"

        def timed(side):
            source = Source(slide.name, path, mpp, scene, part.coords(side), part.attributes)
            begun = perf_counter()
            with write_features(file, source.coords, dimension, coords_attributes={}, attributes={}) as writer:
                extraction.extract(source, writer)
            return len(source.coords), perf_counter() - begun

        _, once = timed(SIDES[0])  # fills caches, and looks at a network that is run densely
        first, least = timed(SIDES[0])
        patches, taken = first, least
        for side in SIDES[1:]:
            if patches < len(part.coords(side)) and taken - least < seconds:
                patches, taken = timed(side)
        slope = taken / patches  # an upper bound, kept where a start and patches cannot be told apart
        if taken > RESOLVED * least:
            slope = (taken - least) / (patches - first)
        pooling, svm, minimum = _learning(file, patches, threads)
        return Probe(
            device=_name(device),
            dimension=dimension,
            timed=patches,
            start=start + max(0.0, once - least) + max(0.0, least - slope * first),
            seconds=slope,
            size=file.stat().st_size / patches,
            pooling=pooling,
            svm=svm,
            minimum=minimum,
            memory=_peak(),
            gpu_memory=_gpu_peak() if device.type == "cuda" else 0,
        )


def _probe_whole(settings, precision, path, mpp, scene, threads, start, target):
    """Time the reading of a whole slide, and a batch of the network."""
    from slidecaf.features.extraction.slide import Extraction
    from slidecaf.features.extraction.whole import square

    image, places = Image(Path(path).stem, path, mpp, scene), settings["encoder"].get("map") == "places"
    with Extraction(settings, precision, threads=threads, max_unreadable=1.0, target=target) as extraction:
        encoder, start = extraction.encoder, perf_counter() - start
        times = []
        for _ in range(2):  # the first fills caches
            begun = perf_counter()
            ((_, features, seen, *_),) = (extraction.extract_places if places else extraction.extract_whole)([image])
            times.append(perf_counter() - begun)
        if isinstance(seen, SlidecafError):
            raise seen
        begun = perf_counter()
        with extraction.open(image) as slide:
            square(slide, encoder.input_size, settings["image"]["fit"])
        reading = perf_counter() - begun
        batch = max(0.0, times[1] - reading) / (1 if places else extraction.images_together(1))
        on_cpu = encoder.device.type == "cpu"  # where each thread has an image of its own
        return Probe(
            device=_name(encoder.device),
            dimension=width_of(encoder.dimension),
            timed=1,
            start=start + times[0] - times[1],
            seconds=reading / threads + batch / (threads if on_cpu else 1),
            size=2.0 * features.size,  # before compression
            pooling=0.0,
            svm=0.0,
            minimum=float(features.min()),
            memory=_peak(),
            gpu_memory=0 if on_cpu else _gpu_peak(),
        )


def probe_imported(files, path, *, name, mpp=None, scene="", threads=1) -> Probe:
    """Time how an imported feature set is taken in, on a whole slide; memory is that of the whole process.

    Parameters
    ----------
    files : slidecaf.check.survey.ImportedFiles
    path : path-like
        The slide, which has a patch.
    name : str
        Its id, for errors.
    mpp, scene : optional
        As the sheet has it.
    threads : int, optional
        Of learning.

    Returns
    -------
    Probe

    Raises
    ------
    SlideError
        If the slide or its files cannot be taken: what its job would say.
    """
    with open_slide(path, name=name, mpp=mpp, scene=scene) as slide, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "features.h5"
        begun = perf_counter()
        patches = read_patches(files.source, slide, kind=files.kind)
        values = read_features(files.source, patches, name=name)
        count = len(values)
        with write_features(file, patches.coords, patches.dimension, coords_attributes={}, attributes={}) as writer:
            writer.append(values, np.ones(count, bool))
        seconds = (perf_counter() - begun) / count
        pooling, svm, _ = _learning(file, count, threads)
        return Probe(
            device="files",
            dimension=patches.dimension,
            timed=count,
            start=0.0,
            seconds=seconds,
            size=file.stat().st_size / count,
            pooling=pooling,
            svm=svm,
            minimum=float(values.min()),
            memory=_peak(),
            gpu_memory=0,
        )


def _learning(file, patches, threads):
    """Return seconds to read and pool a patch, seconds for a row of an SVM, and the least value of the first rows."""
    pooling, rows = _pool(file)
    return pooling / patches, _svm_seconds(rows, threads), float(rows.min())


def _peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _name(device):
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _gpu_peak():
    import torch

    return torch.cuda.max_memory_allocated()


class _Part:
    """Squares of patches around the place of a slide with most tissue."""

    def __init__(self, slide, tiling):
        self.tiling = tiling
        self.xs, self.ys, self.size, self.stride = lay(slide, tiling)
        level = slide.best_level(8.0)
        downsample = slide.levels[level].downsample
        width, height = slide.levels[level].width, slide.levels[level].height
        side = max(1, min(round(SIDES[1] * self.stride / downsample), width, height))
        places = [
            (round(x), round(y)) for x, y in product(*(np.linspace(0, of - side, PLACES) for of in (width, height)))
        ]
        tissue = [slide.read(x, y, side, side, level).min(axis=2).mean() for x, y in places]
        x, y = places[int(np.argmin(tissue))]
        self._middle = (x + side / 2) * downsample, (y + side / 2) * downsample

    @property
    def attributes(self):
        """What an extraction asks of a tiles file."""
        return {
            "patch_size": self.tiling.patch_size,
            "patch_size_level0": self.size,
            "stride": self.tiling.stride,
            "stride_level0": self.stride,
        }

    def coords(self, side):
        """Return the corners of up to side x side patches, sorted by y and then x."""
        chosen = []
        for starts, middle in zip((self.xs, self.ys), self._middle, strict=True):
            first = int(np.clip(np.searchsorted(starts, middle) - side // 2, 0, max(0, len(starts) - side)))
            chosen.append(starts[first : first + side])
        x, y = np.meshgrid(*chosen)
        return np.stack([x.ravel(), y.ravel()], axis=1)


def _pool(file):
    """Return the seconds that pooling a features file takes, and its first rows."""
    begun = perf_counter()
    with open_features(file) as features:
        pooler = Pooler([1], source=str(file))
        for block in valid_features(features):
            pooler.add(block)
        pooler.result()
        return perf_counter() - begun, features["features"][:SVM_ROWS]


def _svm_seconds(rows, threads):
    """Time SVMs on rows of features, under labels that a line through noise makes."""
    from slidecaf.segmentation.solver.patch_models import fit_left_out

    rng = np.random.default_rng(0)
    wanted = rng.integers(0, len(rows), SVM_ROWS)
    rows = (rows[wanted] + rng.normal(0, 1e-3, (SVM_ROWS, 1))).astype(np.float16)
    drawn = rows.astype(np.float32) @ rng.normal(0, 1, rows.shape[1])
    labels = drawn + rng.normal(0, drawn.std(), SVM_ROWS) > np.median(drawn)
    weights = [(np.arange(SVM_ROWS) % 4 != k).astype(np.float32) for k in range(4)]
    begun = perf_counter()
    fit_left_out(rows, labels, weights, [0.001, 0.01], threads=threads)
    return (perf_counter() - begun) / (8 * SVM_ROWS)
