"""What a study has to show: its slides with their results, and the layers of each."""

import math
import re
from pathlib import Path

import numpy as np

from slidecaf.errors import SlidecafError
from slidecaf.files.hdf5 import open_hdf5
from slidecaf.files.tables import read_json, read_tsv
from slidecaf.study.checked import check_study
from slidecaf.study.config_file import read_config
from slidecaf.study.layout import Layout
from slidecaf.tiles.file import read_tiles
from slidecaf.viewer.decisions import Decisions

VARIANTS = {"plain": "plain", "hard": "retrained with hard examples"}
"""Variants of a segmentation, and what they are."""

PATCHES = "scores and clusters of patches"
"""What a method of the classification shows of a slide, where its patches have a score."""

HEATMAP = "how much each patch speaks for the diagnosis"
"""The same of a method whose decisions are shared out."""

MEMBERSHIP = "membership of places"
ACTIVATION = "class activation map"
"""What it shows where it has foreground Fisher vectors."""


class _Anything:
    """Contains whatever is asked for: missing slides are an error when they are looked at, not before."""

    def __contains__(self, path):
        return True


class Catalogue:
    """A study in the working directory, as far as it has been run. Nothing is written to it.

    Parameters
    ----------
    made : container of str, optional
        Paths of the slides that the workflow draws, to say that they are synthetic.

    Raises
    ------
    SlidecafError
        If there is no config, or it or a sheet will not do.
    """

    def __init__(self, *, made=()):
        if not Path("config.yaml").is_file():
            raise SlidecafError(f"{Path.cwd()} has no config.yaml; name the folder of a study.")
        study = check_study(read_config("config.yaml"), made=_Anything())
        self._study = study
        self.config, self.slides, self.name = study.config, study.slides, Path.cwd().name
        self._classified, self._segmented = study.classification, study.segmentation
        self._with_masks = {row.slide: row for row in study.segmentation}
        self._with_labels = {row.slide: row for row in study.classification}
        self.layout, self._made = Layout(self.config.results, self.config.model), made
        self.decisions = Decisions(
            self.layout.predictions,
            self.methods("classification"),
            classes=study.classes,
            texts={slide: _found_by(row) for slide, row in self._with_labels.items()},
        )

    @property
    def item(self) -> str:
        """What a row of the sheet is called: as the classification says where it is the only task."""
        task, other = self.config.classification, self.config.segmentation
        return task.item_name if task and not other else "slide"

    def methods(self, task) -> dict:
        """Return the methods of a task: name to settings, empty where the task is left out."""
        return self.config.methods(task)

    def caveats(self) -> list:
        """Return what has to be said wherever the study shows: what is artificial, and what others computed."""
        sets = self.config.features
        said = [
            f"imported features ({name}): computed by {features.format.upper()}, not by slidecaf"
            for name, features in sets.items()
            if features.kind == "imported" and self._study.slides_of(name)
        ]
        random = sorted(
            name
            for name, features in sets.items()
            if features.kind == "network" and features.encoder.weights.startswith("random:")
        )
        if random:
            said.append(f"random weights: the network was never trained ({', '.join(random)})")
        if stained := sorted(
            f"{name}: {features.image.stain.method}, to {features.image.stain.target}"
            for name, features in sets.items()
            if features.kind != "imported" and features.image.stain
        ):
            said.append(f"stain normalised ({'; '.join(stained)}): features are of other colours than are shown")
        if any(row.path in self._made for row in self.slides.values()):
            said.append("synthetic slides: drawn by slidecaf.demo, no tissue")
        # what scores say, of this or other matters, is said here too
        patterns = {"classification": self.layout.scores, "segmentation": self.layout.segmentation_scores}
        paths = [Path(pattern.format(method=name)) for task, pattern in patterns.items() for name in self.methods(task)]
        for scores in (read_json(path) for path in paths if path.is_file()):
            for part in (scores, *(part for part in scores.values() if isinstance(part, dict))):
                said += part.get("caveats", [])
        kinds = [text.split(":")[0] for text in said]
        return [text for number, text in enumerate(said) if kinds.index(kinds[number]) == number]

    def summary(self) -> dict:
        """Return what the page shows of the whole study, ready for JSON."""
        shown = {
            slide: {
                **{"slide": slide, "patient": row.patient, "split": row.split, "label": "", "results": {}},
                "more": row.more,
            }
            for slide, row in sorted(self.slides.items())
        }
        for row in self._classified:
            shown[row.slide]["label"] = row.label
        views = []
        for method, settings in self.config.methods("classification").items():
            view = f"classification/{method}"
            views.append({"id": view, "task": "classification", "method": method})
            if meaning := HEATMAP if method in self.config.explained else _shown_by(settings):
                views[-1]["meaning"] = meaning
            self._predictions(shown, view, method)
        for method, settings in self.config.methods("segmentation").items():
            for variant in VARIANTS:
                if variant == "hard" and not settings.hard_examples:
                    continue
                view = f"segmentation/{method}/{variant}"
                views.append(
                    {"id": view, "task": "segmentation", "method": method, "variant": variant}
                    | {"meaning": VARIANTS[variant]}
                )
                self._scores(shown, view, method, variant)
        return {
            "name": self.name,
            "caveats": self.caveats(),
            "views": views,
            "group": (self.config.segmentation or self.config.classification).group_name,
            "item": self.item,
            "slides": list(shown.values()),
        }

    def _predictions(self, shown, view, method):
        decided = self.decisions.so_far(method)
        if decided is None:
            return
        for row, verdict, value in zip(decided.rows, decided.verdicts, decided.confidence.tolist(), strict=True):
            shown[row["slide"]]["results"][view] = {
                "predicted": row["predicted"],
                "right": "" if verdict == "uncounted" else verdict == "right",
                "value": None if math.isnan(value) else value,
                "status": row["status"],
            }

    def _scores(self, shown, view, method, variant):
        for row in _table(self.layout.slide_scores.format(method=method)):
            if row["variant"] == variant and row["slide"] in shown:
                shown[row["slide"]]["results"][view] = {"value": _number(row["score"]), "status": row["status"]}

    def row(self, slide):
        """Return the sheet's row of a slide: that with its mask, where there is one.

        Raises
        ------
        LookupError
            If the study has no such slide.
        """
        return self._with_masks.get(slide) or self.slides[slide]

    def layers(self, slide) -> list:
        """List the layers that a slide has or will have, the lowest first.

        Parameters
        ----------
        slide : str

        Returns
        -------
        list of dict
            ``id``: the kind and what it is of, joined by slashes; ``kind``; ``files``: what it is drawn from;
            ``ready``: whether they exist; and ``method``, ``variant`` or ``features`` where the layer has them.
        """
        row, layout = self.row(slide), self.layout
        segmented, classified = slide in self._with_masks, slide in self._with_labels
        used = set()
        if classified:
            used |= {*self.config.feature_sets_of("classification"), *self.config.classification.patch_sets}
        if segmented:
            used |= {*self.config.feature_sets_of("segmentation")}
        cut = [name for name, settings in self.config.features.items() if name in used and not settings.is_whole]
        found = [
            _layer("patches", features, features=features, files=[_file(layout.tiles, features=features, slide=slide)])
            for features in cut
        ]
        found += [
            _layer("tissue", features, features=features, files=[_file(layout.tiles, features=features, slide=slide)])
            for features in cut
            if self.config.features[features].kind != "imported" and self.config.features[features].tiling.tissue
        ]
        if row.roi:
            found.append(_layer("region", files=[Path(row.roi)]))
        if classified:
            for method, settings in self.methods("classification").items():
                if "patches" in settings.about.shows:
                    scores = [_file(layout.patch_scores, method=method, slide=slide)]
                    found.append(_layer("patch-score", method, method=method, files=scores))
                    clusters = getattr(settings, "clusters", 1)
                    found.append(_layer("cluster", method, method=method, clusters=clusters, files=scores))
                if method in self.config.explained:
                    shares = [_file(layout.heatmap, method=method, slide=slide)]
                    found.append(_layer("heatmap", method, method=method, files=shares))
                if _draws_maps(settings):
                    drawn = [_file(layout.class_maps, method=method, slide=slide)]
                    kind = "activation" if settings.about.reads == "images" else "membership"
                    found.append(_layer(kind, method, method=method, files=drawn))
                    found.append(_layer("foreground", method, method=method, files=drawn))
                    if getattr(settings, "attends", False):
                        found.append(_layer("attention", method, method=method, files=drawn))
        if not segmented:
            return found
        truth = [Path(row.mask)] if row.mask else []
        if truth:
            found.append(_layer("truth", files=truth))
        for method, settings in self.methods("segmentation").items():
            for variant in VARIANTS:
                if variant == "hard" and not settings.hard_examples:
                    continue
                named = {"method": method, "variant": variant}
                confidence, mask = (_file(kind, **named, slide=slide) for kind in (layout.confidence, layout.mask))
                found.append(_layer("confidence", method, variant, **named, files=[confidence]))
                found.append(_layer("prediction", method, variant, **named, files=[mask]))
                if truth:
                    found.append(_layer("comparison", method, variant, **named, files=[mask, *truth]))
            if settings.hard_examples and row.split == "train":
                tiles = _file(layout.tiles, features=settings.features, slide=slide)
                files = [_file(layout.hard_examples, method=method), tiles]
                found.append(_layer("hard", method, method=method, files=files))
        return found

    def encoder(self, slide, features) -> str:
        """Return what made a slide's imported features.

        Parameters
        ----------
        slide : str
        features : str
            An imported feature set or another.

        Returns
        -------
        str
            Empty where the files do not say it, where they are not taken in yet, and for other feature sets.

        Raises
        ------
        SlidecafError
            If the file is damaged.
        """
        path = _file(self.layout.features, features=features, slide=slide)
        if self.config.features[features].kind != "imported" or not path.is_file():
            return ""
        with open_hdf5(path) as file:
            return str(file["features"].attrs["encoder"])

    def layer(self, slide, name) -> dict:
        """Return one of `layers` by its id; LookupError where there is none."""
        for layer in self.layers(slide):
            if layer["id"] == name:
                return layer
        raise LookupError(name)


def _file(pattern, **wildcards):
    return Path(pattern.format(**wildcards))


def _layer(kind, *of, files, **named):
    return {
        "id": "/".join((kind, *of)),
        "kind": kind,
        **named,
        "files": files,
        "ready": all(path.is_file() for path in files),
    }


def _found_by(row):
    return " ".join([row.slide, row.patient, row.split, row.label, *row.more.values()])


def _draws_maps(settings):
    return getattr(settings, "maps", False)


def _shown_by(settings):
    """Return what a method of the classification shows of a slide, if anything."""
    if _draws_maps(settings):
        return ACTIVATION if settings.about.reads == "images" else MEMBERSHIP
    return PATCHES if "patches" in settings.about.shows else None


def patches(path) -> tuple[np.ndarray, int, float]:
    """Return where a slide's patches are.

    Returns
    -------
    coords : ndarray of int64, shape (N, 2)
    size : int
    spacing : float
        All in px of level 0.
    """
    coords, attributes = read_tiles(path)
    if not len(coords):
        return coords, 1, 1.0
    return coords, int(attributes["patch_size_level0"]), float(attributes["stride_level0"])


def hard_examples(path, slide) -> dict:
    """Return a slide's hard examples: kind (missed or false) to an ndarray of int64, shape (N, 2)."""
    rows = [row for row in _table(path) if row["slide"] == slide]
    return {
        kind: np.array([(int(row["x"]), int(row["y"])) for row in rows if row["kind"] == kind], np.int64).reshape(-1, 2)
        for kind in ("missed", "false")
    }


def _table(path):
    return read_tsv(path) if Path(path).is_file() else []


def _number(text):
    return float(text) if re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", text) else None
