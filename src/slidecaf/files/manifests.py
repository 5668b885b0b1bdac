"""Slides that share a job: a file a slide, and a manifest that lists the files of a batch.

Snakemake tracks the manifest alone. Each file says what it was made from, so that a job leaves alone what is there
already: an interrupted batch goes on where it stopped, a changed slide is made alone, and slides that are dealt to
other batches are not made again. A manifest holds no time, so that equal files have equal manifests.

The plan compares files with their manifest. For a file that is gone or differs it writes a token, which is a
parameter of the batch's job: the job runs once more, and after that there is nothing to do.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from slidecaf.errors import MachineError, SlidecafError
from slidecaf.files.atomic import atomic
from slidecaf.files.faults import is_file, machine_fault, reason_of, unread
from slidecaf.files.fingerprints import value_digest
from slidecaf.files.hdf5 import open_hdf5
from slidecaf.files.tables import read_json, read_tsv, write_json, write_tsv
from slidecaf.files.versions import origin
from slidecaf.logs import logger

MEMORY = Path(".snakemake/slidecaf")
"""The study's folder for what plans and jobs remember. Losing it costs time only."""

LATENCY = 60
"""Seconds after its manifest was written in which a file may come to be seen on a network file system."""

COLUMNS = ("slide", "file", "size", "sha256")
"""Of a manifest; ``file`` starts at the manifest's folder."""

LEFT_ALONE = "left"
"""The suffix of the hidden file beside a manifest whose job left files alone that were there already."""

MADE_FROM = "made_from"
"""The attribute of an HDF5 file, or the key in the hidden file beside another, that says what it was made from."""


@dataclass(frozen=True)
class File:
    """A file that a step reads.

    Attributes
    ----------
    path : str
    sha256 : str
        Of its content.
    """

    path: str
    sha256: str


def read_manifests(paths: Iterable) -> dict[str, dict[str, File]]:
    """Read which files some batches have.

    Parameters
    ----------
    paths : iterable of path-like
        Manifests, of one folder.

    Returns
    -------
    dict of str to dict of str to File
        Slide to its files by the folder that each lies in below the manifest's, empty for that folder itself; slides
        sorted.

    Raises
    ------
    SlidecafError
        If a manifest is damaged, or a file that it names is not there.
    """
    found = {}
    for manifest in map(Path, paths):
        for row in read_tsv(manifest):
            path = os.path.normpath(manifest.parent / row["file"])
            while not is_file(path):
                if time.time() > manifest.stat().st_mtime + LATENCY:
                    raise SlidecafError(f"{path} is missing, which {manifest} lists; run again, and it is made anew.")
                time.sleep(0.5)
            found.setdefault(row["slide"], {})[os.path.dirname(row["file"])] = File(path, row["sha256"])
    return dict(sorted(found.items()))


def slide_files(paths: Iterable) -> dict[str, File]:
    """Read which file each slide of some batches has, where it has one.

    Parameters
    ----------
    paths : iterable of path-like
        As for `read_manifests`.

    Returns
    -------
    dict of str to File
        Slide to its only file; slides sorted.

    Raises
    ------
    SlidecafError
        As `read_manifests`.
    """
    return {slide: next(iter(files.values())) for slide, files in read_manifests(paths).items()}


def slide_paths(paths: Iterable, *, among: Collection[str] | None = None) -> dict[str, str]:
    """Read where the file of each slide of some batches is.

    Parameters
    ----------
    paths : iterable of path-like
        As for `read_manifests`.
    among : collection of str, optional
        Only these slides: batches are those of all tasks.

    Returns
    -------
    dict of str to str
        Slide to path; slides sorted.

    Raises
    ------
    SlidecafError
        As `read_manifests`.
    """
    found = slide_files(paths)
    return {slide: file.path for slide, file in found.items() if among is None or slide in among}


def paths_by_set(paths: Iterable, *, among: Collection[str] | None = None) -> dict[str, dict[str, str]]:
    """Read where the files of several feature sets are.

    Parameters
    ----------
    paths : iterable of path-like
        Manifests, each in the folder of its feature set.
    among : collection of str, optional
        As for `slide_paths`.

    Returns
    -------
    dict of str to dict of str to str
        Feature set to slide to path.

    Raises
    ------
    SlidecafError
        As `read_manifests`.
    """
    by_set = {}
    for path in map(Path, paths):
        by_set.setdefault(path.parent.name, []).append(path)
    return {name: slide_paths(own, among=among) for name, own in by_set.items()}


def file_of(path) -> File:
    """Return a file with its digest.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    File
    """
    return File(str(path), _sha256(path))


def make_batch(
    manifest,
    slides: Mapping[str, Mapping],
    work: Callable,
    *,
    outputs: Callable,
    settings: Mapping,
    inputs: Callable = lambda slide: {},
) -> None:
    """Make the files of a batch that are not there yet, slide by slide, and then the manifest.

    A slide that fails does not stop the others.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to what its files depend on beside `settings`, as JSON can hold it.
    work : callable
        Called with a slide, its output paths by name and its origin. It writes each output under its final name
        only when whole. HDF5 files take the origin as attributes of their root.
    outputs : callable
        Slide to its output paths by name.
    settings : mapping
        What all slides depend on, as JSON can hold it; ``revision`` among it.
    inputs : callable, optional
        Slide to the files that it is made from, by name: `File`, or a list of them.

    Raises
    ------
    SlidecafError
        After the other slides are done, if the work raised one for a slide, or the machine gave it no file or memory.
        Any other exception is raised again, then too.
    """
    manifest = Path(manifest)
    known, bad, failed, fault, left = Sums(manifest), Token(manifest).files, [], None, []
    for slide, own in slides.items():
        try:
            read = {name: _digests(files) for name, files in inputs(slide).items()}
            made_from = value_digest({"slide": slide, "own": own, "settings": settings, "inputs": read})
            files = outputs(slide)
            if all(_is_made(path, made_from, bad.get(str(path)), known) for path in files.values()):
                left.append(slide)
                continue
            for path in files.values():
                _made_beside(path).unlink(missing_ok=True)
            work(slide, files, origin(settings["revision"], made_from=made_from))
            for path in files.values():
                _say_made(path, made_from, known)
        except SlidecafError as error:
            logger.error("%s", error)
            failed.append(slide)
        except Exception as error:
            if found := machine_fault(error):
                logger.error("slide %s: %s: %s.", slide, reason_of(error), found[1])
                failed.append(slide)
                continue
            logger.exception("%s: this is a fault in slidecaf; please report it with this log.", slide)
            failed.append(slide)
            fault = fault or error
    if fault:
        raise fault
    if failed:
        raise SlidecafError(
            f"{len(failed)} of the {len(slides)} slides of this job failed ({', '.join(failed)}); "
            "mend what is said of them above and run again, the others are kept."
        )
    rows = [
        {"slide": slide, "file": os.path.relpath(path, manifest.parent), "size": size, "sha256": sha256}
        for slide in slides
        for path in outputs(slide).values()
        for size, sha256 in [known(path)]
    ]
    _say_left_alone(manifest, left)
    write_tsv(manifest, COLUMNS, rows)
    known.save()
    Token(manifest).settle()


def left_some_alone(path) -> bool:
    """Tell whether the job that wrote a manifest last found files of its batch made already, and left them alone.

    Its time and memory are then not those of the batch.

    Parameters
    ----------
    path : path-like
        A manifest; of any other file the answer is no.

    Returns
    -------
    bool
    """
    return _left_beside(path).is_file()


def _left_beside(path):
    return Path(path).with_name(f".{Path(path).name}.{LEFT_ALONE}")


def _say_left_alone(manifest, slides):
    """Write the hidden file that lists the slides left alone, or remove that of an earlier job."""
    if slides:
        with atomic(_left_beside(manifest), named=manifest) as partial:
            partial.write_text("".join(f"{slide}\n" for slide in slides), encoding="utf-8")
    else:
        _left_beside(manifest).unlink(missing_ok=True)


def _digests(files):
    return files.sha256 if isinstance(files, File) else [file.sha256 for file in files]


def _made_beside(path):
    """Return the hidden file that says what a file was made from that cannot say it itself."""
    return Path(path).with_name(f".{Path(path).name}.made")


def _say_made(path, made_from, known):
    if Path(path).suffix != ".h5":
        with atomic(_made_beside(path), named=path) as partial:
            partial.write_text(json.dumps({MADE_FROM: made_from, "sha256": known(path)[1]}), encoding="utf-8")


def _is_made(path, made_from, bad, known):
    """Tell whether a file is there, whole, and made from the same."""
    path = Path(path)
    if not path.is_file() or (bad is not None and known(path)[1] == bad):
        return False
    if path.suffix == ".h5":
        try:
            with open_hdf5(path) as file:
                return file.attrs.get(MADE_FROM) == made_from
        except MachineError:  # nothing says that it is not good
            raise
        except SlidecafError as error:
            logger.warning("%s It is made anew.", error)
            return False
    try:
        said = json.loads(_made_beside(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    except OSError as error:
        raise unread(_made_beside(path), error) from error
    return said == {MADE_FROM: made_from, "sha256": known(path)[1]}


def _sha256(path):
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        if machine_fault(error):
            raise unread(path, error) from error
        raise


class Sums:
    """Sizes and SHA-256 of a batch's files, remembered by size, mtime and ctime.

    Parameters
    ----------
    manifest : path-like
    memory : path-like, optional
        The folder of what is remembered.
    """

    def __init__(self, manifest, memory=MEMORY):
        self._path = Path(memory) / "sums" / f"{os.path.relpath(manifest)}.json"
        self._known = read_json(self._path) if self._path.is_file() else {}
        self._changed = False

    def __call__(self, path) -> tuple[int, str]:
        """Return the size and SHA-256 of a file.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        size : int
        sha256 : str
        """
        stat = os.stat(path)
        state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        known = self._known.get(str(path))
        if known is None or known[:3] != state:
            known = self._known[str(path)] = [*state, _sha256(path)]
            self._changed = True
        return known[0], known[3]

    def save(self) -> None:
        """Write what was learned, if anything was."""
        if self._changed:
            write_json(self._path, self._known)
            self._changed = False


class Token:
    """What tells a batch's job to run once more: it changes when files of the batch are gone or differ.

    Parameters
    ----------
    manifest : path-like
    memory : path-like, optional
        The folder of what is remembered.

    Attributes
    ----------
    text : str
        A parameter of the job; empty where nothing was ever amiss.
    files : dict of str to str or None
        The files that are amiss, with the SHA-256 of what they hold; None for those that are gone.
    """

    def __init__(self, manifest, memory=MEMORY):
        self._manifest, self._memory = Path(manifest), memory
        self._path = Path(memory) / "tokens" / f"{os.path.relpath(manifest)}.json"
        stored = read_json(self._path) if self._path.is_file() else {"token": "", "files": {}}
        self.text, self.files = stored["token"], stored["files"]

    def look(self) -> str:
        """Compare the batch's files with its manifest, and change the token where one is gone or differs.

        Returns
        -------
        str
            The token.
        """
        if self._manifest.is_file():
            amiss = self._amiss()
            if amiss and amiss != self.files:
                for path, sha256 in amiss.items():
                    what = "is gone" if sha256 is None else "is not what a job wrote"
                    logger.warning("%s %s; it is made again.", path, what)
                self._write(value_digest([self.text, amiss]), amiss)
        return self.text

    def settle(self) -> None:
        """Note that nothing is amiss any longer."""
        if self.files:
            self._write(self.text, {})

    def _write(self, text, files):
        self.text, self.files = text, files
        write_json(self._path, {"token": text, "files": files})

    def _amiss(self):
        known, amiss = Sums(self._manifest, self._memory), {}
        try:
            rows = read_tsv(self._manifest)
        except MachineError:
            raise
        except SlidecafError:  # its own job says so, and what to do
            return {str(self._manifest): _sha256(self._manifest)}
        for row in rows:
            path = os.path.normpath(self._manifest.parent / row["file"])
            try:
                size, sha256 = known(path)
            except FileNotFoundError:
                amiss[path] = None
                continue
            if (str(size), sha256) != (row["size"], row["sha256"]):
                amiss[path] = sha256
        known.save()
        return amiss
