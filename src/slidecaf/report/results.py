"""What a study is: its feature sets, its slides, and what has to be said of them."""

from functools import cached_property
from pathlib import Path

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.features.shards import read_shard
from slidecaf.files.tables import read_json
from slidecaf.files.versions import version
from slidecaf.study.batches import shard_of
from slidecaf.study.kinds import SEGMENTATION_KINDS
from slidecaf.study.layout import Layout
from slidecaf.study.provenance import read_study
from slidecaf.study.status import STATUS_OK
from slidecaf.study.steps import STEPS
from slidecaf.tiles.file import read_region, read_tiles, read_tissue

PACKAGES = ("slidecaf", "snakemake", *sorted({library for _, libraries in STEPS.values() for library in libraries}))
"""What the page says the versions of: the libraries that rules depend on, and who runs them."""


class Results:
    """The results folder of a finished study.

    Parameters
    ----------
    results : path-like

    Attributes
    ----------
    layout : slidecaf.study.layout.Layout
    config : dict
        As used, defaults filled in.

    Raises
    ------
    SlidecafError
        If there is no ``study.yaml``, or another version wrote it.
    """

    def __init__(self, results):
        path = Path(Layout(str(results)).study)
        if not path.is_file():
            raise SlidecafError(f"{path} is missing: run the study before its report.")
        self.text, self.config = path.read_text(encoding="utf-8"), read_study(path)
        self.layout = Layout(str(results), self.config.model)
        self._tiles, self._shards = {}, {}

    def methods(self, task) -> dict:
        """Return the methods of a task, name to settings; empty where the study has no such task."""
        return self.config.methods(task)

    def tiles(self, features, slide) -> tuple[np.ndarray, dict]:
        """Return where a slide's patches are, as `slidecaf.tiles.file.read_tiles` does; a file is read once.

        The attributes have ``region`` too: whether the slide has a region of interest.
        """
        key = features, slide
        if key not in self._tiles:
            path = self.layout.tiles.format(features=features, slide=slide)
            coords, attributes = read_tiles(path)
            self._tiles[key] = coords, {**attributes, "region": read_region(path) is not None}
        return self._tiles[key]

    def is_whole(self, features) -> bool:
        """Tell whether a feature set takes the whole slide as one patch; it has no tiles then."""
        return self.config.features[features].is_whole

    def patches(self, features) -> dict:
        """Return where the patches of a feature set are, as `feature_sets` says it."""
        return _where(self.config.features[features].tiling)

    def image(self, features, slide):
        """Return what a shard says of a whole slide, as `slidecaf.features.shards.read_shard` does without vectors."""
        number = shard_of(slide, self.config.features[features].shards)
        path = self.layout.shard.format(features=features, shard=number)
        if path not in self._shards:
            self._shards[path] = read_shard(path, features=False)
        return self._shards[path][slide]

    def cells(self, method, slide) -> tuple[np.ndarray, dict]:
        """Return where a slide's cells are, as `tiles` does, of a method of the segmentation.

        Parameters
        ----------
        method, slide : str

        Returns
        -------
        coords : ndarray of int64, shape (N, 2)
            None, of a method that has no feature set.
        attributes : dict
        """
        settings = self.methods("segmentation")[method]
        if settings.features:
            return self.tiles(settings.features, slide)
        key = f"segmentation/{method}", slide  # no name of a feature set
        if key not in self._tiles:
            pattern = getattr(self.layout, SEGMENTATION_KINDS[settings.kind].cells)
            self._tiles[key] = read_tiles(pattern.format(method=method, slide=slide))
        return self._tiles[key]

    def tissue(self, features, slide):
        """Return where a slide has tissue, as `slidecaf.tiles.file.read_tissue` does; None where nobody looked."""
        settings = self.config.features[features]
        if settings.kind == "imported" or settings.is_whole or not settings.tiling.tissue:
            return None
        return read_tissue(self.layout.tiles.format(features=features, slide=slide))

    def thumbnail(self, slide) -> Path:
        """Return the path of a slide's small picture."""
        return Path(self.layout.thumbnail.format(slide=slide))

    @cached_property
    def encoders(self) -> dict:
        """Feature set to what its network is, of those that a method uses; where each part has one, the final one."""
        return {
            name: read_json(self.layout.encoder.format(features=name))
            for name in self._used
            if self.config.features[name].kind == "network"
        }

    @property
    def _used(self):
        used = {*self.config.feature_sets_of("classification"), *self.config.feature_sets_of("segmentation")}
        return [name for name in self.config.features if name in used]

    def feature_sets(self) -> list:
        """Describe the feature sets that are used.

        Returns
        -------
        list of dict
            name (of one of several outputs ``set/output``), kind, patch_size, stride, unit, white_above, tissue,
            min_tissue, edge, mpp, extraction; stain where colours are normalised, and hair_removal where hair is drawn
            over. Of one that a network computes model, layer, weights, weights_sha256, dimension, input_size and
            precision too. Of one that takes whole slides fit instead of what says where patches are. Of one that
            another program computed: name and imported, the program.
        """
        rows = [
            {"name": name, "imported": settings.format.upper()}
            for name, settings in self.config.features.items()
            if settings.kind == "imported"
        ]
        for name in self._used:
            settings = self.config.features[name]
            if settings.kind == "imported":
                continue
            where = {"fit": settings.image.fit} if settings.is_whole else _where(settings.tiling)
            said = {"name": name, "kind": settings.kind, **where, "extraction": settings.extraction}
            said |= {"stain": settings.image.stain.plain()} if settings.image.stain else {}
            said |= {"hair_removal": True} if settings.image.hair_removal else {}
            if settings.kind == "network":
                encoder = self.encoders[name]
                said |= {key: encoder[key] for key in ("model", "weights", "weights_sha256", "input_size")}
                said |= {"weights": settings.encoder.weights} if settings.trained_by else {}
                said |= {"precision": encoder.get("precision", settings.precision)}
                if settings.outputs:
                    rows += [
                        {**said, "name": f"{name}/{output}", "dimension": encoder["dimension"][output], **one.plain()}
                        for output, one in settings.encoder.outputs.items()
                    ]
                    continue
                said |= {key: encoder[key] for key in ("layer", "dimension")}
                said |= {"map": settings.encoder.map or "average", "scales": settings.encoder.scales}
            rows.append(said)
        return rows

    def slide_warnings(self, features, slide, *, patches=None) -> list:
        """Say what is odd about a slide.

        Parameters
        ----------
        features : str
            The feature set whose tiles are looked at.
        slide : str
        patches : int, optional
            How many of them could be used.

        Returns
        -------
        list of str
        """
        if self.is_whole(features):
            status = self.image(features, slide).status
            return [] if status == STATUS_OK else [status]
        return warnings_of(*self.tiles(features, slide), patches=patches)

    def slide_files(self) -> list:
        """Describe the slides that were read.

        Returns
        -------
        list of dict
            slide, digest (of size and both ends of the file, not of all of it), width and height in px of level 0 and
            mpp; None where the slide could not be read.
        """
        rows = {}
        for (_, slide), (_, attributes) in sorted(self._tiles.items()):
            known = {key: attributes.get(f"level0_{key}") for key in ("width", "height", "mpp")}
            rows[slide] = {"slide": slide, "digest": str(attributes.get("slide_digest", "")), **known}
        images = {slide: image for shard in self._shards.values() for slide, image in shard.items()}
        for slide, image in sorted(images.items()):
            known = {key: getattr(image, f"level0_{key}") or None for key in ("width", "height", "mpp")}
            rows.setdefault(slide, {"slide": slide, "digest": image.slide_digest, **known})
        return list(rows.values())

    def resolution_warning(self, features, slides) -> list:
        """Say where slides have no resolution, or different ones, while sizes count in px of level 0.

        Parameters
        ----------
        features : str
        slides : sequence of str

        Returns
        -------
        list of str
        """
        settings = self.config.features[features]
        if settings.kind == "imported" or settings.is_whole or settings.tiling.mpp:
            return []
        return mixed_resolutions(
            features,
            [self.tiles(features, slide)[1] for slide in slides],
            said="are cut in pixels of level 0, so that a patch shows more tissue on some than on others; set "
            "tiling.mpp to cut all at one resolution.",
        )


def warnings_of(coords, attributes, *, patches=None) -> list:
    """Say what is odd about a slide; as `Results.slide_warnings`.

    Parameters
    ----------
    coords : ndarray of int64, shape (N, 2)
    attributes : mapping
        Both from `Results.tiles` or `Results.cells`.
    patches : int, optional

    Returns
    -------
    list of str
    """
    status = str(attributes["status"])
    if status != STATUS_OK:
        return [status]
    said = ["looked at in its region of interest alone"] if attributes.get("region") else []
    if patches is not None and patches < len(coords):
        said.append(f"{len(coords) - patches} of {len(coords)} patches unreadable")
    if 0 < len(coords) < 5:
        said.append(f"only {len(coords)} patch{'es' if len(coords) > 1 else ''}")
    return said


def mixed_resolutions(name, attributes, *, said) -> list:
    """Say where slides have no resolution, or different ones, while sizes count in px of level 0.

    Parameters
    ----------
    name : str
        Of the feature set or method.
    attributes : sequence of mapping
        Of each slide, from `Results.tiles` or `Results.cells`.
    said : str
        What that does, as the rest of a sentence on the slides.

    Returns
    -------
    list of str
    """
    stated = [float(one.get("level0_mpp", np.nan)) for one in attributes]
    known, found = [value for value in stated if np.isfinite(value)], []
    if known and len(known) < len(stated):
        found.append(f"{name}: {len(stated) - len(known)} of {len(stated)} slides state no resolution.")
    if known and max(known) > 1.2 * min(known):
        found.append(f"{name}: slides of {min(known):.3g} to {max(known):.3g} µm a pixel {said}")
    return found


def _where(tiling):
    """Say where patches are."""
    unit = f"px at {tiling.mpp} µm" if tiling.mpp else "px of level 0"
    keys = ("patch_size", "white_above", "tissue", "min_tissue", "edge", "mpp")
    return {"stride": tiling.stride_px, "unit": unit, **{key: getattr(tiling, key) for key in keys}}


def package_versions(further=()) -> dict:
    """Return the packages that decide what result files hold, name to version.

    Parameters
    ----------
    further : iterable of str, optional
        Those that this study alone needs, such as timm.

    Returns
    -------
    dict of str to str
    """
    return {name: version(name) for name in (*PACKAGES, *further)}
