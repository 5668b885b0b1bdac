"""Where images show what their class is told by: the membership of their places, drawn over them.

mg(x) = sum over l of c_l gamma_l(x), with the weights c_l of the model that never saw the image (Pan et al., 2019). A
place above the mean membership of the mixture, sum of w_l c_l, counts as foreground.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from slidecaf.classification.class_maps import (
    LONGEST,
    area_under_curve,
    draw,
    opened_image,
    picture_of,
    read_mask,
    unread_picture,
    write_map,
)
from slidecaf.classification.fisher.mixtures import Codebook, read_mixtures
from slidecaf.classification.folds import judging_part
from slidecaf.errors import SlideError
from slidecaf.features.rows import read_rows
from slidecaf.files.manifests import file_of, make_batch, slide_files
from slidecaf.files.tables import read_json, read_tsv
from slidecaf.pooling.fisher.encoding import membership
from slidecaf.study.names import set_of_part, split_output


def spread(values, boxes, scales, size, shape) -> np.ndarray:
    """Lay values of places over an image.

    Where places of a scale overlap, a pixel has their mean; of several scales it has the mean of those that cover it.

    Parameters
    ----------
    values : ndarray, shape (n,)
    boxes : ndarray, shape (n, 4)
        x, y, width and height of each place in px of level 0.
    scales : ndarray, shape (n,)
    size : (int, int)
        Width and height of the image in px of level 0.
    shape : (int, int)
        Height and width of the map.

    Returns
    -------
    ndarray of float64
        NaN where no place is.
    """
    total, seen = np.zeros(shape), np.zeros(shape)
    edges = boxes.astype(np.float64)
    edges[:, 2:] += edges[:, :2]
    edges = np.rint(edges * (np.array([shape[1], shape[0]] * 2) / np.array([*size, *size]))).astype(int)
    for scale in np.unique(scales):
        own, count = np.zeros(shape), np.zeros(shape)
        for value, (left, top, right, bottom) in zip(values[scales == scale], edges[scales == scale], strict=True):
            own[top:bottom, left:right] += value
            count[top:bottom, left:right] += 1
        covered = count > 0
        total[covered] += own[covered] / count[covered]
        seen += covered
    return np.where(seen > 0, total / np.maximum(seen, 1), np.nan)


def draw_maps(
    manifest,
    slides: Mapping[str, Mapping],
    settings: Mapping,
    *,
    features,
    folds,
    models: Mapping,
    mixtures: Mapping,
    paths: Mapping,
    masks: Mapping,
    limits: Mapping,
    on_bad_slide: str,
) -> None:
    """Draw the memberships of some slides, each by the model that never saw it: a PNG a slide beside the manifest.

    Each PNG says in its texts ``threshold``, ``foreground`` (the share of it above the threshold) and, of a slide with
    a mask, ``auc``.

    Parameters
    ----------
    manifest : path-like
    slides : mapping of str to mapping
        Slide to its ``digest``, ``scene`` and the ``mask``'s digest.
    settings : mapping
        ``revision`` and ``versions``.
    features : dict of str to list of path-like
        Feature set, as it is computed, to the manifests that these slides are in.
    folds : path-like
        The table of folds. A slide that stands there is drawn by the part that holds it out, and any other by
        ``final``.
    models, mixtures : mapping of str to path-like
        Part to ``model.json`` and ``mixtures.h5``.
    paths, masks : mapping of str to path-like
        Slide to its file, and to its mask's, empty where it has none.
    limits : mapping
        ``max_megapixels`` and ``max_decoded_megapixels`` of the config.
    on_bad_slide : {"fail", "exclude"}
        Whether a slide that cannot be read is an error, or has a grey picture.

    Raises
    ------
    SlidecafError
        After the other slides are done, if one or its mask cannot be read, or a file is damaged.
    """
    folder = Path(manifest).parent
    part_of = judging_part(read_tsv(folds))
    stored = {part: read_json(path) for part, path in models.items()}
    files = {name: slide_files(listed) for name, listed in features.items()}
    of_model = {part: [file_of(path), file_of(mixtures[part])] for part, path in models.items()}
    fitted = {}

    def source(slide):
        name = split_output(stored[part_of(slide)]["features"])[0]
        return files.get(set_of_part(name, part_of(slide)), files.get(name))[slide]

    def codebook(name):
        if name not in fitted:
            encoding = stored[name]["fisher"]
            book = Codebook(stored[name]["features"], encoding["pca"], encoding["components"])
            fitted[name] = *read_mixtures(mixtures[name], lambda known: [book]).fitted[book], encoding["weights"]
        return fitted[name]

    def work(slide, made, origin):
        projection, mixture, weights = codebook(part_of(slide))
        threshold = float(mixture.weights @ np.asarray(weights))
        said = {"threshold": threshold}
        try:
            with opened_image(slide, paths[slide], slides[slide], masks[slide], limits=limits) as opened:
                picture, size = picture_of(opened), (opened.width, opened.height)
        except SlideError as error:
            picture, size = unread_picture(error, on_bad_slide), (LONGEST, LONGEST // 4)
        rows = read_rows(source(slide).path, slide, output=split_output(stored[part_of(slide)]["features"])[1])
        values = np.full(picture.shape[:2], np.nan)
        if len(rows.vectors):
            member = membership(mixture.posteriors(projection(rows.vectors)), weights)
            values = spread(member, rows.boxes, rows.scales, size, picture.shape[:2])
            with np.errstate(invalid="ignore"):
                said["foreground"] = float((values > threshold).mean())
            if masks[slide]:
                lesion = read_mask(masks[slide], size, values.shape, slide=slide)
                said["auc"] = area_under_curve(values, lesion)
        write_map(made["map"], draw(picture, values, threshold), said)

    make_batch(
        manifest,
        slides,
        work,
        outputs=lambda slide: {"map": folder / f"{slide}.png"},
        settings=settings,
        inputs=lambda slide: {"features": source(slide), "model": of_model[part_of(slide)]},
    )
