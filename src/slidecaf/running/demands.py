"""What jobs ask of a cluster: memory and time.

Snakemake looks at these where a profile bounds them or sends jobs to a cluster, and never to decide what to run
again. Amounts are generous, since a job that is killed costs more than one that waits a little longer, and each
further attempt asks for as much again. A batch needs the memory of its most demanding slide and the time of all.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import ceil
from types import MappingProxyType

from slidecaf.errors import SlidecafError
from slidecaf.tiles.tiling import Tiling

PIXELS_A_BYTE = 8
"""Of JPEG in a pyramid: CMU-1 of OpenSlide's test data has 8.5."""

USUAL_MPP = 0.5
"""Where a tiling counts at a resolution and the sheet gives none."""

USUAL_STRIDE = 256
"""Of features that another program computed."""

READ = 5e6
"""Px a second of a slide that is read as a whole, on a slow machine."""

BYTES_A_PATCH = 64
"""Coordinates, what is kept of cells and maps: benchmarks/RESULTS.md has 30 to 60."""

HELD_BYTES = 4096 * 6
"""Of a patch that a job holds to learn from: 4,096 values as stored, of 16 bit, and standardised, of 32."""

LEARNED = 20
"""Patches a second that a job learns from, of a slow machine: 150 rounds of boosting of 4 clusters."""

WHOLE = (".png", ".jpg", ".jpeg")
"""Suffixes of files that are decoded whole, at 4 bytes a pixel."""

SITE_KEYS = ("extraction_partition", "extraction_gpu_model", "extraction_gpus")
"""By which a profile says, among its default resources, where jobs with a network run."""


def extraction_demands(site: Mapping[str, str]) -> dict:
    """Return what jobs that run a network ask for beside memory and time.

    Parameters
    ----------
    site : mapping of str to str
        The profile's values of those of `SITE_KEYS` that it has.

    Returns
    -------
    dict
        ``gpu``, 0 or 1, and, where the profile names them, ``slurm_partition`` and ``gpu_model``.

    Raises
    ------
    SlidecafError
        If a job would get several GPUs.

    Examples
    --------
    >>> extraction_demands({"extraction_partition": "gpu", "extraction_gpu_model": "a100"})
    {'gpu': 1, 'slurm_partition': 'gpu', 'gpu_model': 'a100'}
    >>> extraction_demands({"extraction_gpus": "0"})
    {'gpu': 0}
    """
    partition, model, gpus = (site.get(key) for key in SITE_KEYS)
    asked = {"gpu": 1 if gpus is None else int(gpus)}
    if asked["gpu"] > 1:
        raise SlidecafError(
            f"extraction_gpus is {gpus} in the profile; a job uses one GPU: write 1, or 0 where there are none."
        )
    if partition is not None:
        asked["slurm_partition"] = partition
    if model is not None and asked["gpu"]:
        asked["gpu_model"] = model
    return asked


def demands_where(uses: Callable, extraction: Mapping[str, object], partition: str | None) -> dict[str, Callable]:
    """Return what the jobs of a rule ask for of which only some use a GPU.

    Parameters
    ----------
    uses : callable
        Wildcards to something true where the job does.
    extraction : mapping of str to object
        What such jobs ask for: the same as those that run a network, from `extraction_demands`.
    partition : str or None
        Where all other jobs run, as the profile has it.

    Returns
    -------
    dict of str to callable
        Wildcards to the same as `extraction`, or to no GPU and the partition of other jobs.
    """
    usual = {"gpu": 0, "slurm_partition": partition}

    def asked(key):
        return lambda wildcards: extraction[key] if uses(wildcards) else usual.get(key)

    return {key: asked(key) for key in extraction}


class Demands:
    """Resource functions of a study.

    Parameters
    ----------
    rows : mapping of str to slidecaf.study.sheets.Row
        Slide to its row.
    batches : mapping of int to sequence of str
        The slides of each batch.
    tilings : mapping of str to Tiling or None
        Feature set to its tiling; None where another program computed it.
    features_of : callable
        Wildcards to the feature set that a job is about.
    size : callable
        Path to the bytes of a slide; 0 where it is yet to be drawn.
    shards : mapping of str to mapping of int to sequence of str, optional
        Feature set of whole images to the slides of each shard.
    """

    def __init__(
        self,
        rows: Mapping,
        batches: Mapping[int, Sequence[str]],
        tilings: Mapping[str, Tiling | None],
        features_of: Callable,
        size: Callable,
        *,
        shards: Mapping[str, Mapping[int, Sequence[str]]] = MappingProxyType({}),
    ):
        self._rows, self._batches, self._tilings, self._features_of = rows, batches, tilings, features_of
        self._shards = shards
        self._pixels = cache(lambda slide: PIXELS_A_BYTE * size(rows[slide].path))

    def patches(self, slide: str, features: str) -> float:
        """Guess how many patches a slide has, if it is full of tissue, by the size of its file.

        Parameters
        ----------
        slide, features : str

        Returns
        -------
        float
        """
        if features in self._shards:
            return 1
        tiling = self._tilings[features]
        if tiling is None:
            return self._pixels(slide) / USUAL_STRIDE**2
        finer = tiling.mpp / (self._rows[slide].mpp or USUAL_MPP) if tiling.mpp else 1
        return self._pixels(slide) / (tiling.stride * finer) ** 2

    def slides(self, wildcards) -> Sequence[str]:
        """Return the slides of a job.

        Parameters
        ----------
        wildcards : slidecaf.running.jobs.wildcards.Wildcards

        Returns
        -------
        sequence of str
            Of its shard or batch, of all tasks.
        """
        if hasattr(wildcards, "shard"):
            return self._shards[wildcards.features][int(wildcards.shard)]
        return self._batches[int(wildcards.batch)]

    def memory(
        self,
        base: float,
        *,
        a_patch: float = 0,
        a_pixel: float = 0,
        a_slide: float = 0,
        held: Callable = lambda wildcards: 0,
    ) -> Callable:
        """Return a resource function: MB for the attempt.

        Parameters
        ----------
        base : float
            MB.
        a_patch, a_pixel : float, optional
            Bytes for each of the batch's most demanding slide.
        a_slide : float, optional
            MB for each slide of the study, where a job reads all.
        held : callable, optional
            Wildcards to how many patches the job holds to learn from.

        Returns
        -------
        callable
        """

        def of_slide(slide, wildcards):
            of_patches = a_patch and a_patch * self.patches(slide, self._features_of(wildcards))
            return of_patches + a_pixel * self._pixels(slide)

        def amount(wildcards, attempt):
            own = self.slides(wildcards) if a_patch or a_pixel else []
            most = max((of_slide(slide, wildcards) for slide in own), default=0) + HELD_BYTES * held(wildcards)
            return attempt * ceil(base + a_slide * len(self._rows) + most / 1e6)

        return amount

    def slide_memory(self, base: float, *, a_patch: float = BYTES_A_PATCH) -> Callable:
        """Return a resource function: MB for the attempt at a job that reads slides, some of which are decoded whole.

        Parameters
        ----------
        base, a_patch : float
            As for `memory`.

        Returns
        -------
        callable
        """
        streamed, decoded = (self.memory(base, a_patch=a_patch, a_pixel=a_pixel) for a_pixel in (0, 4))

        def amount(wildcards, attempt):
            own = (self._rows[slide].path.lower() for slide in self.slides(wildcards))
            return (decoded if any(path.endswith(WHOLE) for path in own) else streamed)(wildcards, attempt)

        return amount

    def minutes(
        self,
        base: float,
        *,
        rate: float | Callable | None = None,
        a_slide: float = 0,
        held: Callable = lambda wildcards: 0,
    ) -> Callable:
        """Return a resource function: minutes for the attempt.

        Parameters
        ----------
        base : float
        rate : float or callable, optional
            Patches a second, or feature set to them; the batch's slides then take a minute each beside their patches.
        a_slide : float, optional
            Minutes for each slide of the study, where a job reads all.
        held : callable, optional
            As for `memory`.

        Returns
        -------
        callable
        """

        def amount(wildcards, attempt):
            asked = base + a_slide * len(self._rows) + held(wildcards) / LEARNED / 60
            if rate:
                features, own = self._features_of(wildcards), self.slides(wildcards)
                a_second = rate(features) if callable(rate) else rate
                patches = sum(self.patches(slide, features) for slide in own)
                # a small image takes no minute
                opened = sum(map(self._pixels, own)) / READ / 60 if features in self._shards else len(own)
                asked += opened + patches / a_second / 60
            return attempt * ceil(asked)

        return amount
