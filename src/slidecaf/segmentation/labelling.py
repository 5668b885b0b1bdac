"""The labels of a batch of slides: what the rule ``labels`` does."""

from collections.abc import Mapping
from pathlib import Path

from slidecaf.files.manifests import make_batch, slide_files
from slidecaf.logs import logger
from slidecaf.segmentation.cells import Cells
from slidecaf.segmentation.labels import count_masks, patch_labels, within, write_labels
from slidecaf.segmentation.masks import Mask
from slidecaf.slides import Limits
from slidecaf.study.status import STATUS_UNREADABLE
from slidecaf.tiles.file import read_region, read_tiles
from slidecaf.tiles.grid import slide_bounds


def label_slides(
    manifest,
    slides: Mapping[str, Mapping],
    settings: Mapping,
    *,
    tiles,
    masks: Mapping,
    limits: Mapping,
) -> None:
    """Count the masks of some slides in cells and label their patches; a labels file for each beside the manifest.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to the digests of its masks.
    settings : mapping
        ``mask_value`` of the config, ``mask_channel`` and ``mask_class`` where they are set, ``revision`` and
        ``versions``.
    tiles : path-like
        The manifest of the batch's tiles.
    masks : mapping of str to mapping
        Slide to its ``number``, the row in the sheet, and the paths ``mask`` and ``hemorrhage``, empty where there is
        none.
    limits : mapping
        ``max_megapixels`` and ``max_decoded_megapixels`` of the config.

    Raises
    ------
    SlidecafError
        After the other slides are done, if a mask cannot be read or is of another size.
    """
    of_tiles, folder = slide_files([tiles]), Path(manifest).parent

    def work(slide, files, origin):
        coords, attributes = read_tiles(of_tiles[slide].path)
        truth, labels, values = None, [], ""
        if attributes["status"] != STATUS_UNREADABLE:
            width, height = int(attributes["level0_width"]), int(attributes["level0_height"])
            size = int(attributes["patch_size_level0"])
            necrosis, hemorrhage = (
                Mask(
                    masks[slide][column],
                    slide=slide,
                    row=masks[slide]["number"],
                    column=column,
                    width=width,
                    height=height,
                    bounds=slide_bounds(attributes),
                    limits=Limits.from_config(limits),
                    mask_value=settings["mask_value"],
                    mask_channel=settings.get("mask_channel"),
                    mask_class=settings.get("mask_class"),
                )
                for column in ("mask", "hemorrhage")
            )
            cells = Cells.of_patches(coords, size, width, height, stride=float(attributes["stride_level0"]))
            bled = hemorrhage.strips() if masks[slide]["hemorrhage"] else None
            truth = count_masks(cells, necrosis.strips(), bled)
            if (region := read_region(of_tiles[slide].path)) is not None:
                marked, truth = truth.necrosis.sum(), within(truth, cells.covered(region, size))
                if outside := marked - truth.necrosis.sum():
                    share = 100 * outside / marked
                    logger.info("%s: %.1f %% of the mask lie outside the region of interest", slide, share)
            labels = patch_labels(truth, coords, size)
            share = truth.necrosis.sum() / (width * height)
            count = (sum(labels), len(labels))
            logger.info("%s: %.2f %% of px and %d of %d patches are necrosis", slide, 100 * share, *count)
            if share in (0, 1):
                logger.warning("%s: the mask %s is %s", slide, masks[slide]["mask"], "full" if share else "empty")
                values = necrosis.values
            if necrosis.warning:
                logger.warning("%s", necrosis.warning)
        write_labels(files["labels"], truth, labels, status=attributes["status"], values=values, origin=origin)

    make_batch(
        manifest,
        slides,
        work,
        outputs=lambda slide: {"labels": folder / f"{slide}.h5"},
        settings=settings,
        inputs=lambda slide: {"tiles": of_tiles[slide]},
    )
