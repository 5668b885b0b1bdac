"""The grid of decisions as a person uses it, in a real browser: a collection of 600 images."""

import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import expect

from slidecaf.viewer.catalogue import Catalogue
from slidecaf.viewer.server import Server
from tests import collection_study
from tests.browser.conftest import settle

IMAGES = 600


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """The study's folder and the rows of its table, by name."""
    folder = tmp_path_factory.mktemp("collection") / "study"
    rows = collection_study.make(folder, IMAGES)
    return folder, sorted(rows, key=lambda row: row["slide"])


@pytest.fixture
def served(collection, monkeypatch):
    """In place of the study of slides that other tests look at."""
    monkeypatch.chdir(collection[0])
    with Server(Catalogue(), port=0) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def rows(collection):
    return collection[1]


def names(page):
    return [cell.get_attribute("data-slide") for cell in page.locator(".cell").all()]


def cell(page, slide):
    return page.locator(f'.cell[data-slide="{slide}"]')


def choose(page, **wanted):
    """Choose by what options say, without the count behind it."""
    for name, text in wanted.items():
        option = page.locator(f"#grid-{name} option").filter(has_text=text).first
        page.select_option(f"#grid-{name}", option.get_attribute("value"))
        page.wait_for_load_state("networkidle")


def pictured(page):
    """Return the slides whose thumbnails were asked for."""
    return {unquote(urlsplit(url).path.split("/")[-1]) for url in page.asked if "/thumbnails/" in url}


def wrong(rows):
    return [row for row in rows if row["label"] and row["label"] != row["predicted"]]


def test_every_cell_says_label_prediction_and_confidence_and_marks_what_is_wrong(look, rows):
    page = look("#grid=svm")
    expect(page.locator("#title")).to_have_text("600 images")
    seen = names(page)
    assert seen == [row["slide"] for row in rows[: len(seen)]]
    for row in rows[:12]:
        said = cell(page, row["slide"]).inner_text()
        confidence = row["confidence_" + row["predicted"]]
        for text in (row["slide"], f"→ {row['predicted']}", f"{confidence:.2f}"):
            assert text in said
        assert (row["label"] or "no label") in said
        assert ("✗ wrong" in said) == (row in wrong(rows))


def test_only_pictures_that_are_seen_are_asked_for(look, rows):
    page = look("#grid=svm")
    page.wait_for_load_state("networkidle")
    there = names(page)
    assert len(there) < 60
    assert pictured(page) == set(there)
    page.keyboard.press("End")
    expect(cell(page, rows[-1]["slide"])).to_be_focused()
    expect(cell(page, rows[-1]["slide"]).locator("img")).not_to_have_js_property("naturalWidth", 0)
    page.wait_for_load_state("networkidle")
    assert rows[-1]["slide"] in pictured(page)
    assert len(pictured(page)) < 120
    assert page.locator(".cell").count() < 60


def test_filters_choose_and_the_address_keeps_them(look, page, rows):
    look("#grid=svm")
    choose(page, verdict="wrong", label="house")
    expected = [row["slide"] for row in wrong(rows) if row["label"] == "house"]
    expect(page.locator("#title")).to_have_text(f"{len(expected)} of 600 images")
    assert names(page)[:5] == expected[:5]
    hash_before = page.evaluate("location.hash")
    assert "verdict=wrong" in hash_before
    page.reload()
    page.wait_for_selector("body[data-open=grid]")
    assert page.locator("#grid-verdict option:checked").inner_text() == f"wrong ({len(expected)})"
    page.click("#grid-clear")
    expect(page.locator("#title")).to_have_text("600 images")


def test_the_least_sure_come_first(look, rows):
    page = look("#grid=svm&order=least")

    def lead(row):
        scores = sorted(row[f"confidence_{label}"] for label in collection_study.CLASSES)
        return scores[-1] - scores[-2]

    assert names(page)[:8] == [row["slide"] for row in sorted(rows, key=lead)[:8]]
    choose(page, order="surest")
    assert names(page)[:8] == [row["slide"] for row in sorted(rows, key=lead, reverse=True)[:8]]


def test_a_click_opens_the_image_and_its_neighbours_are_those_of_the_grid(look, rows):
    page = look("#grid=svm&verdict=wrong")
    expected = [row["slide"] for row in wrong(rows)]
    cell(page, expected[3]).click()
    expect(page.locator("#title")).to_have_text(expected[3])
    expect(page.locator("#grid")).not_to_be_visible()
    settle(page)
    expect(page.locator("#count")).to_have_text(f"{len(expected)} of 600 images")
    page.keyboard.press("n")
    expect(page.locator("#title")).to_have_text(expected[4])
    page.keyboard.press("g")
    expect(page.locator("#title")).to_have_text(f"{len(expected)} of 600 images")
    page.keyboard.press("ArrowRight")
    expect(cell(page, expected[5])).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_have_text(expected[5])
    page.go_back()
    expect(page.locator("#grid")).to_be_visible()


def test_the_keyboard_moves_by_places_rows_and_pages(look, page, rows):
    look("#grid=svm")
    columns = page.evaluate("getComputedStyle(document.querySelector('.cell')).width")
    columns = round(page.locator("#cells > div").bounding_box()["width"] / float(columns.removesuffix("px")))
    page.keyboard.press("ArrowRight")
    expect(cell(page, rows[1]["slide"])).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(cell(page, rows[1 + columns]["slide"])).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")  # there is no row above
    expect(cell(page, rows[1]["slide"])).to_be_focused()
    page.keyboard.press("PageDown")
    at = page.evaluate("document.activeElement.dataset.slide")
    place = [row["slide"] for row in rows].index(at)
    assert place > columns
    assert place % columns == 1
    page.keyboard.press("+")
    assert page.locator(".cell").first.bounding_box()["width"] > 244
    page.keyboard.press("/")
    page.keyboard.type("boat-0000")
    expect(page.locator("#title")).to_have_text("4 of 600 images")
    page.keyboard.press("Escape")
    expect(cell(page, "boat-00000")).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_contain_text("whole image")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("#grid=nobody", "there are: svm, later, seen."),
        ("#grid=later", "run the study to its end"),
        ("#grid=svm&label=ship", "has no label 'ship'"),
        ("#grid=svm&text=nothing+like+it", "No image is like this."),
    ],
)
def test_what_cannot_be_shown_says_why_and_the_grid_can_be_left(look, address, said):
    page = look(address)
    expect(page.locator("#grid-notice")).to_contain_text(said)
    page.keyboard.press("g")
    expect(page.locator("#grid")).not_to_be_visible()


def test_an_image_that_cannot_be_read_has_its_place_and_its_label(look, collection, rows):
    slide = rows[2]["slide"]
    path = Path("images", f"{slide}.png")
    good = path.read_bytes()
    path.write_bytes(b"no picture")
    try:
        page = look("#grid=svm")
        expect(cell(page, slide)).to_contain_text("cannot be shown")
        assert rows[2]["predicted"] in cell(page, slide).inner_text()
    finally:
        path.write_bytes(good)


def test_the_map_of_a_fisher_method_is_a_layer_with_its_value_under_the_pointer(look, page, collection):
    first = min(Path("results/classification/seen/maps").glob("*.png")).stem
    look(f"#slide={first}")
    page.select_option("#maps", "classification/seen")
    settle(page)
    item = page.locator('li[data-kind="membership"]')
    expect(item).to_contain_text("twice the mean or more")
    assert item.locator("input[type=checkbox]").is_checked()
    assert any("/membership/seen/" in url for url in page.asked)
    page.keyboard.press("9")
    settle(page)
    assert any("/foreground/seen/" in url for url in page.asked)
    picture = page.locator("#map").bounding_box()
    page.mouse.move(picture["x"] + picture["width"] / 2, picture["y"] + picture["height"] / 2)
    settle(page)
    expect(page.locator('#readout span[data-name="membership"]')).to_contain_text("× the mean")


@pytest.mark.parametrize("width", [800, 1280, 2560])
def test_nothing_is_cut_off_at_common_widths(look, page, width):
    page.set_viewport_size({"width": width, "height": 800})
    look("#grid=svm&verdict=wrong")
    for selector in ("header", "#choices", "#grid-text", "#grid-larger", "#grid-meaning", "#cells", "#help-open"):
        box = page.locator(selector).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    columns = {round(box["x"]) for box in (cell.bounding_box() for cell in page.locator(".cell").all())}
    assert len(columns) >= 4
