"""A real browser, without a window and without a network."""

import shutil
from urllib.parse import urlsplit

import pytest

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is absent: make test-browser installs it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # no name but this machine's address is ever found
        nothing_else = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, nothing_else])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, served):
    """A page that has asked for nothing beyond the server, and met no error of a script, when the test ends."""
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, reduced_motion="reduce")
    context.set_default_timeout(90_000)  # CI may be busy
    page = context.new_page()
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
    page.asked = asked
    yield page
    context.close()
    assert not errors
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith("data:")}
    assert hosts <= {urlsplit(served.url).netloc}


@pytest.fixture
def look(page, served):
    """Open an address of the viewer, and wait until all that it shows is there."""

    def open_at(fragment=""):
        page.goto(f"{served.url}{fragment}")
        page.wait_for_selector("body[data-open]")
        settle(page)
        return page

    return open_at


def settle(page):
    """Wait until every tile on the stage is loaded, what is pointed at is read, and all of it is drawn."""
    # Leaflet lets a tile that came less than 200 ms before its layer's opacity changed fade in
    page.wait_for_function(
        """() => document.getElementById("readout").ariaBusy !== "true" &&
        [...document.querySelectorAll("#map img")].every(
            (tile) => tile.complete && Number(getComputedStyle(tile).opacity) === 1)"""
    )
    # loaded is not yet decoded
    page.evaluate(
        """async () => {
            const tiles = [...document.querySelectorAll("#map img")];
            await Promise.all(tiles.map((tile) => tile.decode().catch(() => null)));
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        }"""
    )
