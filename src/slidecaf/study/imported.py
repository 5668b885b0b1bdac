"""Feature sets that another program computed: where the file of each slide is. What they hold is read by `exchange`."""

import os
from dataclasses import dataclass
from pathlib import Path

from slidecaf.files.faults import is_file


@dataclass(frozen=True)
class Source:
    """The files of a slide.

    Attributes
    ----------
    features : pathlib.Path
        HDF5 with ``features`` and ``coords``.
    patches : pathlib.Path or None
        HDF5 with ``coords`` and the attributes that say how large a patch is, where these are apart (CLAM).
    """

    features: Path
    patches: Path | None = None

    @property
    def files(self):
        """The files, features first."""
        return [path for path in (self.features, self.patches) if path is not None]


def find_sources(settings, rows):
    """Find the files of slides, by the slide's id or else by the name of its file, as TRIDENT and CLAM name them.

    Parameters
    ----------
    settings : mapping
        A feature set of kind ``imported``: ``format``, ``folder`` and ``patches``.
    rows : iterable of slidecaf.study.sheets.Row

    Returns
    -------
    sources : dict of str to Source
        Slide to its files, whether they are there or not.
    problems : list of str
        One sentence for each slide whose file is missing or is taken for another slide too.
    """
    folder, clam = Path(settings["folder"]), settings["format"] == "clam"
    features = folder / "h5_files" if clam else folder
    patches = Path(settings["patches"] or folder / "patches") if clam else None
    sources, problems, taken = {}, [], {}
    for row in rows:
        names = dict.fromkeys([row.slide, Path(row.path).stem])
        name = next((name for name in names if is_file(features / f"{name}.h5")), row.slide)
        source = Source(features / f"{name}.h5", patches and patches / f"{name}.h5")
        sources[row.slide] = source
        missing = [path for path in source.files if not is_file(path)]
        if missing:
            named = " or ".join(f"{name}.h5" for name in names)
            problems.append(
                f"slide {row.slide}: there is no {missing[0].parent}/{named}; compute its features there too, or take "
                "the slide out of the sheet."
            )
        elif taken.setdefault(source.features, row.slide) != row.slide:
            problems.append(
                f"slide {row.slide}: {source.features} is that of slide {taken[source.features]} too; name the files "
                "by the sheet's column slide."
            )
    return sources, problems


class ImportedSet:
    """A feature set that another program computed, for some slides.

    Parameters
    ----------
    settings : slidecaf.study.config.ImportedFeatures
    rows : iterable of slidecaf.study.sheets.Row

    Attributes
    ----------
    described : dict
        The format, and the name of the folder: where that lies changes no result.
    """

    def __init__(self, settings, rows):
        self._sources, _ = find_sources(settings.plain(), rows)
        self.described = {"format": settings.format, "folder": Path(os.path.normpath(settings.folder)).name}

    def files(self, slide) -> list[str]:
        """Return the files of a slide, features first; they may be missing.

        Parameters
        ----------
        slide : str

        Returns
        -------
        list of str
        """
        return [path.as_posix() for path in self._sources[slide].files]

    @property
    def first(self) -> str:
        """The first features file that is there, to which the others are held; empty where none is."""
        there = (source.features for source in self._sources.values() if is_file(source.features))
        return next((path.as_posix() for path in there), "")
