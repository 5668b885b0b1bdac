"""A look at every slide and mask before a run: does it open, how large is it, how much of it is tissue.

Patches are not counted but estimated on an overview, the finest level that is small: those of the grid that have a dark
pixel there. Where no level is small, some of its blocks tell which share of squares of a patch's size has one. Patches
that another program cut are counted in its files.
"""

import os
import tempfile
from concurrent.futures import TimeoutError
from dataclasses import dataclass, field
from functools import cache, reduce
from itertools import product
from math import ceil
from multiprocessing import get_context
from time import perf_counter

import numpy as np

from slidecaf.check.near_copies import grey_of, small_picture
from slidecaf.classification.lesion_masks import read_lesion
from slidecaf.errors import MachineError, SlidecafError, SlideError
from slidecaf.exchange.reading import check_length, encoder_name, read_patches, tiles_attributes
from slidecaf.files.parts import parts_of
from slidecaf.segmentation.masks import Mask
from slidecaf.slides import open_slide, stain
from slidecaf.study.imported import Source
from slidecaf.tiles.grid import enlarged, has_tissue, lay, scale_of
from slidecaf.tiles.otsu import find_tissue
from slidecaf.tiles.region import Region
from slidecaf.tiles.tiling import Tiling

OVERVIEW, READ = 4_000_000, 32_000_000
"""Px that an overview's level should have at most, and px of it that are read at most."""

TISSUE_BELOW = 200
"""A pixel with a channel up to this counts as tissue in the overview: the paper's white rule, by pixel."""

DARK = 64
"""No slide with glass or stained tissue on it is darker than this all over, in each px's darkest channel."""

TIMED_BLOCKS = 4
"""Blocks of level 0 whose reading is timed."""

MASK_PIXELS = 2**30
"""Px of a mask that are looked at; of a larger one so many, in bands from its top to its bottom."""

TIMEOUT = 120.0
"""Seconds after which a slide that does not answer is given up."""


LONGEST_TEMPORARY = 107 - len("/pymp-12345678/listener-12345678")
"""Bytes of the path of the folder for temporary files: Linux takes sockets of 107, and Python names them so."""


@dataclass(frozen=True)
class ImportedFiles:
    """Where an imported feature set has a slide.

    Attributes
    ----------
    source : slidecaf.study.imported.Source
        The slide's files.
    first : slidecaf.study.imported.Source
        Those of the slide that gives the length of the vectors.
    kind : {"trident", "clam"}
    folder : str
        As the config has it.
    """

    source: Source
    first: Source
    kind: str
    folder: str


@dataclass(frozen=True)
class WholeSlide:
    """A feature set that takes a whole slide as one patch.

    Attributes
    ----------
    size : int
        The side in px of what the network sees.
    """

    size: int


@dataclass(frozen=True)
class Imported:
    """What the files of an imported feature set say of a slide.

    Attributes
    ----------
    dimension : int
        Values a patch.
    encoder : str
        Empty where nothing says it.
    stride : int
        Px from one patch to the next, in px of a patch.
    regular : bool
        Whether all patches stand on one grid from the upper left corner.
    """

    dimension: int
    encoder: str
    stride: int
    regular: bool


@dataclass(frozen=True)
class MaskLook:
    """What a look at a mask found.

    Attributes
    ----------
    slide : str
    column : {"mask", "hemorrhage"}
        Of the sheet.
    path : str
    width, height : int
        Of the file.
    marked, pixels : int
        How many px of it are foreground, of how many that were looked at.
    share : float
        The share of these that is foreground.
    whole : bool
        Whether all of it was looked at; bands of it otherwise.
    values : str
        Some values that it holds; all of a mask without foreground.
    warning : str
        What looks wrong, as a sentence.
    """

    slide: str
    column: str
    path: str
    width: int
    height: int
    marked: int
    pixels: int
    share: float
    whole: bool
    values: str
    warning: str


@dataclass(frozen=True)
class Look:
    """What a look at a slide found.

    Attributes
    ----------
    slide : str
    unreadable : str
        Why it cannot be read: a sentence; empty where it can.
    fault : bool
        Whether that is the machine's fault, for which no slide is left out.
    problems : list of str
        What else would stop its jobs: a mask, or a resolution that is missing.
    width, height : int
        In px of level 0.
    mpp : float or None
    mpp_from : {"sheet", "file", ""}
        Where that comes from.
    file_mpp : (float, float) or None
        Micrometres a pixel across and down, as the file says them.
    orientation : int
        As of `slidecaf.slides.Slide`.
    size : int
        Bytes of the slide's files.
    tissue : float
        Share of the overview's px that are no glass.
    levels : dict of str to int
        Feature set to the level that its patches are read from.
    kept : dict of str to dict of str to float
        Feature set to the share of its squares that each rule leaves: ``white`` and ``otsu``.
    warnings : list of str
        What looks wrong, as sentences.
    patches : dict of str to int
        Feature set to patches: estimated, or counted where the set is imported. An imported set whose files the run
        would not take is left out, as it is in the next two.
    cells : dict of str to int
        Feature set to squares of the grid, white ones too.
    imported : dict of str to Imported
        Imported feature set to what its files say.
    refused : list of str
        Why files of imported feature sets cannot be taken, or its stain cannot be normalised.
    megapixel : float
        Seconds to read a million px of level 0.
    masks : list of MaskLook
        Of masks that can be taken.
    picture : ndarray of uint8 or None
        The slide as `slidecaf.check.near_copies.small_picture` makes it; None where it is too small, or has no small
        level.
    """

    slide: str
    unreadable: str = ""
    fault: bool = False
    problems: list = field(default_factory=list)
    width: int = 0
    height: int = 0
    mpp: float | None = None
    mpp_from: str = ""
    file_mpp: tuple[float, float] | None = None
    orientation: int = 1
    size: int = 0
    tissue: float = 0.0
    levels: dict = field(default_factory=dict)
    kept: dict = field(default_factory=dict)
    warnings: list = field(default_factory=list)
    patches: dict = field(default_factory=dict)
    cells: dict = field(default_factory=dict)
    imported: dict = field(default_factory=dict)
    refused: list = field(default_factory=list)
    megapixel: float = 0.0
    masks: list = field(default_factory=list)
    picture: np.ndarray | None = None


def look(row, wanted, masks=None, stains=None) -> Look:
    """Look at one slide and its masks.

    Parameters
    ----------
    row : slidecaf.study.sheets.Row
    wanted : dict of str to mapping or ImportedFiles or WholeSlide
        Feature set to its tiling in the config, or to the slide's files where the set is imported.
    masks : mapping, optional
        ``mask_value``, ``mask_channel`` and ``mask_class``, as the segmentation has them. Without it the row is one of
        a classification, whose mask shows a lesion.
    stains : mapping of str to str, optional
        Feature set to the method by which the stain of its slides is normalised.

    Returns
    -------
    Look
    """
    try:
        with open_slide(row.path, name=row.slide, mpp=row.mpp, scene=row.scene) as slide:
            level, blocks, whole, picture = _overview(slide)
            problems, patches, cells, imported, refused = [], {}, {}, {}, []
            levels, kept, warnings = {}, {}, _odd(slide, blocks)
            tissue = cache(lambda: find_tissue(slide))  # looked for once, for all feature sets that ask for it
            for name, config in wanted.items():
                if isinstance(config, WholeSlide):
                    patches[name] = cells[name] = 1
                    kept[name] = {"none": 1.0}
                    levels[name] = slide.best_level(min(slide.width, slide.height) / config.size)
                    continue
                try:
                    if isinstance(config, ImportedFiles):
                        patches[name], cells[name], imported[name] = _read_imported(slide, config)
                        continue
                    tiling = Tiling.from_config(config)
                    xs, ys, size, _ = lay(slide, tiling)
                    grid, downsample = (xs, ys, size), slide.levels[level].downsample
                    rules = _rules(slide, tiling, blocks, grid, downsample, whole, tissue)
                    if row.roi:
                        rules["roi"] = Region(row.roi, slide).holds(*grid)
                except SlideError as error:  # of imported files, or of a slide whose tissue cannot be told
                    (refused if isinstance(config, ImportedFiles) else problems).append(f"features.{name}: {error}")
                    continue
                except MachineError:
                    raise
                except SlidecafError as error:
                    problems.append(str(error))
                    continue
                cells[name] = len(xs) * len(ys)
                kept[name] = {rule: float(np.mean(left)) for rule, left in rules.items()}
                patches[name] = round(float(np.mean(reduce(np.multiply, rules.values()))) * cells[name])
                levels[name] = slide.best_level(scale_of(slide, tiling))
                warnings += [said] if (said := enlarged(slide, tiling)) else []
            refused += _unfitted(slide, {name: stains[name] for name in wanted if name in (stains or {})})
            looked, refused_masks = _look_at_masks(row, slide, masks)
            problems += refused_masks
            return Look(
                row.slide,
                problems=list(dict.fromkeys(problems)),
                width=slide.width,
                height=slide.height,
                mpp=slide.mpp,
                mpp_from=slide.mpp_from,
                file_mpp=slide.file_mpp,
                orientation=slide.orientation,
                levels=levels,
                kept=kept,
                warnings=list(dict.fromkeys(warnings)),
                size=sum(part.stat().st_size for part in parts_of(row.path)),
                tissue=float(np.concatenate([block.ravel() <= TISSUE_BELOW for block in blocks]).mean()),
                patches=patches,
                cells=cells,
                imported=imported,
                refused=refused,
                megapixel=_read_time(slide),
                masks=looked,
                picture=picture,
            )
    except (SlideError, MachineError) as error:
        return Look(row.slide, unreadable=str(error), fault=isinstance(error, MachineError))


def forkserver():
    """Return the context of processes that may hang or crash, which talk through a socket among temporary files.

    Returns
    -------
    multiprocessing.context.BaseContext

    Raises
    ------
    SlidecafError
        If the path of that socket would be longer than the system takes.
    """
    folder = tempfile.gettempdir()
    if len(os.fsencode(folder)) > LONGEST_TEMPORARY:
        raise SlidecafError(
            f"TMPDIR, {folder}, is longer than the {LONGEST_TEMPORARY} bytes that leave room for the name of a socket; "
            "set TMPDIR to a shorter path, such as /tmp."
        )
    return get_context("forkserver")


def survey(rows, *, masks=None, stains=None, workers=1, timeout=TIMEOUT):
    """Look at many slides side by side, each in a process that may hang or crash without harm to the others.

    Parameters
    ----------
    rows : list of (slidecaf.study.sheets.Row, mapping)
        Slides with the feature sets that they need, as for `look`.
    masks : mapping of str to mapping, optional
        Slide to its ``masks``, as for `look`.
    stains : mapping, optional
        As for `look`.
    workers : int, optional
        Processes.
    timeout : float, optional
        Seconds that a slide may take.

    Yields
    ------
    Look
        In the order of `rows`.
    """
    from pebble import ProcessExpired, ProcessPool

    masks, context = masks or {}, forkserver()
    context.set_forkserver_preload([__name__])  # so that imports are no part of a slide's time
    with ProcessPool(workers, context=context) as pool:
        waiting = []
        for row, wanted in rows:
            own = row, wanted, masks.get(row.slide), stains
            waiting.append(pool.schedule(look, args=own, timeout=timeout))
        try:
            for (row, _), one in zip(rows, waiting, strict=True):
                where = f"slide {row.slide}: {row.path}"
                try:
                    yield one.result()
                except TimeoutError:
                    said = f"{where} was not read within {timeout:.0f} s; see whether its disk answers, or take a copy."
                    yield Look(row.slide, unreadable=said)
                except ProcessExpired as error:
                    said = (
                        f"{where} ended the program that read it (exit code {error.exitcode}); take an undamaged copy."
                    )
                    yield Look(row.slide, unreadable=said)
        finally:
            pool.stop()


def _unfitted(slide, stains):
    """Say of which feature sets the slide's stain cannot be normalised, and why; each method is tried once."""
    said = []
    for method in dict.fromkeys(stains.values()):
        try:
            stain.fit(slide, method)
        except SlideError as error:
            said += [f"features.{name}: {error}" for name, own in stains.items() if own == method]
    return said


def _overview(slide):
    """Return a level, the darkest channel of blocks of it (uint8), whether they are one, the whole, and its picture.

    The picture is None where they are not the whole.
    """
    areas = {index: level.width * level.height for index, level in enumerate(slide.levels)}
    small = [index for index, area in areas.items() if area <= OVERVIEW]
    if small:
        chosen = max(small, key=areas.get)
        level = slide.levels[chosen]
        whole, grey = (np.empty((level.height, level.width), np.uint8) for _ in range(2))
        for x, y in _places(level):
            block = _block(slide, (x, y), chosen)
            here = np.s_[y : y + block.shape[0], x : x + block.shape[1]]
            whole[here], grey[here] = block.min(axis=2), grey_of(block)
        return chosen, [whole], True, small_picture(grey)
    chosen = min(areas, key=areas.get)
    places = _places(slide.levels[chosen])
    width, height = slide.levels[chosen].block
    every = -(-len(places) * width * height // READ)
    return chosen, [_darkest(slide, place, chosen) for place in places[::every]], False, None


def _places(level):
    width, height = level.block
    return list(product(range(0, level.width, width), range(0, level.height, height)))


def _darkest(slide, place, index):
    return _block(slide, place, index).min(axis=2)


def _block(slide, place, index):
    level = slide.levels[index]
    width, height = (
        min(side, whole - at) for side, whole, at in zip(level.block, (level.width, level.height), place, strict=True)
    )
    return slide.read(*place, width, height, index)


def _read_imported(slide, files):
    """Return patches, squares of their grid, and what else a slide's imported files say; refuse what the job would."""
    patches = read_patches(files.source, slide, kind=files.kind)
    check_length(patches, files.source, files.first, name=slide.name)
    tiles = tiles_attributes(slide, patches)
    # a file that says an overlap of a whole patch has no stride
    columns, rows = (ceil(side / max(1.0, tiles["stride_level0"])) for side in (slide.width, slide.height))
    encoder = encoder_name(patches.encoder, files.folder)
    said = Imported(patches.dimension, encoder, tiles["stride"], tiles["regular"])
    return len(patches.coords), columns * rows, said


def _odd(slide, blocks):
    """Say what is odd about a slide's pixels."""
    said, brightest = [], max(int(block.max()) for block in blocks)
    if not slide.is_square:
        across, down = slide.file_mpp
        said.append(
            f"slide {slide.name}: its pixels are {across:g} x {down:g} micrometres, so that a square patch shows an "
            "oblong of tissue; resample it to square pixels."
        )
    if brightest < DARK:
        said.append(
            f"slide {slide.name}: its brightest px has {brightest} of 255 in its darkest channel; see whether it is "
            "black, or a file of 16 bit that uses fewer and does not say so: convert it to 8 bit."
        )
    return said


def _rules(slide, tiling, blocks, grid, downsample, whole, tissue):
    """Return rule to which squares it leaves, in an overview; a share stands for all where only parts were read."""
    (xs, ys, size), rules = grid, {}
    if tiling.white_above is not None and whole:
        rules["white"] = _dark_patches(blocks[0] <= tiling.white_above, xs, ys, size, downsample)
    elif tiling.white_above is not None:
        share = _kept_share(blocks, size / downsample, tiling.white_above)
        rules["white"] = np.broadcast_to(share, (len(ys), len(xs)))
    if tiling.tissue == "otsu":
        rules["otsu"] = has_tissue(tissue(), slide, tiling, grid)
    return rules or {"none": np.broadcast_to(1.0, (len(ys), len(xs)))}


def _dark_patches(dark, xs, ys, size, downsample):
    """Tell which patches of a grid have a dark px in an overview of the whole slide."""
    count = np.zeros(np.add(dark.shape, 1), np.int64)
    count[1:, 1:] = dark.cumsum(axis=0).cumsum(axis=1)
    bounds = []
    for starts, length in ((ys, dark.shape[0]), (xs, dark.shape[1])):
        first = np.clip(np.floor(starts / downsample).astype(np.int64), 0, length - 1)
        bounds.append((first, np.clip(np.ceil((starts + size) / downsample).astype(np.int64), first + 1, length)))
    (top, bottom), (left, right) = bounds
    top, bottom = top[:, None], bottom[:, None]
    return (count[bottom, right] - count[top, right] - count[bottom, left] + count[top, left]) > 0


def _kept_share(blocks, side, white_above):
    """Return the share of squares that have a px up to `white_above`."""
    side, kept, squares = max(1, round(side)), 0, 0
    for block in blocks:
        rows, columns = (np.arange(0, length, side) for length in block.shape)
        least = np.minimum.reduceat(np.minimum.reduceat(block, rows, axis=0), columns, axis=1)
        kept, squares = kept + np.count_nonzero(least <= white_above), squares + least.size
    return kept / squares


def _read_time(slide):
    places = _places(slide.levels[0])
    chosen = places[len(places) // 2 :][:TIMED_BLOCKS]
    start = perf_counter()
    pixels = sum(_darkest(slide, place, 0).size for place in chosen)
    return (perf_counter() - start) / (pixels / 1e6)


def _look_at_lesion(row, slide):
    """Return what was found on the mask of a classification's image."""
    lesion = read_lesion(row.mask, (slide.width, slide.height), slide=row.slide)
    share = float(lesion.mean())
    odd = {0.0: "shows no lesion", 1.0: "shows nothing but lesion"}.get(share)
    return MaskLook(
        slide=row.slide,
        column="mask",
        path=row.mask,
        width=slide.width,
        height=slide.height,
        marked=int(lesion.sum()),
        pixels=lesion.size,
        share=share,
        whole=True,
        values="",
        warning=f"row {row.number}, column mask: {row.mask} {odd}, so that no map is compared with it." if odd else "",
    )


def _look_at_masks(row, slide, settings):
    """Return what was found on the masks of a slide, and why others cannot be taken."""
    looked, problems = [], []
    for column in ("mask", "hemorrhage"):
        if path := getattr(row, column):
            if slide.orientation != 1:
                problems.append(
                    f"row {row.number}, column {column}: {path} may be meant for slide {row.slide!r} as stored or as "
                    f"shown, since {row.path} says that it is shown turned (orientation {slide.orientation}); save the "
                    "slide with its px turned and without that tag, and see that the mask fits."
                )
                continue
            if settings is None:
                try:
                    looked.append(_look_at_lesion(row, slide))
                except SlidecafError as error:
                    problems.append(f"row {row.number}, column {column}: {error}")
                continue
            place = {"width": slide.width, "height": slide.height, "bounds": slide.bounds}
            mask = Mask(path, slide=row.slide, row=row.number, column=column, **place, **settings)
            try:
                mask.look(MASK_PIXELS)
            except SlidecafError as error:
                problems.append(str(error))
                continue
            width, height = mask.size
            looked.append(
                MaskLook(
                    slide=row.slide,
                    column=column,
                    path=path,
                    width=width,
                    height=height,
                    marked=mask.marked,
                    pixels=mask.pixels,
                    share=mask.marked / mask.pixels,
                    whole=mask.pixels == width * height,
                    values=mask.values,
                    warning=mask.warning,
                )
            )
    return looked, problems
