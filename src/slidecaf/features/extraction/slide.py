"""Extraction of a job's slides by either way, as a config describes it."""

import json
from contextlib import ExitStack
from pathlib import Path

from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.extraction import dense, devices, patchwise, places, whole
from slidecaf.features.extraction.linear import Linear
from slidecaf.features.extraction.memory import ON_A_CPU, CardMemory, at_224, fitting
from slidecaf.features.extraction.pipeline import Pipeline
from slidecaf.features.manual import dense as manual_dense
from slidecaf.features.manual.encoder import ManualEncoder
from slidecaf.features.networks.encoder import load_encoder
from slidecaf.features.outputs import width_of
from slidecaf.logs import logger, progress
from slidecaf.slides import LIMITS, stain
from slidecaf.slides.hair import opened_as
from slidecaf.study.config import AUTO

JUDGED_ON = {"cuda"}
"""Types of devices on which linear models judge features where these are computed. On a CPU it would save no copy."""


class Extraction:
    """One network and its workers for all slides of a job, on a GPU where there is one; use it in a ``with`` statement.

    While a slide's last patches are computed and its file is written, the workers begin the one after it.

    Parameters
    ----------
    settings : mapping
        A feature set of the config: ``encoder`` (or ``kind: manual`` and ``tiling``), ``extraction`` and
        ``batch_size``.
    precision : {"fp32", "bf16", "fp16"}
    threads : int
        Features do not depend on it.
    max_unreadable : float
        The share, 0 to 1, of a slide's patches that may be unreadable.
    limits : slidecaf.slides.Limits, optional
    after : callable, optional
        A slide's id to the `slidecaf.features.source.Source` that comes after it, or None.
    target : slidecaf.features.source.Image, optional
        With ``image: stain``, what the slides are made to look like.
    models : (ndarray of float64, shape (M, D), ndarray of float64, shape (M,)), optional
        Weights and intercepts of linear models that patches are extracted for. On a GPU they judge features there.

    Attributes
    ----------
    encoder : slidecaf.features.networks.encoder.Encoder
    judges : bool
        Whether a writer is given what `models` say, as `slidecaf.segmentation.maps.JudgedWriter` takes it, and no
        features.

    Raises
    ------
    SlidecafError
        If the network cannot be had or run like this, or the target's stain cannot be fitted.
    """

    def __init__(
        self,
        settings,
        precision,
        *,
        threads,
        max_unreadable,
        limits=LIMITS,
        after=lambda slide: None,
        target=None,
        models=None,
    ):
        self._settings, self._precision, self._threads = settings, precision, threads
        self._max_unreadable, self._limits, self._after = max_unreadable, limits, after
        self._stain, self._target = settings.get("image", {}).get("stain"), target
        self._shaved = settings.get("image", {}).get("hair_removal", False)
        self._begun, self._fitted, self._models = {}, {}, models

    def __enter__(self):
        with ExitStack() as opened:
            if self._stain:
                self._wanted = self._fit_target()
            if self._settings.get("kind") == "manual":
                self.encoder = ManualEncoder(self._settings["tiling"]["patch_size"])
            else:
                device = opened.enter_context(devices.device())
                how = {"precision": self._precision, "compiles": self._settings.get("compile", False)}
                self.encoder = load_encoder(self._settings["encoder"], device=device, **how)
            opened.callback(self._forget)
            device = self.encoder.device
            self.judges = self._models is not None and device.type in JUDGED_ON
            memory = CardMemory(device) if device.type == "cuda" else None
            self._fit(memory)
            head = Linear(*self._models, device) if self.judges else None
            self._pipeline = opened.enter_context(Pipeline(self._threads, device, head=head))
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *error):
        return self._opened.__exit__(*error)

    def extract(self, source, writer) -> None:
        """Run the network over all patches of a slide.

        Parameters
        ----------
        source : slidecaf.features.source.Source
        writer : slidecaf.features.file.FeatureWriter or slidecaf.segmentation.maps.ConfidenceWriter
            What becomes of the features; where `judges` is true, a `slidecaf.segmentation.maps.JudgedWriter`.

        Raises
        ------
        SlideError
            If the slide, or too much of it, cannot be read.
        SlidecafError
            If features are not numbers, or the network cannot be run like this.
        """
        begun = self._begun.pop(source.name, None) or _Begun(self, source)
        with begun as write, progress(len(source.coords), source.name) as advance:
            unreadable = write(writer, max_unreadable=self._max_unreadable, advance=advance)
        share = writer.nonzero / max(1, (len(source.coords) - unreadable) * width_of(self.encoder.dimension))
        logger.info("%s: %.1f %% of values are not zero (the paper: 13.3 %%)", source.name, 100 * share)
        if unreadable:
            logger.warning("%s: %d of %d patches cannot be read", source.name, unreadable, len(source.coords))

    def extract_whole(self, images):
        """Run the network over whole images, `image` of the settings saying how they fit into its input.

        Parameters
        ----------
        images : sequence of slidecaf.features.source.Image

        Yields
        ------
        image, features, seen
            As `slidecaf.features.extraction.whole.extract` does.
        """
        settings = {"fit": self._settings["image"]["fit"], "batch_size": self.images_together(len(images))}
        with progress(len(images), "whole slides", unit="images") as advance:
            for done in whole.extract(images, self.encoder, self._pipeline, opened=self.open, **settings):
                yield done
                advance(1)

    def extract_places(self, images):
        """Run the network over images at several scales; every place of its map is a row.

        Parameters
        ----------
        images : sequence of slidecaf.features.source.Image

        Yields
        ------
        image, features, seen, scale, box
            As `slidecaf.features.extraction.places.extract` does.
        """
        settings = {"fit": self._settings["image"]["fit"], "scales": self._settings["encoder"].get("scales", [1])}
        with progress(len(images), "places", unit="images") as advance:
            for done in places.extract(images, self.encoder, self._pipeline, opened=self.open, **settings):
                yield done
                advance(1)

    def images_together(self, count) -> int:
        """Return how many whole images go through the network together, where so many are left to do.

        Batches of images are filled up: what fits into a GPU is more than a small collection has.
        """
        return min(self._together, 1 << max(0, count - 1).bit_length()) if self._found else self._together

    def _fit(self, memory):
        """Find out how much goes through the network together: no more px than of `batch_size` at 224 px.

        What a GPU holds is looked at once a job, so that its slides are treated alike.
        """
        count, manual = self._settings["batch_size"], isinstance(self.encoder, ManualEncoder)
        self._found = bool(count == AUTO and memory and self._settings["extraction"] == "patchwise")
        if self._found:
            self._together = fitting(self.encoder, memory)
        else:
            count = ON_A_CPU if count == AUTO else count
            self._together = count if manual else at_224(count, self.encoder.input_size)
        self._layer_bytes = dense.layer_bytes(memory.free()) if memory else dense.LAYER_BYTES

    def begin(self, source, slide):
        """Give the workers a slide's first patches; return what ends it, as `patchwise.begin` and `dense.begin` do."""
        tiles, patch_size = source.tiles, int(source.tiles["patch_size"])
        common = {"patch_size": patch_size, "ahead": lambda: self._begin_after(source.name)}
        if self._settings["extraction"] == "dense":
            own = {"stride": int(tiles["stride"]), "stride_level0": float(tiles["stride_level0"])}
            if isinstance(self.encoder, ManualEncoder):
                return manual_dense.begin(slide, source.coords, self._pipeline, **common, **own)
            own["layer_bytes"] = self._layer_bytes
            return dense.begin(slide, source.coords, self.encoder, self._pipeline, **common, **own)
        own = {"patch_size_level0": int(tiles["patch_size_level0"]), "batch_size": self._together}
        return patchwise.begin(slide, source.coords, self.encoder, self._pipeline, **common, **own)

    def open(self, source):
        """Open a source's slide, its colours as the network is to see them."""
        with ExitStack() as opened:
            slide = opened.enter_context(self._open(source))
            if self._stain:
                self._fitted[source.name] = stain.normalise(slide, self._wanted, self._stain["method"])
            opened.pop_all()
        return slide

    def said_of(self, slide) -> dict:
        """Return what a slide's features say of its stain, as attributes; nothing where colours are left alone."""
        if not self._stain:
            return {}
        fitted, wanted = stain.described(self._fitted[slide]), stain.described(self._wanted)
        own = {"method": self._stain["method"], "target": self._target.name, "from": fitted, "to": wanted}
        return {"stain": json.dumps(own, sort_keys=True)}

    def _fit_target(self):
        """Fit the target; that it cannot be is no fault of the slides, and leaves none of them out."""
        if Path(self._target.path).suffix == stain.FIT:
            return stain.read_fit(self._target.path, self._stain["method"])
        try:
            with self._open(self._target) as slide:
                return stain.fit(slide, self._stain["method"])
        except SlideError as error:
            raise SlidecafError(f"image.stain.target: {error} Or name another target.") from error

    def _open(self, source):
        named = {"name": source.name, "mpp": source.mpp, "scene": source.scene}
        return opened_as(source.path, shaved=self._shaved, limits=self._limits, **named)

    def _begin_after(self, slide):
        try:
            source = self._after(slide)
        except SlidecafError:  # of that slide's own tiles: it is raised again at its turn
            return
        if source is not None:
            self._begun[source.name] = _Begun(self, source)

    def _forget(self):
        """Close slides that were begun and never asked for, once no worker reads any more."""
        for begun in self._begun.values():
            begun.close()


class _Begun:
    """A slide that workers have begun; what went wrong over it is raised where it is asked for, as it is its own."""

    def __init__(self, extraction, source):
        self._opened, self._wrong = ExitStack(), None
        try:
            slide = self._opened.enter_context(extraction.open(source))
            self._write = extraction.begin(source, slide)
        except Exception as error:
            self._wrong = error

    def __enter__(self):
        if self._wrong:
            self.close()
            raise self._wrong
        return self._write

    def __exit__(self, *error):
        self.close()

    def close(self):
        self._opened.close()
