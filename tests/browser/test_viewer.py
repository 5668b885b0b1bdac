"""The viewer as a person uses it, in a real browser."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import settle
from tests.viewer_study import HEIGHT, PATCH, THRESHOLD, WIDTH, write_heatmap

expect.set_options(timeout=30_000)  # CI may be busy

TRUTH_GREEN = np.array([0, 150, 60])


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)
    settle(page)


def screen(page):
    """Return the pixels of the stage alone: what lies over it is taken away for the picture."""
    hide = "(share) => document.querySelectorAll('#map ~ *').forEach((over) => { over.style.opacity = share; })"
    page.evaluate(hide, 0)
    picture = page.locator("#map").screenshot()
    page.evaluate(hide, 1)
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(float)


def readout(page):
    spans = page.locator("#readout span").all()
    return {span.get_attribute("data-name"): span.locator("b").inner_text() for span in spans}


def point(page, x, y):
    """Move the pointer to a place of the stage and return what is read there."""
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    settle(page)
    return readout(page)


def slide_pixels(page):
    """Return the slide as it is drawn, at full resolution."""
    said = point(page, 300, 300)
    left, top = 300 - int(said["x"]), 300 - int(said["y"])
    return screen(page)[top : top + HEIGHT, left : left + WIDTH]


def test_the_first_slide_opens_with_what_is_artificial_in_a_banner(look):
    page = look()
    assert page.locator("#title").inner_text() == "bad"
    assert "random weights" in page.locator("#banner").inner_text()
    assert page.locator("#slides button").count() == 5


def test_a_bad_slide_shows_its_error_and_the_next_one_opens(look):
    page = look("#slide=bad")
    expect(page.locator("#notice")).to_contain_text("cannot be opened")
    press(page, "n")
    expect(page.locator("#notice")).to_contain_text("gone.png is no file")
    press(page, "n")
    expect(page.locator("#title")).to_have_text("same")
    expect(page.locator("#notice")).not_to_be_visible()
    expect(page.locator("#about")).to_contain_text(f"{WIDTH} × {HEIGHT} px")


def test_text_of_a_sheet_is_only_text(look):
    page = look()
    assert "<img src=x onerror=alert(1)>" in page.locator("#slides").inner_text()
    assert page.locator("#slides img").count() == 0


@pytest.mark.parametrize("zoom", [-2, -1, 0, 3])
def test_a_mask_covers_exactly_what_it_marks_at_every_zoom(look, zoom):
    page = look("#slide=same")
    press(page, "h", "z", *("+" * zoom if zoom > 0 else "-" * -zoom))
    plain = screen(page)
    press(page, "4", *"]" * 10)
    covered = screen(page)
    # The slide is black where the mask is: how dark a pixel is, and how much of it is covered, are one number.
    ground = np.abs(plain - (211, 215, 221)).sum(axis=2) < 6
    marked = 1 - plain.mean(axis=2) / 255
    hidden = np.clip(1 - covered[..., 0] / np.maximum(plain[..., 0], 1), 0, 1)  # the cover has no red
    seen = ~ground & (plain[..., 0] > 60)
    assert seen.sum() > 5000
    assert np.abs(marked - hidden)[seen].max() < 0.25  # what JPEG does to black beside white
    assert np.abs(marked - hidden)[seen].mean() < 0.02
    black = ~ground & (plain.mean(axis=2) < 30)
    assert black.sum() > 2000
    assert np.abs(covered[black] - TRUTH_GREEN).max() < 40


@pytest.mark.parametrize("zoom", [-1, 0, 2])
def test_the_pointer_reads_the_pixel_that_is_drawn_there(look, viewed, zoom):
    page = look("#slide=same")
    press(page, "h", "z", *("+" * zoom if zoom > 0 else "-" * -zoom))
    pixels = screen(page)
    found = 0
    for x, y in ((391, 251), (300, 333), (433, 218), (372, 300), (520, 260), (401, 340)):
        said = point(page, x, y)
        if "x" not in said:
            continue
        column, row = int(said["x"]), int(said["y"])
        if zoom >= 0:
            assert (pixels[y, x].mean() < 128) == viewed.truth[row, column]
        expected = viewed.confidence[row, column]
        assert said["confidence"] == ("none" if np.isnan(expected) else f"{expected:.4f}")
        assert said["truth"] == ("necrosis" if viewed.truth[row, column] else "no")
        assert said["predicted"] == ("necrosis" if viewed.predicted[row, column] else "no")
        found += 1
    assert found >= 4


def test_figure_6_has_its_colours_where_masks_agree_and_differ(look, viewed):
    page = look("#slide=same")
    press(page, "h", "z", "1", *"]" * 5)
    pixels = slide_pixels(page)
    for true, predicted, colour in ((1, 1, (130, 40, 220)), (1, 0, (255, 160, 160)), (0, 1, (255, 150, 0))):
        here = (viewed.truth == true) & (viewed.predicted == predicted)
        assert here.sum() > 1000
        assert np.abs(pixels[here] - colour).max() < 4


def test_the_confidence_map_has_a_bar_with_ends_threshold_and_the_value_pointed_at(look):
    page = look("#slide=same")
    press(page, "2")
    expect(page.locator("#low")).to_have_text("−2")
    expect(page.locator("#high")).to_have_text("+2")
    expect(page.locator("#threshold-text")).to_contain_text(f"{THRESHOLD:.3f}")
    said = point(page, 383, 300)
    place = float(re.search(r"left: ([\d.]+)%", page.locator("#here").get_attribute("style"))[1])
    assert place == pytest.approx(50 + 25 * float(said["confidence"]), abs=0.1)


def test_variants_change_maps_and_values_and_the_list_with_them(look):
    page = look("#slide=same")
    before = float(point(page, 383, 300)["confidence"])
    press(page, "2", "m")
    assert page.locator("#maps option:checked").inner_text() == "svm-cnn, hard"
    assert float(point(page, 384, 300)["confidence"]) == pytest.approx(before / 2, abs=2e-3)
    assert any("/confidence/svm-cnn/hard/" in url for url in page.asked)
    assert "S 0.750" in page.locator("#slides").inner_text()
    expect(page.locator("#high")).to_have_text("+1")


def test_a_method_that_scores_patches_shows_scores_and_clusters(look, viewed):
    page = look("#slide=same")
    page.select_option("#maps", "classification/mcil")
    settle(page)
    expect(page.locator("#high")).to_have_text("+2")
    expect(page.locator("#threshold")).not_to_be_visible()
    assert page.locator('li[data-kind="cluster"] .swatches span').all_inner_texts() == ["0", "1"]
    assert page.locator('li[data-kind="confidence"]').count() == 0
    press(page, "h", "z")
    for x, y in ((391, 251), (400, 300), (520, 260)):
        said = point(page, x, y)
        if "x" in said:
            place = np.array([int(said["x"]), int(said["y"])])
            of = ((viewed.coords <= place) & (place < viewed.coords + 64)).all(axis=1)
            known = of.any()
            assert said["score"] == (f"{viewed.scores[of].mean():.4f}" if known else "none")
            assert (said["cluster"] == "none") == (not (of & (viewed.scores > 0)).any())


def test_patches_and_hard_examples_are_outlined_where_the_files_say(look, viewed):
    page = look("#slide=same")
    press(page, "h", "z", "5", *"]" * 10)
    patches = slide_pixels(page)
    press(page, "5", "6", *"]" * 10)
    hard = slide_pixels(page)
    for x, y in viewed.coords[[0, 17, 40]]:
        for across, down in ((0, 0), (63, 0), (0, 63), (63, 63), (30, 0)):
            assert np.abs(patches[y + down, x + across] - (0, 70, 200)).max() < 4
    for _, x, y, kind in viewed.hard[:2]:
        colour = (225, 20, 40) if kind == "missed" else (225, 100, 0)
        for across, down in ((0, 0), (63, 63), (63, 20)):
            assert np.abs(hard[y + down, x + across] - colour).max() < 4
            outside = hard[y + down, x + (-1 if across == 0 else 64)]
            assert np.abs(outside - colour).max() > 60


def test_a_link_looks_at_a_square_and_frames_it(look):
    page = look("#slide=same&x=420&y=240&w=64")
    assert readout(page)["zoom"] == "400 %"
    frame = page.locator("#map svg path").bounding_box()
    stage = page.locator("#map").bounding_box()
    assert abs(frame["width"] - 256) <= 4
    assert abs(frame["x"] + frame["width"] / 2 - stage["x"] - stage["width"] / 2) <= 3
    said = point(page, frame["x"] - stage["x"] + frame["width"] / 2, frame["y"] - stage["y"] + frame["height"] / 2)
    assert abs(int(said["x"]) - 452) <= 1
    assert abs(int(said["y"]) - 272) <= 1


def test_keys_move_zoom_and_find(look):
    page = look("#slide=same")
    press(page, "z")
    assert readout(page)["zoom"] == "100 %"
    before = int(point(page, 380, 300)["x"])
    press(page, "ArrowRight")
    assert int(point(page, 381, 300)["x"]) == before + 121
    press(page, "0")
    assert readout(page)["zoom"] == "100 %"  # the slide fits
    press(page, "-")
    assert readout(page)["zoom"] == "50 %"
    press(page, "/")
    page.keyboard.type("thi")
    assert page.locator("#slides button").count() == 1
    press(page, "Escape", "n")
    expect(page.locator("#title")).to_have_text("third")
    press(page, "?")
    assert page.locator("#help").is_visible()
    press(page, "Escape")
    assert not page.locator("#help").is_visible()


def test_the_list_sorts_by_what_a_method_says(look):
    page = look("#slide=same")
    page.select_option("#view", "classification/svm-caf")
    page.select_option("#order", "worst")
    names = page.locator("#slides .id")
    expect(names.nth(0)).to_have_text("second")
    expect(names.nth(1)).to_have_text("same")
    expect(page.locator("#slides")).to_contain_text("GBM 0.25 wrong")
    expect(page.locator("#slides")).to_contain_text("unreadable")


@pytest.mark.parametrize("width", [1280, 2560])
def test_nothing_is_cut_off_at_common_widths(look, page, width):
    page.set_viewport_size({"width": width, "height": width * 9 // 16})
    look("#slide=same")
    press(page, "2")
    for selector in (
        "header",
        "#banner",
        "#slides",
        "#map",
        "#readout",
        "#layers li:last-child",
        "#colours",
        "#help-open",
    ):
        box = page.locator(selector).bounding_box()
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= width * 9 // 16
    assert page.locator("#map").bounding_box()["width"] > width / 2


def test_a_decision_is_explained_and_a_patch_that_speaks_is_a_click_away(look, viewed):
    path = viewed.folder / "results/classification/svm-caf/heatmap/same.h5"
    strongest = 17
    contribution = np.where(np.arange(len(viewed.coords)) == strongest, 0.5, -0.005)
    write_heatmap(path, viewed.coords, contribution, intercept=0.0)
    try:
        page = look("#slide=same")
        expect(page.locator("#why")).to_be_hidden()  # the maps of the segmentation come first
        page.locator("#maps").select_option("classification/svm-caf")
        settle(page)
        expect(page.locator("#why-said")).to_contain_text("The mean of 60 patch confidences is the decision, +0.205")
        expect(page.locator("#why-said")).to_contain_text("1 speak for GBM")
        expect(page.locator("#low")).to_contain_text("LGG")
        assert page.locator("#why ul").first.locator("a").count() == 1
        page.locator("#why a").first.click()
        settle(page)
        x, y = viewed.coords[strongest]
        assert page.url.endswith(f"#slide=same&x={x}&y={y}&w={PATCH}")
        assert page.locator(".leaflet-frame-pane path").count() == 1
    finally:
        path.unlink()


def test_of_a_networks_patches_it_says_what_their_confidence_is(look, viewed):
    path = viewed.folder / "results/classification/svm-caf/heatmap/same.h5"
    values = np.linspace(-0.5, 1, len(viewed.coords))
    write_heatmap(path, viewed.coords, values / len(values), intercept=0.0, of="probability")
    try:
        page = look("#slide=same")
        page.locator("#maps").select_option("classification/svm-caf")
        settle(page)
        said = "A patch's confidence is its probability of GBM less that of LGG. The mean of 60 patch confidences is"
        expect(page.locator("#why-said")).to_contain_text(f"{said} the difference that decides, +0.250")
    finally:
        path.unlink()
