"""Slides and masks that nobody has checked give the right pixels, or an error that names them, within limits.

Each file is read in a process of its own, whose time and memory are bounded, by the calls that a run makes.
"""

import logging

import numpy as np
import pytest

from slidecaf.errors import SlideError
from slidecaf.slides import LIMITS, Limits, open_slide
from slidecaf.study.config import Config
from slidecaf.tiles.grid import tile
from slidecaf.tiles.tiling import Tiling
from tests.hostile import corpus
from tests.hostile.probe import PATCH, probe

MOST_MIB = 400
"""That reading any of these files may take."""

MADE = ("no_images", "odd_images", "odd_tiffs", "odd_resolutions", "broken_tiffs", "bombs", "truncated", "flipped")


@pytest.fixture
def made(tmp_path):
    """An empty corpus; what is made must stay the only thing in its folder."""
    (tmp_path / "study").mkdir()
    return corpus.Corpus(tmp_path / "study")


def wrong(case, outcome, shown):
    """Return what is wrong with an outcome, or nothing."""
    what, message = outcome["what"], outcome.get("message") or ""
    unread = outcome.get("unread", [])
    if what == "read" and unread and len(unread) == outcome["patches"]:
        what = "SlideError"  # it could be opened, but nothing of it read
    if what == "read":
        if not case.parts and (unread or case.shown is corpus.REFUSED):
            return f"read, with {len(unread)} patches missing: {message}"
        if case.mpp != "any" and outcome["mpp"] != case.mpp:
            return f"the resolution is {outcome['mpp']}, not {case.mpp}"
        return None if case.unchecked else wrong_pixels(case, shown, unread)
    if what not in ("SlideError", "SlidecafError"):
        return outcome.get("traceback", what)
    if case.shown is not corpus.REFUSED and not case.parts:
        return f"refused: {message}"
    named = "case-7" in message and str(case.path) in message and message.endswith(".") and "; " in message
    if not named or case.says not in message:
        return f"an error that does not say enough: {message}"
    return "an error of memory, not of the file" if "MemoryError" in message or "allocate" in message else None


def wrong_pixels(case, shown, unread):
    if case.shown is corpus.REFUSED:
        return None
    if shown.shape != case.shown.shape:
        return f"{shown.shape} read, not {case.shown.shape}"
    compared = np.ones(shown.shape[:2], bool)
    for x, y in unread:
        compared[y : y + PATCH, x : x + PATCH] = False
    different = (shown != case.shown).reshape(*shown.shape[:2], -1).any(-1) & compared
    return f"{different.sum()} pixels are wrong" if different.any() else None


def check(cases, folder, repository, **job):
    """Read files and report all that went wrong at once; return how many were tried."""
    before = {path.name for path in folder.iterdir()}
    saved = folder.parent / "shown"
    saved.mkdir()
    jobs = [
        {"path": str(case.path), "save": None if case.unchecked else str(saved / f"{i}.npy"), **job}
        for i, case in enumerate(cases)
    ]
    problems = []
    for i, (case, outcome) in enumerate(zip(cases, probe(jobs, root=repository), strict=True)):
        shown = np.load(saved / f"{i}.npy") if (saved / f"{i}.npy").exists() else None
        if problem := wrong(case, outcome, shown):
            problems.append(f"{case.name!r}: {problem}")
        elif outcome.get("mib", 0) > MOST_MIB:
            problems.append(f"{case.name!r}: {outcome['mib']:.0f} MiB")
    assert not problems, "\n".join(problems)
    assert {path.name for path in folder.iterdir()} == before
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, "shown"}
    return len(cases)


@pytest.mark.parametrize("part", MADE)
def test_a_slide_of_any_kind_is_read_rightly_or_refused_by_name(made, repository, promise, part):
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    getattr(corpus, part)(made)
    tried = check(made.cases, made.folder, repository, kind="slide")
    promise("A bad or odd slide is read rightly or refused by name, in bounded time and memory", provoked=tried)


def test_a_real_slide_that_is_damaged_gives_pixels_or_is_refused_by_name(made, repository, shared_data, promise):
    corpus.real(made, shared_data)
    tried = check(made.cases, made.folder, repository, kind="slide")
    promise("A bad or odd slide is read rightly or refused by name, in bounded time and memory", provoked=tried)


def test_a_mask_of_any_kind_is_read_rightly_or_refused_by_name(made, repository, promise):
    corpus.masks(made)
    tried = check(made.cases, made.folder, repository, kind="mask", more={"width": 128, "height": 96})
    promise("A bad or odd mask is read rightly or refused by name, in bounded time and memory", provoked=tried)


def test_the_config_bounds_what_a_slide_may_claim(made):
    corpus.odd_tiffs(made)
    named = {case.name: case.path for case in made.cases}
    pixels = corpus.RGB.shape[0] * corpus.RGB.shape[1]
    with open_slide(named["grey.tif"], limits=Limits(pixels=pixels)):
        pass
    with pytest.raises(SlideError, match=r"grey.tif has 128 x 96 px, more than the config's max_megapixels: 0.012287"):
        open_slide(named["grey.tif"], limits=Limits(pixels=pixels - 1))
    with pytest.raises(SlideError, match=r"a tile .*of 32 x 32 px cannot be decoded .*max_decoded_megapixels: 0.001"):
        open_slide(named["lzma.tif"], limits=Limits(decoded=1000))
    with pytest.raises(SlideError, match=r"a tile .*of 32 x 32 px cannot be decoded .*max_decoded_megapixels: 0.001"):
        open_slide(named["zstd.tif"], limits=Limits(decoded=1000))


def test_the_librarys_limits_are_the_configs_defaults():
    defaults = {key: Config.model_fields[key].default for key in ("max_megapixels", "max_decoded_megapixels")}
    assert Limits.from_config(defaults) == LIMITS


def test_a_grid_of_too_many_patches_is_refused_before_it_is_made(tmp_path):
    side = 2**18
    page = corpus.crafted.page(side, side, tile=(2**12, 2**12), offsets=[0] * 2**12, counts=[0] * 2**12, compression=5)
    (tmp_path / "empty.tif").write_bytes(corpus.crafted.tiff([(page, None)]))
    with open_slide(tmp_path / "empty.tif") as slide:
        assert len(tile(slide, Tiling(4096, 4096)).coords) == 2**12
        with pytest.raises(
            SlideError, match=r"empty.*262144 x 262144 px, on which patches every 8 px would be .* raise"
        ):
            tile(slide, Tiling(112, 8, "cover"))
