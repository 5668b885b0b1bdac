"""Where every result lies: the one place that knows.

Paths are patterns with the wildcards ``task``, ``features``, ``method``, ``variant``, ``part``, ``rows``, ``setting``,
``slide``, ``batch`` and ``shard``, as Snakemake has them; `str.format` makes them paths.
"""

from pathlib import PurePosixPath


class Layout:
    """The paths of a study's results: each attribute is the pattern of a kind of file.

    Parameters
    ----------
    results : str, optional
        The folder of all results, relative to the study.
    model : str, optional
        The folder of the final models of a study that learns none of its own.

    Examples
    --------
    >>> layout = Layout("results")
    >>> layout.tiles.format(features="cnn-336", slide="gbm-01")
    'results/tiles/cnn-336/gbm-01.h5'
    >>> layout.batch(layout.tiles)
    'results/tiles/{features}/batch-{batch}.tsv'
    """

    def __init__(self, results: str = "results", model: str | None = None):
        self.results = results = results.rstrip("/")
        given = (model or results).rstrip("/")
        learned, mapped = f"{given}/classification/{{method}}", f"{given}/segmentation/{{method}}"
        classifier = f"{results}/classification/{{method}}"
        segmenter = f"{results}/segmentation/{{method}}"
        variant = f"{segmenter}/{{variant}}"
        self.logs, self.benchmarks = f"{results}/logs", f"{results}/benchmarks"
        self.study = f"{results}/study.yaml"
        self.report = f"{results}/report.html"
        self.encoder = f"{results}/encoders/{{features}}.json"
        self.tiles = f"{results}/tiles/{{features}}/{{slide}}.h5"
        self.shard = f"{results}/features/{{features}}/shard-{{shard}}.h5"
        self.features = f"{results}/features/{{features}}/{{slide}}.h5"
        self.labels = f"{results}/labels/{{features}}/{{slide}}.h5"
        self.pooled = f"{results}/pooled/{{features}}/{{slide}}.h5"
        self.thumbnail = f"{results}/thumbnails/{{slide}}.jpg"
        self.methods = f"{results}/{{task}}/comparison.tsv"
        # classification
        self.folds = f"{learned}/folds.tsv"
        self.choice = f"{learned}/{{part}}/choice.json"
        self.selection = f"{learned}/{{part}}/selection.tsv"
        self.model = f"{learned}/{{part}}/model.json"
        self.inner = f"{classifier}/{{part}}/inner.tsv"
        self.decisions = f"{classifier}/{{part}}/decisions.tsv"
        self.mixtures = f"{learned}/{{part}}/fisher/mixtures.h5"
        self.encoded = f"{classifier}/{{part}}/fisher/{{rows}}.h5"
        self.network = f"{learned}/{{part}}/network.safetensors"
        self.curves = f"{classifier}/{{part}}/curves.tsv"
        self.class_maps = f"{classifier}/maps/{{slide}}.png"
        self.map_scores = f"{classifier}/maps.tsv"
        self.heatmap = f"{classifier}/heatmap/{{slide}}.h5"
        self.evidence_figure = f"{classifier}/evidence.png"
        self.evidence_table = f"{classifier}/evidence.tsv"
        self.patch_scores = f"{classifier}/patches/{{slide}}.h5"
        self.predictions = f"{classifier}/predictions.tsv"
        self.scores = f"{classifier}/scores.json"
        self.neurons_figure = f"{classifier}/final/figure5.png"
        self.neurons_table = f"{classifier}/final/figure5.tsv"
        self.comparison = f"{results}/classification/comparison.json"
        self.ablated = f"{classifier}/ablation/{{setting}}.tsv"
        self.ablation = f"{results}/classification/ablation.tsv"
        # segmentation
        self.groups = f"{mapped}/folds.tsv"
        self.regions = f"{segmenter}/regions/{{slide}}.h5"
        self.region_labels = f"{segmenter}/labels/{{slide}}.h5"
        self.confidences = f"{segmenter}/confidences/{{slide}}.h5"
        self.patch_models = f"{mapped}/{{variant}}/{{part}}/model.h5"
        self.region_models = f"{mapped}/{{variant}}/{{part}}/clusters.json"
        self.map_choice = f"{mapped}/{{variant}}/{{part}}/choice.json"
        self.maps = f"{variant}/maps/{{slide}}.h5"
        self.confidence = f"{variant}/confidence/{{slide}}.tif"
        self.mask = f"{variant}/mask/{{slide}}.tif"
        self.overlay = f"{variant}/overlay/{{slide}}.jpg"
        self.score = f"{variant}/score/{{slide}}.json"
        self.segments = f"{variant}/{{slide}}"
        self.outlines = f"{variant}/geojson/{{slide}}.geojson"
        self.thresholds = f"{variant}/thresholds.tsv"
        self.hard_examples = f"{segmenter}/hard_examples.tsv"
        self.hard_examples_of_part = f"{segmenter}/hard/{{part}}/hard_examples.tsv"
        self.hard_examples_summary = f"{segmenter}/hard_examples.json"
        self.slide_scores = f"{segmenter}/scores.tsv"
        self.segmentation_scores = f"{segmenter}/scores.json"
        self.variants = f"{segmenter}/comparison.json"

    def patterns(self) -> list[str]:
        """Return the pattern of every file of results, manifests too; logs and benchmarks are apart.

        Returns
        -------
        list of str
        """
        files = [pattern for pattern in vars(self).values() if PurePosixPath(pattern).suffix]
        of_slides = [pattern for pattern in vars(self).values() if "{slide}" in pattern or "{shard}" in pattern]
        return [*files, *dict.fromkeys(map(self.batch, of_slides))]

    def batch(self, pattern: str) -> str:
        """Return the manifest beside a pattern's files of slides.

        Parameters
        ----------
        pattern : str
            Of a file a slide, or of shards, each of which has a manifest of its own.

        Returns
        -------
        str
        """
        if pattern == self.shard:
            return pattern.replace(".h5", ".tsv")
        return f"{pattern.rpartition('/')[0]}/batch-{{batch}}.tsv"

    def files_of_slide(self, pattern: str) -> tuple[str, ...]:
        """Return the patterns of the files that a slide has in a batch.

        Parameters
        ----------
        pattern : str
            Whose manifest lists them.

        Returns
        -------
        tuple of str
            The pattern itself, or all that a segmentation writes of a slide.
        """
        if pattern == self.segments:
            return self.confidence, self.mask, self.overlay, self.score
        return (pattern,)

    def checkpoint(self, method: str, part: str) -> str:
        """Return where a network lies while it is trained: a hidden file, which Snakemake does not delete.

        Parameters
        ----------
        method, part : str

        Returns
        -------
        str
        """
        folder, _, name = self.network.format(method=method, part=part).rpartition("/")
        return f"{folder}/.{name}.checkpoint"

    def log(self, step: str, pattern: str) -> str:
        """Return where the log of a step's job lies.

        Parameters
        ----------
        step : str
            The rule.
        pattern : str
            The wildcards that tell its jobs apart, such as ``{features}/batch-{batch}``; empty for a single job.

        Returns
        -------
        str
        """
        return f"{self.logs}/{step}{'/' if pattern else ''}{pattern}.log"

    def benchmark(self, step: str, pattern: str) -> str:
        """Return where the time and memory of a step's job are written; as `log`.

        Parameters
        ----------
        step, pattern : str

        Returns
        -------
        str
        """
        return f"{self.benchmarks}/{step}{'/' if pattern else ''}{pattern}.tsv"
