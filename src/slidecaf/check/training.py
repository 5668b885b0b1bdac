"""A short probe of training on this machine: how fast a network of a method learns from an image of the study."""

import resource
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

FEW = 8
"""Images of a batch: as fast an image as larger ones, within what an estimate can say."""


@dataclass(frozen=True)
class TrainingProbe:
    """What training a network takes on this machine.

    Attributes
    ----------
    device : str
        ``cpu`` or the GPU's name.
    start : float
        Seconds before the first epoch.
    reading : float
        Seconds that an image, or a patch, takes to be read.
    seconds : float
        For an image in an epoch.
    size : float
        Bytes of the network's file.
    memory : int
        Bytes at the peak.
    """

    device: str
    start: float
    reading: float
    seconds: float
    size: float
    memory: int


def probe_training(settings, path, *, classes, mpp=None, scene="", threads=1, tiling=None) -> TrainingProbe:
    """Train a network for a moment on copies of one image or patch; memory is that of the whole process.

    Parameters
    ----------
    settings : slidecaf.study.config.ClassificationNetwork
    path : path-like
        An image.
    classes : int
    mpp, scene : optional
        As the sheet has it.
    threads : int, optional
    tiling : mapping, optional
        Of the config, where a network learns from patches.

    Returns
    -------
    TrainingProbe

    Raises
    ------
    SlidecafError
        If the image cannot be read, or the network cannot be had: what its jobs would say.
    """
    begun = perf_counter()
    import torch

    from slidecaf.features.extraction import devices
    from slidecaf.training.checkpoint import Checkpoint
    from slidecaf.training.examples import Whole
    from slidecaf.training.images import Images
    from slidecaf.training.loop import train
    from slidecaf.training.networks import build_network, input_size_of

    torch.set_num_threads(threads)
    source = {"path": path, "mpp": mpp, "scene": scene}
    started = perf_counter()
    if tiling:
        square, reading = _patch(settings, source, tiling)
    else:
        how = {"input_size": input_size_of(settings), "grey": settings.grey, **settings.image.plain()}
        square, reading = Images(["probe"], {"probe": source}, **how).squares, perf_counter() - started
    short = settings.model_copy(update={"epochs": 1, "batch_size": FEW, "learning_rate": settings.learning_rate[:1]})
    network = build_network(settings, classes)
    size = sum(tensor.numel() * tensor.element_size() for tensor in network.model.state_dict().values())

    def timed(batches, folder, device):
        count, started = batches * FEW, perf_counter()
        train(
            lambda: network,
            Whole(
                square.expand(count, -1, -1, -1),
                [f"copy-{k}" for k in range(count)],
                [k % classes for k in range(count)],
                [False] * count,
            ),
            classes=classes,
            settings=short,
            seed="probe",
            checkpoint=Checkpoint(Path(folder) / f"{batches}", "probe"),
            device=device,
        )
        return perf_counter() - started

    with devices.device() as device, tempfile.TemporaryDirectory() as folder:
        first, one, three = (timed(batches, folder, device) for batches in (1, 2, 4))  # the first fills caches
        on_gpu = device.type == "cuda"
        return TrainingProbe(
            device=torch.cuda.get_device_name(device) if on_gpu else "cpu",
            start=perf_counter() - begun - first - one - three + max(0.0, first - one),
            reading=reading,
            seconds=max(three - one, 1e-6) / (2 * FEW),
            size=float(size),
            memory=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        )


def _patch(settings, source, tiling):
    """Return a patch of a slide as training keeps it, and the seconds that one takes of a few of an opened slide."""
    import numpy as np

    from slidecaf.features.extraction.patchwise import PatchReader
    from slidecaf.slides.hair import opened_as
    from slidecaf.tiles.grid import lay
    from slidecaf.tiles.tiling import Tiling
    from slidecaf.training.images import kept_size, shown
    from slidecaf.training.networks import input_size_of

    laid = Tiling.from_config(tiling)
    started = perf_counter()
    named = {"name": Path(source["path"]).stem, "mpp": source["mpp"], "scene": source["scene"]}
    with opened_as(source["path"], shaved=settings.image.hair_removal, **named) as slide:
        xs, ys, size, _ = lay(slide, laid)
        side = {"patch_size": laid.patch_size, "patch_size_level0": size}
        read = PatchReader(slide, input_size=kept_size(input_size_of(settings)), **side)
        places = np.stack([np.resize(xs, FEW), np.resize(ys[len(ys) // 2 :], FEW)], axis=1)
        for place in places:
            square = read(place[None])[0]
    return shown(square, settings.grey), (perf_counter() - started) / FEW
