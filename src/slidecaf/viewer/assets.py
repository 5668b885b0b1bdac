"""The page's files: slidecaf's own, and Leaflet's, which a package brings along."""

import importlib.metadata
import importlib.resources

from slidecaf.errors import SlidecafError

LEAFLET = "django-js-lib-leaflet"
"""The package: Leaflet's release as it is, without any code of Django's."""

TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}


def load() -> dict:
    """Read all files that the page needs.

    Returns
    -------
    dict
        Name to (media type, bytes).

    Raises
    ------
    SlidecafError
        If Leaflet is not installed.
    """
    own = importlib.resources.files("slidecaf.viewer") / "static"
    files = [file for file in own.iterdir() if file.name.rsplit(".", 1)[-1] in TYPES]
    try:
        package = importlib.metadata.distribution(LEAFLET)
    except importlib.metadata.PackageNotFoundError as error:
        raise SlidecafError(
            f"the viewer needs the package {LEAFLET}, which brings Leaflet along; run make install, or pip install "
            "-r requirements.txt."
        ) from error
    files += [
        package.locate_file(f"js_lib_leaflet/static/js_lib_leaflet/{name}") for name in ("leaflet.js", "leaflet.css")
    ]
    return {file.name: (f"{TYPES[file.name.rsplit('.', 1)[1]]}; charset=utf-8", file.read_bytes()) for file in files}
