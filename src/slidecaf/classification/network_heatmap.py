"""Which patches speak for a diagnosis, of a network that learns from patches: by how much two probabilities differ.

A slide's probability of a class is the mean of its patches', so that the difference between two classes' is the mean
of the patches' own differences: patch i adds (p_i(for) - p_i(against)) / N. Over patches that sums to the difference
between the slide's probabilities, by whose sign it is decided.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from scipy.special import softmax

from slidecaf.classification.folds import judging_part
from slidecaf.classification.heatmap import PROBABILITY, put_heatmap
from slidecaf.classification.network import load_networks, open_pixels, passing
from slidecaf.errors import SlideError
from slidecaf.features.extraction.devices import device
from slidecaf.files.manifests import file_of, make_batch, slide_files
from slidecaf.files.tables import read_json, read_tsv
from slidecaf.logs import logger, progress
from slidecaf.study.config import classification_method
from slidecaf.study.status import STATUS_UNREADABLE
from slidecaf.tiles.file import read_tiles
from slidecaf.training.loop import logits_of


def differences(logits, classes: Sequence[str]) -> tuple[str, str, np.ndarray]:
    """Return by how much patches speak for a class and against another one.

    Parameters
    ----------
    logits : ndarray of float, shape (n, K)
        The softmax's inputs of a slide's patches.
    classes : sequence of str, K of them

    Returns
    -------
    against, speaks_for : str
        Two classes: negative and positive. More: of the slide's mean probabilities the second largest and the largest.
    values : ndarray of float64, shape (n,)
        Each patch's probability of the second less that of the first, from -1 to 1.

    Examples
    --------
    >>> against, speaks_for, values = differences(np.log([[0.2, 0.8], [0.6, 0.4]]), ["LGG", "GBM"])
    >>> against, speaks_for, values.round(4)
    ('LGG', 'GBM', array([ 0.6, -0.2]))
    """
    probabilities = softmax(np.asarray(logits, np.float64), axis=1)
    against, speaks_for = 0, 1
    if len(classes) > 2:
        speaks_for, against = np.argsort(-probabilities.mean(axis=0), kind="stable")[:2]
    return classes[against], classes[speaks_for], probabilities[:, speaks_for] - probabilities[:, against]


def write_network_heatmaps(
    manifest,
    slides: Mapping[str, Mapping],
    settings: Mapping,
    *,
    tiles: Sequence,
    folds,
    models: Mapping,
    networks: Mapping,
    paths: Mapping,
    limits: Mapping,
    on_bad_slide: str,
    max_unreadable: float = 0.0,
    threads: int = 1,
) -> None:
    """Share networks' decisions on some slides out among their patches, each by the network that never saw its slide.

    Each slide's file is as `slidecaf.classification.heatmap.put_heatmap` writes it, with the patches of its tiles file.
    Its attribute ``of`` is ``probability``, ``confidence`` the difference between the slide's probabilities, and
    ``intercept`` is 0.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to its ``digest``, ``mpp`` and ``scene``.
    settings : mapping
        ``revision`` and ``versions``.
    tiles : sequence of path-like
        The manifest of the batch's tiles.
    folds : path-like
        The table of folds. A slide that stands there is judged by the part that holds it out, any other by ``final``.
    models, networks : mapping of str to path-like
        Part to ``model.json`` and ``network.safetensors``.
    paths : mapping of str to path-like
        Slide to its file.
    limits : mapping
        ``max_megapixels`` and ``max_decoded_megapixels`` of the config.
    on_bad_slide : {"fail", "exclude"}
        Whether a slide that cannot be read is an error, or has a file without patches.
    max_unreadable : float, optional
        The share, 0 to 1, of a slide's patches that may be unreadable.
    threads : int, optional

    Raises
    ------
    SlidecafError
        After the other slides are done, if one cannot be read, or a file is damaged.
    """
    folder = Path(manifest).parent
    part_of, of_tiles = judging_part(read_tsv(folds)), slide_files(tiles)
    of_model = {part: [file_of(path), file_of(networks[part])] for part, path in models.items()}
    read = {"limits": limits, "threads": threads, "max_unreadable": max_unreadable}
    torch.set_num_threads(threads)

    with device() as on:

        @cache
        def judge(part):
            return _Judge(read_json(models[part]), networks[part], on)

        def work(slide, files, origin):
            coords, attributes = read_tiles(of_tiles[slide].path)
            found, said = np.empty(0), {}
            try:
                if len(coords):
                    found, said = judge(part_of(slide)).shared_out(slide, slides, paths, of_tiles[slide].path, **read)
            except SlideError as error:
                if on_bad_slide == "fail":
                    raise
                logger.warning("left out: %s", error)
                coords, attributes = coords[:0], {**attributes, "status": STATUS_UNREADABLE}
            put_heatmap(files["heatmap"], coords, attributes, found, said, origin=origin)

        make_batch(
            manifest,
            slides,
            work,
            outputs=lambda slide: {"heatmap": folder / f"{slide}.h5"},
            settings=settings,
            inputs=lambda slide: {"tiles": of_tiles[slide], "model": of_model[part_of(slide)]},
        )


class _Judge:
    """A part's network, and how it shares a decision out."""

    def __init__(self, stored, path, on):
        self._settings, self._classes, self._on = classification_method(stored["settings"]), stored["classes"], on
        self._network = load_networks(path, self._settings, stored)[0].to(on)

    def shared_out(self, slide, slides, paths, tiles, **read):
        """Return what each patch of a slide adds, and what the file says of all."""
        patches = open_pixels(slides, paths, self._settings, [slide], tiles={slide: tiles}, **read)
        with progress(patches.total(slide), slide) as advance:

            def judged(squares):
                advance(len(squares))
                return logits_of(self._network, squares, **passing(self._settings, self._on))

            logits, valid = patches.every(slide, judged)
        if not valid.all():
            logger.warning("%s: %d of %d patches cannot be read", slide, (~valid).sum(), len(valid))
        against, speaks_for, values = differences(logits, self._classes)
        found = np.full(len(valid), np.nan)
        found[valid] = values / len(values)
        said = {"intercept": 0.0, "confidence": float(values.mean()), "of": PROBABILITY}
        return found, {**said, "against": against, "speaks_for": speaks_for}
