"""What has to be said wherever a study's numbers show."""

from collections.abc import Collection, Iterable, Mapping

from slidecaf.study.config import is_imported


def caveats_of(features: Mapping, used: Iterable[str], rows: Iterable, made: Collection[str]) -> list[str]:
    """Return what has to be said of feature sets and of slides.

    Parameters
    ----------
    features : mapping of str to mapping
        The feature sets of the config.
    used : iterable of str
        Those that a method uses.
    rows : iterable of slidecaf.study.sheets.Row
    made : collection of str
        Paths of slides that the demo draws.

    Returns
    -------
    list of str
    """
    used = list(used)
    said = [
        f"imported features ({name}): computed by {features[name]['imported']['format'].upper()}, not by slidecaf"
        for name in used
        if is_imported(features[name])
    ]
    computed = [features[name] for name in used if not is_imported(features[name])]
    if any(one["encoder"]["weights"].startswith("random:") for one in computed):
        said.append("random weights: the network was never trained")
    if any(row.path in made for row in rows):
        said.append("synthetic slides: drawn by slidecaf.demo, no tissue")
    return said
