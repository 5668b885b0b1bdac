"""What became of a slide, as files and tables say it."""

from slidecaf.errors import SlideError

STATUS_OK = "ok"
STATUS_NO_TISSUE = "no tissue"
STATUS_UNREADABLE = "unreadable"
STATUS_COPY = "copy"
STATUS_FEW = "few images"


def check_read(features, slide: str, status: str, on_bad_slide: str) -> None:
    """Make sure that a slide that could not be read may be left out.

    Parameters
    ----------
    features : str or path-like
        The feature set, or the file, that it was left out of.
    slide : str
    status : str
        Of the slide there.
    on_bad_slide : {"fail", "exclude"}

    Raises
    ------
    SlideError
        If it could not be read and `on_bad_slide` is ``fail``.
    """
    if status == STATUS_UNREADABLE and on_bad_slide == "fail":
        raise SlideError(
            f"slide {slide}: it could not be read and was left out of {features} while on_bad_slide was exclude. "
            "Replace the slide, or set on_bad_slide to exclude again."
        )
