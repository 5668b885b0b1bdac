"""What a model says of each patch of slides that it never saw: a score and a cluster, a file a slide."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slidecaf.classification.folds import judging_part
from slidecaf.classification.kinds import module_of
from slidecaf.features.file import one_output, open_features
from slidecaf.files.hdf5 import CHUNK_ROWS, create_hdf5, open_hdf5, put_array
from slidecaf.files.manifests import file_of, make_batch, slide_files
from slidecaf.files.tables import read_json, read_tsv
from slidecaf.study.names import split_output
from slidecaf.tiles.file import put_coords

NO_CLUSTER = -1
"""Of a patch that is not valid; its score is NaN."""


def score_patches(
    manifest, slides: Mapping[str, Mapping], settings: Mapping, *, kind, features, folds, models: Mapping
) -> None:
    """Score the patches of some slides, each by the model that never saw its slide.

    Each slide's file has ``coords``, as its features file has them; ``score`` (float32), positive for the positive
    class; and ``cluster`` (int16).

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to nothing of its own.
    settings : mapping
        ``revision`` and ``versions``.
    kind : str
        Of the method.
    features : sequence of path-like
        The manifests of the batch's features, one for each feature set that the method may have chosen.
    folds : path-like
        The table of folds. A slide that stands there is scored by the part that holds it out, and any other by
        ``final``.
    models : mapping of str to path-like
        Part to ``model.json``, of the parts that these slides need at least.

    Raises
    ------
    SlidecafError
        After the other slides are done, if a file is damaged.
    """
    module, folder = module_of(kind), Path(manifest).parent
    part_of = judging_part(read_tsv(folds))
    of_features = {Path(path).parent.name: slide_files([path]) for path in features}
    stored = {part: read_json(path) for part, path in models.items()}
    of_model = {part: file_of(path) for part, path in models.items()}

    def source(slide):
        return of_features[split_output(stored[part_of(slide)]["features"])[0]][slide]

    def work(slide, files, origin):
        model = stored[part_of(slide)]
        with open_features(source(slide).path) as file:
            coords, attributes = file["coords"][:], dict(file["coords"].attrs)
            vectors = one_output(file, split_output(model["features"])[1])
            score, cluster = np.full(len(coords), np.nan, np.float32), np.full(len(coords), NO_CLUSTER, np.int16)
            for start in range(0, len(coords), CHUNK_ROWS):
                valid = start + np.flatnonzero(file["valid"][start : start + CHUNK_ROWS])
                if len(valid):
                    block = vectors[start : start + CHUNK_ROWS][valid - start]
                    score[valid], cluster[valid] = module.patch_scores(model, block)
        attributes |= {"classes": model["classes"]}
        with create_hdf5(files["patches"], origin=origin) as file:
            put_coords(file, coords, attributes)
            put_array(file, "score", score)
            put_array(file, "cluster", cluster)

    make_batch(
        manifest,
        slides,
        work,
        outputs=lambda slide: {"patches": folder / f"{slide}.h5"},
        settings=settings,
        inputs=lambda slide: {"features": source(slide), "model": of_model[part_of(slide)]},
    )


@dataclass(frozen=True, eq=False)
class PatchScores:
    """The scores of a slide's valid patches.

    Attributes
    ----------
    coords : ndarray of int64, shape (N, 2)
        x and y at level 0.
    score : ndarray of float32, shape (N,)
    cluster : ndarray of int, shape (N,)
    attributes : dict
        Of the coordinates, as in the features file; none of the patches' size where the slide has none.
    """

    coords: np.ndarray
    score: np.ndarray
    cluster: np.ndarray
    attributes: dict


def read_patch_scores(path) -> PatchScores:
    """Read what `score_patches` wrote of a slide.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    PatchScores

    Raises
    ------
    SlidecafError
        If the file is missing or damaged.
    """
    with open_hdf5(path) as file:
        score, cluster = file["score"][:], file["cluster"][:]
        valid = cluster != NO_CLUSTER
        return PatchScores(file["coords"][:][valid], score[valid], cluster[valid], dict(file["coords"].attrs))
