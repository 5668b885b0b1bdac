"""A batch of slides segmented: what the rule ``segment`` does."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from slidecaf.features.file import open_features
from slidecaf.files.manifests import File, file_of, make_batch, slide_files
from slidecaf.files.tables import read_json, write_json
from slidecaf.logs import logger
from slidecaf.scores.segmentation import slide_scores
from slidecaf.segmentation.candidates import model_of
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.context import SlideContext
from slidecaf.segmentation.labels import read_truth
from slidecaf.segmentation.maps import confidence_map, confidences, read_confidences, read_map
from slidecaf.segmentation.masks import mask_strips
from slidecaf.segmentation.overlay import overlay, placeholder
from slidecaf.segmentation.postprocess import binarise, clean, smooth
from slidecaf.segmentation.rasters import write_confidence, write_mask
from slidecaf.segmentation.solver.patch_models import read_models
from slidecaf.slides import open_slide
from slidecaf.slides.thumbnail import write_jpeg
from slidecaf.study.status import STATUS_OK, STATUS_UNREADABLE
from slidecaf.tiles.file import read_region, read_tiles
from slidecaf.tiles.grid import slide_bounds


def segment_slides(
    manifest,
    slides: Mapping[str, Mapping],
    settings: Mapping,
    *,
    variant: str,
    tiles,
    choices: Mapping,
    labels,
    maps: Sequence = (),
    judged: Sequence = (),
    features: Sequence = (),
    model=None,
    paths: Mapping,
    masks: Mapping,
) -> None:
    """Make map, mask, overlay and score of some slides, in folders of their own beside the manifest.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to the ``part`` that maps it, its ``digest``, its ``mpp`` and ``scene``, and the ``masks``' digests.
    settings : mapping
        ``mask_value``, ``mask_channel`` and ``mask_class`` where they are set, ``caveats``, ``revision`` and
        ``versions``.
    variant : {"plain", "hard"}
    tiles : path-like
        The manifest of the batch's tiles, or of other files that say where cells are as tiles files do.
    choices : mapping of str to path-like
        Part to its C, threshold and sizes.
    labels : sequence of path-like
        Manifests of labels, of the slides that have a mask.
    maps : sequence of path-like, optional
        Manifests of maps, of training slides; of kinds that map test slides in the same way of these too.
    judged : sequence of path-like, optional
        Manifests of confidences, of test slides that have no features file.
    features : sequence of path-like, optional
        Manifests of features, of other test slides, which take
    model : path-like, optional
        the model of all training rows.
    paths : mapping of str to path-like
        Slide to its file.
    masks : mapping of str to mapping
        Slide to its ``number``, the row in the sheet, and the path ``mask``, empty where there is none.

    Raises
    ------
    SlidecafError
        After the other slides are done, if a file of one is damaged or cannot be read.
    """
    folder = Path(manifest).parent
    of_tiles, of_labels = slide_files([tiles]), slide_files(labels)
    sources = {
        "maps": slide_files(maps),
        "confidences": slide_files(judged),
        "features": slide_files(features),
    }
    chosen_of = {part: file_of(path) for part, path in choices.items()}
    final = file_of(model) if model else None

    def inputs(slide):
        read = {"tiles": of_tiles[slide], "choice": chosen_of[slides[slide]["part"]]}
        read |= {name: files[slide] for name, files in sources.items() if slide in files}
        read |= {"labels": of_labels[slide]} if slide in of_labels else {}
        return read | ({"model": final} if "features" in read else {})

    def work(slide, files, origin):
        own, read = slides[slide], inputs(slide)
        chosen = read_json(read["choice"].path)["chosen"]
        coords, attributes = read_tiles(read["tiles"].path)
        place = _Place(coords, attributes)
        values = _mapped(read, place, own["part"], variant, model_of(chosen))
        status = str(attributes["status"])
        if status == STATUS_OK and np.isnan(values).all():
            status = STATUS_UNREADABLE  # it opened, and its patches could not be read
        smoothed = smooth(values, place.cells, chosen["smooth"])
        mask = clean(
            binarise(smoothed, chosen["threshold"]),
            place.cells.areas,
            min_object=chosen["min_object"],
            max_hole=chosen["max_hole"],
            covered=~np.isnan(values),
        )
        described = {"slide": slide, "model": own["part"], "status": status, **place.described, **chosen}
        write_confidence(files["confidence"], values, place.cells, attributes=described, mpp=place.mpp)
        write_mask(files["mask"], mask, place.cells, attributes=described, mpp=place.mpp)
        truth = read_truth(read["labels"].path) if "labels" in read else None
        found = {"predicted_pixels": int(place.cells.areas[mask].sum()), "area": place.width * place.height}
        if truth is not None:
            areas = place.cells.areas
            found |= slide_scores(mask, smoothed, truth.necrosis, areas, threshold=chosen["threshold"])
        if status == STATUS_UNREADABLE and masks[slide]["mask"]:
            found |= {"score": 0.0}  # counts as wrong, whatever the truth is
        score = f"S = {found['score']:.3f}" if "score" in found else "no mask to compare"
        logger.info("%s, %s: %s", slide, variant, score)
        write_json(files["score"], {"slide": slide, "variant": variant, "status": status, **chosen, **found})
        title = f"{slide}, {variant}: {score}" + "".join(f"\n{caveat}" for caveat in settings["caveats"])
        if place.readable:
            with open_slide(paths[slide], name=slide, mpp=own["mpp"], scene=own["scene"]) as opened:
                strips = _truth_strips(slide, masks[slide], place, settings)
                if strips and (region := read_region(read["tiles"].path)) is not None:
                    strips = _judged(strips, place.cells, place.cells.covered(region, place.size))
                picture = overlay(opened, place.cells, mask, strips, title=title)
        else:
            picture = placeholder(f"{title}\n{status}")
        write_jpeg(files["overlay"], picture)

    make_batch(
        manifest,
        slides,
        work,
        outputs=lambda slide: {
            "confidence": folder / f"confidence/{slide}.tif",
            "mask": folder / f"mask/{slide}.tif",
            "overlay": folder / f"overlay/{slide}.jpg",
            "score": folder / f"score/{slide}.json",
        },
        settings=settings,
        inputs=inputs,
    )


class _Place:
    """Where a slide's patches are, as its tiles file says; of a slide that could not be opened, one pixel."""

    def __init__(self, coords, attributes):
        self.coords, self.readable = coords, str(attributes["status"]) != STATUS_UNREADABLE
        known = attributes if self.readable else {}
        self.size = int(known.get("patch_size_level0", 1))
        self.width, self.height = int(known.get("level0_width", 1)), int(known.get("level0_height", 1))
        stride = float(known["stride_level0"]) if self.readable else None
        self.cells = Cells.of_patches(coords, self.size, self.width, self.height, stride=stride)
        mpp = float(known.get("level0_mpp", np.nan))
        self.mpp = mpp if np.isfinite(mpp) else None
        sizes = ("patch_size", "stride", "patch_size_level0") if self.readable else ()
        self.described = {key: int(known[key]) for key in sizes}
        self.bounds = slide_bounds(known) if self.readable else (0, 0, 1, 1)
        if self.bounds != (0, 0, self.width, self.height):
            self.described["bounds"] = self.bounds


def _mapped(read: Mapping[str, File], place, part, variant, C):
    """Return the map: of a training slide by the model that left it out, of a test slide by the final one.

    `C` is what tells the part's models apart.
    """
    nothing = np.full(place.cells.shape, np.nan, np.float32)
    if not place.readable:
        return nothing
    if "maps" in read:
        return read_map(read["maps"].path, part, C)
    if "confidences" in read:
        judged = read_confidences(read["confidences"].path, variant, C)
        return confidence_map(place.cells, place.coords, place.size, judged)
    model, known = read_models(read["model"].path)
    own = slice(known.index(C), known.index(C) + 1)
    with open_features(read["features"].path) as file:
        if len(file["coords"]) != len(place.coords):  # left out as unreadable
            return nothing
        context = SlideContext(file["features"], file["valid"])
        judged = confidences(file, *context.of(model.coef[own], model.intercept[own]))[0]
        return confidence_map(place.cells, place.coords, place.size, judged)


def _judged(strips, cells, judged):
    """Leave out of a mask what lies outside the region of interest."""
    top = 0
    for strip in strips:
        yield strip & cells.expand(judged, top, top + len(strip))
        top += len(strip)


def _truth_strips(slide, masks, place, settings):
    """Read a slide's mask again, for the picture; None where there is none."""
    if not masks["mask"]:
        return None
    return mask_strips(
        masks["mask"],
        slide=slide,
        row=masks["number"],
        column="mask",
        width=place.width,
        height=place.height,
        bounds=place.bounds,
        mask_value=settings["mask_value"],
        mask_channel=settings.get("mask_channel"),
        mask_class=settings.get("mask_class"),
    )
