"""Where images show what their class is told by: the membership of their places, drawn over them.

mg(x) = sum over l of c_l gamma_l(x), with the weights c_l of the model that never saw the image (Pan et al., 2019). A
place above the mean membership of the mixture, sum of w_l c_l, counts as foreground.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from slidecaf.classification.fisher.mixtures import Codebook, read_mixtures
from slidecaf.errors import SlidecafError, SlideError
from slidecaf.features.rows import read_rows
from slidecaf.files.atomic import atomic
from slidecaf.files.manifests import file_of, make_batch, slide_files
from slidecaf.files.tables import read_json, read_tsv, write_tsv
from slidecaf.logs import logger
from slidecaf.pooling.fisher.encoding import membership
from slidecaf.slides import Limits, open_slide
from slidecaf.slides.thumbnail import UNREAD, thumbnail
from slidecaf.study.names import set_of_part, split_output

LONGEST = 256
"""Px of the longer side of each of a map's pictures."""

GAP = 8
"""Px between them."""

RAMP = np.array([[40, 10, 80], [200, 50, 70], [255, 230, 90]], float)
"""R, G and B of the least membership, the mean of the mixture, and twice that or more."""

OPACITY = 0.55
"""Of the membership over the picture."""

BACKGROUND = 0.12
"""How much of the picture is seen where it is no foreground."""

COLUMNS = ("slide", "split", "fold", "threshold", "foreground", "auc")


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


def draw(picture, values, threshold) -> Image.Image:
    """Draw a picture, its memberships over it, and what of it is foreground, side by side.

    Parameters
    ----------
    picture : ndarray of uint8, shape (h, w, 3)
    values : ndarray, shape (h, w)
        From `spread`.
    threshold : float

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    place = np.clip(np.nan_to_num(values) / (threshold or 1), 0, 2)
    colours = np.stack([np.interp(place, [0, 1, 2], RAMP[:, channel]) for channel in range(3)], axis=2)
    known = ~np.isnan(values)[..., None]
    grey = picture.mean(axis=2, keepdims=True)
    over = np.where(known, (1 - OPACITY) * grey + OPACITY * colours, picture)
    with np.errstate(invalid="ignore"):
        kept = np.where((values > threshold)[..., None], picture, 255 - BACKGROUND * (255 - grey))
    paper = np.full((len(picture), GAP, 3), 255)
    parts = [picture, paper, over, paper, kept]
    return Image.fromarray(
        np.concatenate([np.broadcast_to(p, (*p.shape[:2], 3)) for p in parts], axis=1).astype(np.uint8)
    )


def read_mask(path, size, shape) -> np.ndarray:
    """Read the mask of an image, as large as its map.

    Parameters
    ----------
    path : path-like
        Of a picture; all but 0 is the lesion.
    size : (int, int)
        Width and height of the image in px of level 0.
    shape : (int, int)
        Height and width of the map.

    Returns
    -------
    ndarray of bool

    Raises
    ------
    SlidecafError
        If it cannot be read, or has another size than the image.
    """
    try:
        with Image.open(path) as opened:
            if opened.size != tuple(size):
                raise SlidecafError(
                    f"{path}: the mask has {opened.size[0]} x {opened.size[1]} px and its image {size[0]} x {size[1]}; "
                    "make them equal, or leave column mask empty."
                )
            full = np.asarray(opened.convert("L")) > 0
    except OSError as error:
        raise SlidecafError(
            f"{path}: the mask cannot be read ({error}); replace it, or leave column mask empty."
        ) from error
    small = Image.fromarray((255 * full).astype(np.uint8)).resize(shape[::-1], Image.Resampling.BOX)
    return np.asarray(small) > 127


def area_under_curve(values, mask) -> float | None:
    """Return how often a pixel of the lesion has a larger membership than one beside it.

    Parameters
    ----------
    values : ndarray, shape (h, w)
        NaN is left out.
    mask : ndarray of bool, shape (h, w)

    Returns
    -------
    float or None
        None where one of the two is missing.
    """
    from sklearn.metrics import roc_auc_score

    known = ~np.isnan(values)
    truth = mask[known]
    return float(roc_auc_score(truth, values[known])) if 0 < truth.sum() < truth.size else None


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
    part_of = {row["slide"]: f"fold-{row['fold']}" for row in read_tsv(folds)}
    stored = {part: read_json(path) for part, path in models.items()}
    files = {name: slide_files(listed) for name, listed in features.items()}
    of_model = {part: [file_of(path), file_of(mixtures[part])] for part, path in models.items()}
    fitted = {}

    def part(slide):
        return part_of.get(slide, "final")

    def source(slide):
        name = split_output(stored[part(slide)]["features"])[0]
        return files.get(set_of_part(name, part(slide)), files.get(name))[slide]

    def codebook(name):
        if name not in fitted:
            encoding = stored[name]["fisher"]
            book = Codebook(stored[name]["features"], encoding["pca"], encoding["components"])
            fitted[name] = *read_mixtures(mixtures[name], lambda known: [book]).fitted[book], encoding["weights"]
        return fitted[name]

    def work(slide, made, origin):
        projection, mixture, weights = codebook(part(slide))
        threshold = float(mixture.weights @ np.asarray(weights))
        said = {"threshold": threshold}
        try:
            with open_slide(
                paths[slide], name=slide, scene=slides[slide]["scene"], limits=Limits.from_config(limits)
            ) as opened:
                if masks[slide] and opened.orientation != 1:
                    raise SlidecafError(
                        f"slide {slide}: {paths[slide]} says that it is shown turned (orientation "
                        f"{opened.orientation}), and {masks[slide]} may be meant for either; save the slide with its "
                        "px turned and without that tag, or leave column mask empty."
                    )
                picture, size = thumbnail(opened, longest=LONGEST), (opened.width, opened.height)
        except SlideError as error:
            if on_bad_slide == "fail":
                raise
            logger.warning("left out: %s", error)
            picture, size = np.full((LONGEST // 4, LONGEST, 3), UNREAD, np.uint8), (LONGEST, LONGEST // 4)
        rows = read_rows(source(slide).path, slide, output=split_output(stored[part(slide)]["features"])[1])
        values = np.full(picture.shape[:2], np.nan)
        if len(rows.vectors):
            member = membership(mixture.posteriors(projection(rows.vectors)), weights)
            values = spread(member, rows.boxes, rows.scales, size, picture.shape[:2])
            with np.errstate(invalid="ignore"):
                said["foreground"] = float((values > threshold).mean())
            if masks[slide]:
                said["auc"] = area_under_curve(values, read_mask(masks[slide], size, values.shape))
        texts = PngInfo()
        for key, value in said.items():
            texts.add_text(key, "" if value is None else repr(value))
        with atomic(made["map"]) as partial:
            draw(picture, values, threshold).save(partial, "PNG", pnginfo=texts)

    make_batch(
        manifest,
        slides,
        work,
        outputs=lambda slide: {"map": folder / f"{slide}.png"},
        settings=settings,
        inputs=lambda slide: {"features": source(slide), "model": of_model[part(slide)]},
    )


def write_map_scores(path, manifests, *, folds, splits) -> None:
    """Write what maps say of themselves as a table, a row a slide: ``maps.tsv``.

    Parameters
    ----------
    path : path-like
    manifests : sequence of path-like
        Of `draw_maps`.
    folds : path-like
        The table of folds.
    splits : mapping of str to str
        Slide to ``train`` or ``test``.

    Raises
    ------
    SlidecafError
        If a map is missing.
    """
    fold_of, rows = {row["slide"]: row["fold"] for row in read_tsv(folds)}, []
    for slide, file in sorted(slide_files(manifests).items()):
        with Image.open(file.path) as opened:
            said = dict(opened.text)
        rows.append({"slide": slide, "split": splits[slide], "fold": fold_of.get(slide, ""), **said})
    write_tsv(path, COLUMNS, rows)
