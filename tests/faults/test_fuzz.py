"""Real slides with bytes changed at random: each gives pixels, or an error that names it, within time and memory."""

import numpy as np
import pytest

from tests.hostile import corpus
from tests.hostile.test_files import check

FILES = 80
"""Of each slide."""


def mutated(data, rng):
    """Change, cut out, repeat or cut off some bytes."""
    kind = rng.integers(4)
    start, stop = sorted(rng.integers(0, len(data), 2).tolist())
    if kind == 0:
        return corpus.flip(data, rng, int(rng.integers(1, 60)))
    if kind == 1:
        return corpus.flip(data, rng, int(rng.integers(1, 20)), max(0, len(data) - 4000))
    if kind == 2:
        return data[:start] + data[min(stop, start + 5000) :]
    return data[:start] + rng.bytes(min(stop - start, 64)) + data[start + min(stop - start, 64) :]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ["boxes.tiff", "small.svs", "cmu-1-small-region.svs"])
def test_a_real_slide_with_random_damage_gives_pixels_or_an_error(tmp_path, repository, shared_data, promise, name):
    content = (shared_data / "slides" / name).read_bytes()
    count = FILES if len(content) < 10**6 else FILES // 3
    promise(
        "A slide with random damage is read or refused by name",
        provoked=fuzz(tmp_path, repository, name, [content], count),
    )


@pytest.mark.timeout(240)
def test_a_slide_of_any_kind_with_random_damage_gives_pixels_or_an_error(tmp_path, repository, promise):
    (tmp_path / "whole").mkdir()
    whole = corpus.Corpus(tmp_path / "whole")
    for part in (corpus.odd_images, corpus.odd_tiffs, corpus.odd_resolutions, corpus.broken_tiffs):
        part(whole)
    contents = [case.path.read_bytes() for case in whole.cases if case.path.stat().st_size < 500_000]
    (tmp_path / "run").mkdir()
    tried = fuzz(tmp_path / "run", repository, "slide.tif", contents, 5 * FILES)
    promise("A slide with random damage is read or refused by name", provoked=tried)


def fuzz(folder, repository, name, contents, count):
    (folder / "study").mkdir()
    made = corpus.Corpus(folder / "study")
    for number in range(count):
        rng = np.random.default_rng(number)
        content = mutated(contents[number % len(contents)], rng)
        made.add(f"{number}-{name}", content, np.zeros((1, 1, 3), np.uint8), parts=True, unchecked=True)
    return check(made.cases, made.folder, repository, kind="slide")
