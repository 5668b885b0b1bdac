"""Tiles and values of a study's slides and layers, with what is open kept within bounds."""

import functools
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from slidecaf.classification.evidence import SIDES
from slidecaf.classification.heatmap import read_heatmap
from slidecaf.errors import SlidecafError
from slidecaf.files.tables import read_json
from slidecaf.slides import open_slide
from slidecaf.slides.ramp import nice_scale
from slidecaf.viewer import fields, paint
from slidecaf.viewer.boxes import box_outlines
from slidecaf.viewer.catalogue import hard_examples, patches
from slidecaf.viewer.layer_files import (
    CACHE_BYTES,
    DrawnRaster,
    PatchRaster,
    RegionRaster,
    SheetMask,
    TiffRaster,
    TissueRaster,
)
from slidecaf.viewer.leases import Leases
from slidecaf.viewer.slide_tiles import SlidePyramid
from slidecaf.viewer.versions import files_version
from slidecaf.viewer.zoom import reductions, tile_box

SLIDES_BYTES = 2**30
"""What open slides may hold, those in use aside."""

FIELDS_BYTES = 2**29
"""What open maps and masks may hold, those in use aside."""

OPEN_SLIDE_BYTES = 2**27
"""What an open slide is taken to hold where it is not decoded whole: its cache."""

BOXES = 8
"""Tables of patches and of hard examples that are kept, and heat maps as files have them."""

SPEAKING, PATCH_SIDE = 8, 128
"""Patches that are listed of those that speak for a class, and of those that speak against it; px of their pictures."""

READ = {
    **{kind: kind for kind in ("confidence", "truth", "prediction", "cluster")},
    **{kind: kind for kind in ("membership", "activation", "attention")},
    "patch-score": "score",
    "heatmap": "patch",
}
"""Kinds of layers that have a value at a pixel, and what it is called."""

OUT_OF_GRID = "there is no such tile"


class Layers:
    """Draws tiles of a study.

    Parameters
    ----------
    catalogue : slidecaf.viewer.catalogue.Catalogue
    """

    def __init__(self, catalogue):
        self._catalogue = catalogue
        self._slides = Leases(SLIDES_BYTES, _slide_bytes)
        self._masks = Leases(0, lambda mask: 1)  # open for as long as a field needs them
        self._fields = Leases(FIELDS_BYTES, lambda field: field.nbytes + CACHE_BYTES)
        self._patches = functools.lru_cache(BOXES)(lambda path, version: patches(path))
        self._heats = functools.lru_cache(BOXES)(lambda path, version: read_heatmap(path))
        self._hard = functools.lru_cache(BOXES)(lambda path, version, slide: hard_examples(path, slide))

    def close(self) -> None:
        """Let go of all files."""
        for leases in (self._fields, self._masks, self._slides):
            leases.close()

    def slide(self, name) -> dict:
        """Describe a slide: ready for JSON.

        Parameters
        ----------
        name : str

        Returns
        -------
        dict

        Raises
        ------
        LookupError
            If the study has no such slide.
        SlidecafError
            If it cannot be opened, or its imported features are damaged.
        """
        row = self._catalogue.row(name)
        with self._opened(name) as pyramid:
            width, height, mpp = pyramid.width, pyramid.height, pyramid.mpp
        return {
            "slide": name,
            "width": width,
            "height": height,
            "mpp": mpp,
            "reductions": reductions(width, height),
            "version": files_version([row.path]),
            "layers": [self._described(name, layer) for layer in self._catalogue.layers(name)],
        }

    def _described(self, name, layer):
        said = {key: value for key, value in layer.items() if key != "files"}
        said["version"] = files_version(layer["files"])
        if layer["kind"] == "patches":
            said["encoder"] = self._catalogue.encoder(name, layer["features"])
        return said

    def image_tile(self, name, tile) -> tuple[str, bytes]:
        """Return a tile of a slide: media type and bytes.

        Parameters
        ----------
        name : str
        tile : (int, int, int)
            Reduction, column and row.
        """
        with self._opened(name) as pyramid:
            _check_tile(pyramid.width, pyramid.height, tile)
            return paint.encode(pyramid.tile(*tile))

    def thumbnail_version(self, name) -> str:
        """Return what changes when the file does that `thumbnail` reads.

        Raises
        ------
        LookupError
            If the study has no such slide.
        """
        return files_version([self._thumbnail(name)])

    def thumbnail(self, name) -> tuple[str, bytes]:
        """Return a slide made small: media type and bytes.

        It is the file that the workflow made for the report; before that, and of slides that need none, the slide's
        coarsest tile.

        Parameters
        ----------
        name : str
        """
        path = self._thumbnail(name)
        if path != Path(self._catalogue.row(name).path):
            return "image/jpeg", path.read_bytes()
        with self._opened(name) as pyramid:
            return paint.encode_small(pyramid.tile(reductions(pyramid.width, pyramid.height), 0, 0))

    def _thumbnail(self, name):
        """Return the file that a slide is seen small from: its thumbnail, or the slide."""
        row = self._catalogue.row(name)
        path = Path(self._catalogue.layout.thumbnail.format(slide=name))
        return path if path.is_file() else Path(row.path)

    def layer_tile(self, name, layer, tile) -> tuple[str, bytes]:
        """Return a tile of a layer: media type and bytes.

        Parameters
        ----------
        name : str
        layer : str
            Its id.
        tile : (int, int, int)
            Reduction, column and row.
        """
        found = self._catalogue.layer(name, layer)
        self._check_ready(name, found)
        with self._opened(name) as pyramid:
            size = pyramid.width, pyramid.height
        _check_tile(*size, tile)
        if found["kind"] == "patches":
            coords, side, spacing = self._patches(found["files"][0], files_version(found["files"]))
            drawn = box_outlines(coords, side, spacing=spacing, slide=size, tile=tile)
            return paint.encode(paint.outline_tile(drawn, paint.PATCHES))
        if found["kind"] == "hard":
            return paint.encode(self._hard_tile(name, found, size, tile))
        with self._field(name, found, size) as field:
            means = field.tile(*tile)
            if found["kind"] in ("confidence", "patch-score", "heatmap"):
                return paint.encode(paint.confidence_tile(means, _scale(field)))
            if found["kind"] == "cluster":
                return paint.encode(paint.cluster_tile(means))
            if found["kind"] in ("membership", "activation", "attention"):
                return paint.encode(paint.membership_tile(means))
            if found["kind"] in ("foreground", "region"):
                return paint.encode(paint.veil_tile(means))
            if found["kind"] == "comparison":
                return paint.encode(paint.comparison_tile(means))
            colour = {"truth": paint.TRUTH, "tissue": paint.TISSUE}.get(found["kind"], paint.PREDICTED.fill)
            return paint.encode(paint.mask_tile(means, colour))

    def why(self, name, method) -> dict:
        """Say why a slide is called what it is; ready for JSON.

        Parameters
        ----------
        name : str
        method : str
            Of the classification.

        Returns
        -------
        dict
            ``scale`` and ``threshold``, as of `confidence`; ``patches``, how many, and ``version`` of the file; where
            there are any, ``confidence``, the mean of theirs, ``against`` and ``speaks_for``, two classes, ``of``, what
            is shared out, as `slidecaf.classification.heatmap.HeatMap` has it, ``speaking``, how many patches speak for
            the second class, and ``most``: ``for`` and ``against``, each a list of patches with x, y, w and their
            confidence as value, the strongest first.
        """
        found = self._catalogue.layer(name, f"heatmap/{method}")
        said = self.confidence(name, found["id"])
        heat = self._heat_of(found)
        said |= {"patches": len(heat.coords), "version": files_version(found["files"])}
        if not len(heat.coords):
            return said
        values, told = heat.patch_confidence, heat.attributes
        most = {
            side: [
                {"x": int(heat.coords[k, 0]), "y": int(heat.coords[k, 1]), "w": heat.size, "value": float(values[k])}
                for k in heat.speaking(SPEAKING, against=side == "against")
            ]
            for side in SIDES
        }
        said |= {"confidence": float(told["confidence"]), "speaking": int((values > 0).sum()), "most": most}
        return said | {"of": heat.of} | {key: str(told[key]) for key in ("against", "speaks_for")}

    def speaking_patch(self, name, method, side, place) -> tuple[str, bytes]:
        """Return a picture of one of the patches that `why` lists: media type and bytes.

        Parameters
        ----------
        name, method : str
        side : {"for", "against"}
        place : int
            Which of the side's, from 0.

        Raises
        ------
        LookupError
            If there is none.
        """
        found = self._catalogue.layer(name, f"heatmap/{method}")
        self._check_ready(name, found)
        heat = self._heat_of(found)
        if side not in SIDES or not place < len(chosen := heat.speaking(SPEAKING, against=side == "against")):
            raise LookupError("there is no such patch")
        x, y = map(int, heat.coords[chosen[place]])
        with self._opened(name) as pyramid:
            return paint.encode_small(np.asarray(pyramid.patch(x, y, heat.size, side=PATCH_SIDE)))

    def _heat_of(self, layer):
        path = layer["files"][0]
        return self._heats(path, files_version([path]))

    def confidence(self, name, layer) -> dict:
        """Describe a confidence map: where its colours end, and above which threshold is necrosis; ready for JSON.

        Scores of patches have no threshold.
        """
        found = self._catalogue.layer(name, layer)
        self._check_ready(name, found)
        threshold = None
        if "variant" in found:
            pattern = self._catalogue.layout.score
            path = Path(pattern.format(method=found["method"], variant=found["variant"], slide=name))
            threshold = read_json(path)["threshold"] if path.is_file() else None
        with self._opened(name) as pyramid:
            size = pyramid.width, pyramid.height
        with self._field(name, found, size) as field:
            return {"scale": _scale(field), "threshold": threshold}

    def values(self, name, method, variant, x, y) -> dict:
        """Return what lies under a pixel of level 0; ready for JSON.

        Returns
        -------
        dict
            ``confidence``, ``score`` and ``patch`` (the own confidence of patches): float, or None where no patch is;
            ``cluster``: int, or None where no patch is positive; ``membership``: a multiple of the mixture's mean, or
            None where no place is; ``activation`` and ``attention``: a share of the map's largest value; ``truth``
            and ``prediction``: bool. What the slide has not, or not yet, is left out.
        """
        with self._opened(name) as pyramid:
            size = pyramid.width, pyramid.height
        if not (0 <= x < size[0] and 0 <= y < size[1]):
            raise LookupError("beyond the slide")
        under = {}
        for layer in self._catalogue.layers(name):
            kind = layer["kind"]
            of = layer.get("method", method), layer.get("variant", variant)
            if kind in READ and layer["ready"] and of == (method, variant):
                with self._field(name, layer, size) as field:
                    values = field.at(x, y)
                value = float(values[0])
                if kind == "cluster":
                    under[kind] = int(values.argmax()) if values.max() > 0 else None
                elif kind in ("activation", "attention"):
                    under[kind] = None if value != value else value / 2
                elif kind in ("confidence", "patch-score", "heatmap", "membership"):
                    under[READ[kind]] = None if value != value else value
                else:
                    under[kind] = value > 0
        return under

    def _check_ready(self, name, layer):
        if not layer["ready"]:
            missing = ", ".join(str(path) for path in layer["files"] if not path.is_file())
            raise SlidecafError(f"{self._catalogue.item} {name}: {missing} does not exist; run the study to its end.")

    @contextmanager
    def _opened(self, name):
        row = self._catalogue.row(name)

        def make():
            slide = open_slide(row.path, name=name, mpp=row.mpp, scene=row.scene)
            return SlidePyramid(slide)

        with self._slides.lease((name, files_version([row.path])), make) as pyramid:
            yield pyramid

    @contextmanager
    def _field(self, name, layer, size):
        """Give the field of a layer: a confidence map, a mask, or a comparison."""
        with self._fields.lease(
            (name, layer["id"], files_version(layer["files"])), lambda: self._make(name, layer, size)
        ) as field:
            yield field

    def _make(self, name, layer, size):
        with ExitStack() as opened:
            rasters = []
            if layer["kind"] == "tissue":
                rasters.append(TissueRaster(layer["files"][0], width=size[0], height=size[1]))
            elif layer["kind"] == "region":
                with self._opened(name) as pyramid:
                    rasters.append(RegionRaster(layer["files"][0], pyramid))
            elif layer["kind"] in ("patch-score", "cluster", "heatmap"):
                rasters.append(PatchRaster(layer["files"][0], layer["kind"], width=size[0], height=size[1]))
            elif layer["kind"] in ("membership", "activation", "attention", "foreground"):
                rasters.append(DrawnRaster(layer["files"][0], layer["kind"], width=size[0], height=size[1]))
            elif layer["kind"] != "truth":
                rasters.append(TiffRaster(layer["files"][0]))
                opened.callback(rasters[0].close)
                if (rasters[0].width, rasters[0].height) != size:
                    raise SlidecafError(
                        f"{layer['files'][0]} has {rasters[0].width} x {rasters[0].height} px and "
                        f"{self._catalogue.item} {name} {size[0]} x {size[1]}: it is of another file; "
                        "run the study again."
                    )
            if layer["kind"] in ("truth", "comparison"):
                rasters.append(opened.enter_context(self._truth(name, size)))
            combine = {
                "confidence": fields.confidence,
                "membership": fields.confidence,
                "activation": fields.confidence,
                "attention": fields.confidence,
                "comparison": fields.comparison,
            }
            combine |= dict.fromkeys(("patch-score", "cluster", "heatmap"), fields.channels)
            return fields.Field(rasters, combine.get(layer["kind"], fields.mask), close=opened.pop_all().close)

    def _truth(self, name, size):
        row = self._catalogue.row(name)
        task = self._catalogue.config.segmentation
        settings = {key: getattr(task, key) for key in ("mask_value", "mask_channel", "mask_class")}
        with self._opened(name) as pyramid:
            settings["bounds"] = pyramid.bounds
        return self._masks.lease(
            (name, files_version([row.mask])),
            lambda: SheetMask(row, "mask", width=size[0], height=size[1], **settings),
        )

    def _hard_tile(self, name, layer, size, tile):
        table, tiles = layer["files"]
        found = self._hard(table, files_version([table]), name)
        side = self._patches(tiles, files_version([tiles]))[1]
        missed, false = (
            paint.outline_tile(box_outlines(found[kind], side, spacing=side, slide=size, tile=tile), paint.KINDS[kind])
            for kind in ("missed", "false")
        )
        return paint.over(missed, false)


def _scale(field):
    overview = field.overview()
    return nice_scale(overview[..., 0][overview[..., -1] > 0])


def _check_tile(width, height, tile):
    if tile_box(width, height, *tile) is None:
        raise LookupError(OUT_OF_GRID)


def _slide_bytes(pyramid):
    held = pyramid.width * pyramid.height * 4 if pyramid.decoded_whole else OPEN_SLIDE_BYTES
    return held + pyramid.nbytes
