"""Kind ``network``: a network trained on a part's training images, and used on those that it never saw.

It reads images and no vectors, so that its rules are ``network`` and ``network_decisions`` in place of ``classifier``
and ``decisions``; they write the same files. A grouped, stratified part of the training images is held back from
learning: its loss chooses the epoch and the learning rate, and the network's confidences of it are what probabilities
are fitted to. A confidence is the log odds of a class.

Kind ``cam-two-stage`` trains twice: once on whole images, and once more, from what was learned so, on what the first
stage looks at in them (`slidecaf.training.crops`), cut out of the images as they are stored. Both stages hold back the
same images, and what a part's first stage looks at is all that its second one sees, also of images to decide on.

With ``patches_of`` a network learns from patches of slides, each with its slide's label (`slidecaf.training.patches`).
A slide's confidence is then the log odds of the mean of its patches' probabilities.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.special import log_softmax, logsumexp

from slidecaf.classification.classifier import write_decisions, write_inner, write_selection
from slidecaf.classification.folds import assign_folds, check_inner_folds, inner_fold_count
from slidecaf.classification.vectors import held_out_slides, rows_of, training_slides
from slidecaf.errors import SlidecafError
from slidecaf.features.extraction.devices import device
from slidecaf.features.networks.weights import weights_sha256
from slidecaf.files.fingerprints import value_digest
from slidecaf.files.tables import read_json, read_tsv, write_json, write_tsv
from slidecaf.files.versions import origin
from slidecaf.logs import logger
from slidecaf.study.config import classification_method
from slidecaf.study.names import confidence_columns
from slidecaf.training.checkpoint import Checkpoint
from slidecaf.training.crops import look
from slidecaf.training.examples import Whole
from slidecaf.training.file import read_tensors, write_tensors
from slidecaf.training.images import Images
from slidecaf.training.loop import COLUMNS, Trained, logits_of, train
from slidecaf.training.networks import Network, build_network, empty_network, input_size_of
from slidecaf.training.patches import Drawn, Patches, judge_slides

BOX = ("crop_x", "crop_y", "crop_width", "crop_height")
"""Columns of decisions by two stages: the part of the image that the second one saw, in px."""


def fit_network(
    *,
    choice,
    selection,
    model,
    inner,
    network,
    curves,
    checkpoint,
    folds,
    part: str,
    rows: Sequence[Mapping],
    slides: Mapping[str, Mapping],
    paths: Mapping,
    limits: Mapping,
    classes: Sequence[str],
    settings,
    seed: int,
    revision: Mapping[str, int],
    weights: str = "",
    threads: int = 1,
    on_bad_slide: str = "fail",
    method: str = "the method",
    tiles: Mapping | None = None,
    max_unreadable: float = 0.0,
) -> None:
    """Train a part's network, going on where an earlier job was killed, and write it with what was chosen.

    Parameters
    ----------
    choice, selection, model, inner : path-like
        The files that are written, as for `slidecaf.classification.classifier.fit_classifier`; ``selection.tsv`` is
        empty, and ``inner.tsv`` has the images held back.
    network, curves : path-like
        ``network.safetensors``, with the digest of every image that it read, and ``curves.tsv``, loss and accuracy by
        learning rate and epoch.
    checkpoint : path-like
        What training goes on from, and a second stage from a file beside it; both are removed in the end.
    folds, part, rows, classes, settings, seed, threads, on_bad_slide, method
        As for `slidecaf.classification.classifier.fit_classifier`. Networks trained on a CPU differ in their last bits
        with the number of threads.
    slides : mapping of str to mapping
        Slide to its ``digest`` and, as the sheet has them, ``mpp`` and ``scene``; of the training rows at least.
    paths : mapping of str to path-like
    limits : mapping
        As for `slidecaf.slides.Limits.from_config`.
    revision : mapping of str to int
        Of the packages that compute this.
    weights : str, optional
        The digest of a weights file that training begins with.
    tiles : mapping of str to path-like, optional
        Slide to its tiles file, where a network learns from patches.
    max_unreadable : float, optional
        The share, 0 to 1, of a slide's patches that may be unreadable.

    Raises
    ------
    SlidecafError
        If an image cannot be read and `on_bad_slide` is ``fail``, a class has no image, learning rates are to be chosen
        among and nothing can be held back, the loss is no number, or network and weights cannot be had.
    """
    wanted = training_slides(read_tsv(folds), part)
    how = {"limits": limits, "threads": threads, "on_bad_slide": on_bad_slide}
    read = partial(open_pixels, slides, paths, settings, **how)
    images = read(wanted, tiles=tiles, max_unreadable=max_unreadable)
    used = rows_of(rows, images.slides, classes)
    known = {slide: slides[slide] for slide in images.slides}
    if settings.patches_of:
        known = {slide: {**own, "patches": images.places(slide)} for slide, own in known.items()}
    made_from = value_digest(
        {"part": part, "rows": used, "images": known, "classes": list(classes), "settings": settings.given()}
        | {"seed": seed, "weights": weights, "revision": dict(revision)}
    )
    held_back = _held_back(used, settings, seed, method)
    torch.set_num_threads(threads)
    with device() as on:
        learn = partial(_learn, classes, settings, f"{seed}/{part}", on, method)
        stages = [learn(images, used, held_back, Checkpoint(checkpoint, made_from))]
        if settings.stages == 2:
            seen, _ = _looked_at(stages[0].network, images, read, settings, on)
            crops = rows_of(rows, seen.slides, classes)
            again = Checkpoint(of_stage_2(checkpoint), value_digest([made_from, _digest(stages[:1])]))
            stages.append(learn(seen, crops, held_back, again, begun=stages[0]))
        decided = _decide([one.network for one in stages], images.only(held_back), read, classes, settings, on)
    said = origin(revision, made_from=made_from, classes=list(classes), settings=_named(settings))
    said |= {"part": part, "device": on.type, "threads": threads, "began_with": weights}
    said |= {"images": {slide: own["digest"] for slide, own in known.items()}}
    write_tensors(network, _models([one.network for one in stages]).state_dict(), said)
    write_tsv(curves, *_curves(stages))
    write_json(choice, {**_choice(stages, settings), "left_out": sorted(set(wanted) - set(known))})
    write_selection(selection, {})
    own = {"settings": _named(settings), "weights_sha256": _digest(stages)}
    write_json(model, {**own, "classes": list(classes)})
    write_inner(inner, decided.told, classes)
    for path in (checkpoint, of_stage_2(checkpoint)):
        Checkpoint(path, made_from).remove()


def decide_network(
    path,
    *,
    model,
    network,
    folds,
    part: str,
    slides: Mapping[str, Mapping],
    paths: Mapping,
    limits: Mapping,
    test: Sequence[str] = (),
    threads: int = 1,
    on_bad_slide: str = "fail",
    tiles: Mapping | None = None,
    max_unreadable: float = 0.0,
) -> None:
    """Let a part's network decide on images that it never saw, and write ``decisions.tsv``.

    Parameters
    ----------
    path : path-like
        The table, as `slidecaf.classification.classifier.decide` writes it; a whole image is one patch.
    model, network : path-like
        ``model.json`` and ``network.safetensors`` of the part.
    folds, part, on_bad_slide
        As for `slidecaf.classification.classifier.decide`.
    slides, paths, limits, threads, tiles, max_unreadable
        As for `fit_network`; of the images to decide on at least.
    test : sequence of str, optional
        What ``final`` decides on.

    Raises
    ------
    SlidecafError
        If an image cannot be read and `on_bad_slide` is ``fail``, or a file is missing or damaged.
    """
    stored = read_json(model)
    settings, classes = classification_method(stored["settings"]), stored["classes"]
    wanted = sorted(test) if part == "final" else held_out_slides(read_tsv(folds), part)
    how = {"limits": limits, "threads": threads, "on_bad_slide": on_bad_slide}
    read = partial(open_pixels, slides, paths, settings, **how)
    images = read(wanted, tiles=tiles, max_unreadable=max_unreadable)
    torch.set_num_threads(threads)
    with device() as on:
        loaded = [one.to(on) for one in load_networks(network, settings, stored)]
        decided = _decide(loaded, images, read, classes, settings, on)
    status = images.status | decided.status
    write_decisions(
        path,
        wanted,
        decided.told,
        classes,
        patches={slide: decided.patches.get(slide, 0) for slide in wanted},
        status=status,
        further=decided.further,
        columns=further_columns(settings, classes),
    )


def open_pixels(
    sources: Mapping[str, Mapping],
    paths: Mapping,
    settings,
    wanted: Sequence[str],
    *,
    tiles: Mapping | None = None,
    max_unreadable: float = 0.0,
    **further,
) -> Images | Patches:
    """Return what a method's network sees of some slides.

    Parameters
    ----------
    sources, paths, tiles, max_unreadable
        As ``slides`` and the others of `fit_network`.
    settings : slidecaf.study.config.ClassificationNetwork
    wanted : sequence of str
        The slides.
    **further
        As for `slidecaf.training.images.Images`, or `slidecaf.training.patches.Patches`.

    Returns
    -------
    Images or Patches
        Images are read, patches are when they are asked for.
    """
    own = {slide: {**sources[slide], "path": paths[slide]} for slide in wanted}
    how = {"input_size": input_size_of(settings), "grey": settings.grey, **settings.image.plain()}
    if not settings.patches_of:
        return Images(wanted, own, **how, **further)
    how = {key: value for key, value in how.items() if key != "fit"} | {"max_unreadable": max_unreadable}
    return Patches(wanted, own, tiles, patches_per_slide=settings.patches_per_slide, **how, **further)


def passing(settings, on) -> dict:
    """Return how images go through a network, as `slidecaf.training.loop.logits_of` takes it.

    Parameters
    ----------
    settings : slidecaf.study.config.ClassificationNetwork
    on : torch.device

    Returns
    -------
    dict
    """
    return {"batch_size": settings.batch_size, "device": on, "precision": settings.precision}


def of_stage_2(checkpoint) -> Path:
    """Return what a second stage goes on from.

    Parameters
    ----------
    checkpoint : path-like
        Of the first one.

    Returns
    -------
    pathlib.Path
        Beside it.
    """
    path = Path(checkpoint)
    return path.with_name(f"{path.stem}.stage-2{path.suffix}")


def further_columns(settings, classes: Sequence[str]) -> list[str]:
    """Return the columns that decisions have beside those of every kind.

    Parameters
    ----------
    settings : slidecaf.study.config.ClassificationNetwork
    classes : sequence of str

    Returns
    -------
    list of str
        Of two stages the confidences of each, as ``stage_1_confidence``, and `BOX`.
    """
    if settings.stages == 1:
        return []
    return [*(f"stage_{k}_{column}" for k in (1, 2) for column in confidence_columns(classes)), *BOX]


def log_odds(logits) -> np.ndarray:
    """Return the log odds of classes, of a softmax's inputs.

    Parameters
    ----------
    logits : ndarray of float, shape (n, K)

    Returns
    -------
    ndarray of float64, shape (n,) or (n, K)
        Of the second of two classes; of more, of each.

    Examples
    --------
    >>> log_odds(np.log([[0.2, 0.8]])).round(4)
    array([1.3863])
    """
    logits = np.asarray(logits, np.float64)
    if logits.shape[1] == 2:
        return logits[:, 1] - logits[:, 0]
    others = [logsumexp(np.delete(logits, k, axis=1), axis=1) for k in range(logits.shape[1])]
    return logits - np.stack(others, axis=1)


def together(first, second) -> np.ndarray:
    """Return the logarithms of the mean probabilities of two stages.

    Parameters
    ----------
    first, second : ndarray of float, shape (n, K)
        The softmax's inputs of each.

    Returns
    -------
    ndarray of float64, shape (n, K)

    Examples
    --------
    >>> np.exp(together(np.log([[0.2, 0.8]]), np.log([[0.6, 0.4]]))).round(4)
    array([[0.4, 0.6]])
    """
    return np.logaddexp(log_softmax(first, axis=1), log_softmax(second, axis=1)) - np.log(2)


@dataclass(frozen=True, eq=False)
class _Stage:
    """What was learned of some images, and which of them were held back."""

    images: Images
    rows: list
    held_back: np.ndarray
    trained: Trained
    network: Network


@dataclass(frozen=True, eq=False)
class _Decided:
    """What networks say of images: confidences; of two stages what each says, and the images they could not read."""

    told: dict
    patches: dict
    further: dict = field(default_factory=dict)
    status: dict = field(default_factory=dict)


def _learn(classes, settings, seed, on, method, images, rows, held_back, checkpoint, begun=None):
    """Train a network on images, from what an earlier stage has learned where there is one."""
    out = np.array([held_back[slide] for slide in images.slides], bool)

    def build():
        network = build_network(settings, len(classes), seed=seed)
        if begun:
            network.model.load_state_dict(begun.trained.state)
        return network

    labels = [classes.index(row["label"]) for row in rows]
    trained = train(
        build,
        Drawn(images, labels, out, seed) if settings.patches_of else Whole(images.squares, images.slides, labels, out),
        classes=len(classes),
        settings=settings,
        seed=f"{seed}/stage-2" if begun else seed,
        checkpoint=checkpoint,
        device=on,
        method=f"{method}, stage 2" if begun else method,
    )
    network = empty_network(settings, len(classes))
    network.model.load_state_dict(trained.state)
    return _Stage(images, rows, out, trained, network.to(on))


def _looked_at(network, images, read, settings, on):
    """Return what a first stage looks at in images, as images; and of each image the box and its logits."""
    crops, logits = look(
        network,
        images.squares,
        images.sizes,
        threshold=settings.threshold,
        fit=settings.image.fit,
        **passing(settings, on),
    )
    if whole := sum(crop.whole for crop in crops):
        logger.warning(
            "in %d of %d images no region speaks for the class that the first stage predicts; they are taken whole",
            *(whole, len(crops)),
        )
    boxes = dict(zip(images.slides, (crop.box for crop in crops), strict=True))
    return read(images.slides, boxes=boxes), {
        slide: (boxes[slide], one) for slide, one in zip(images.slides, logits, strict=True)
    }


def _decide(networks, images, read, classes, settings, on):
    """Return what networks say of images that were read."""
    if not images.slides:
        return _Decided({}, {})
    if settings.patches_of:
        logits, patches, status = judge_slides(images, partial(logits_of, networks[0], **passing(settings, on)))
        told = log_odds(np.array(list(logits.values()))) if logits else []
        return _Decided(dict(zip(logits, told, strict=True)), patches, status=status)
    if len(networks) == 1:
        logits = logits_of(networks[0], images.squares, **passing(settings, on))
        return _Decided(dict(zip(images.slides, log_odds(logits), strict=True)), dict.fromkeys(images.slides, 1))
    seen, first = _looked_at(networks[0], images, read, settings, on)
    if not seen.slides:
        return _Decided({}, {}, status=seen.status)
    second = logits_of(networks[1], seen.squares, **passing(settings, on))
    whole = np.array([first[slide][1] for slide in seen.slides])
    told = log_odds(together(whole, second) if settings.decides == "both" else second)
    columns = further_columns(settings, classes)
    stages = np.column_stack([log_odds(whole), log_odds(second)])
    further = {
        slide: dict(zip(columns, [*own.tolist(), *first[slide][0]], strict=True))
        for slide, own in zip(seen.slides, stages, strict=True)
    }
    told = dict(zip(seen.slides, told, strict=True))
    return _Decided(told, dict.fromkeys(seen.slides, 1), further, seen.status)


def _models(networks):
    """Return what is kept of networks: the model of one, or those of both stages."""
    models = [network.model for network in networks]
    return (
        models[0] if len(models) == 1 else torch.nn.ModuleDict({f"stage-{k}": one for k, one in enumerate(models, 1)})
    )


def _digest(stages):
    return weights_sha256(_models([stage.network for stage in stages]))


def _curves(stages):
    """Return columns and rows of ``curves.tsv``; which stage it was is said where there are two."""
    if len(stages) == 1:
        return COLUMNS, stages[0].trained.curves
    rows = [{"stage": k, **row} for k, stage in enumerate(stages, 1) for row in stage.trained.curves]
    return ("stage", *COLUMNS), rows


def _held_back(rows, settings, seed, method):
    """Tell which images the network does not learn from: one of several parts, whole patients, of all classes."""
    labels, patients = ([row[key] for row in rows] for key in ("label", "patient"))
    count = inner_fold_count(labels, patients, settings.validation)
    if len(settings.learning_rate) > 1:
        then = " the learning_rate; write one"
        count = check_inner_folds(labels, patients, settings.validation, method=method, then=then)
    if count is None:
        logger.warning(
            "a class has one patient in the training rows: nothing is held back, and all %d epochs are run",
            settings.epochs,
        )
    dealt = np.ones(len(rows), int) if count is None else assign_folds(labels, patients, count, seed=seed)
    return {row["slide"]: bool(fold == 0) for row, fold in zip(rows, dealt, strict=True)}


def _choice(stages, settings):
    """Return what ``choice.json`` says: of two stages the numbers of the last one, and what both chose."""
    found = [_chosen(stage, settings) for stage in stages]
    if len(found) == 1:
        return found[0]
    first, second = found
    chosen = {**first["chosen"], **{f"stage_2_{key}": second["chosen"][key] for key in ("learning_rate", "epoch")}}
    listed = {
        key: [{"stage": k, **one} for k, own in enumerate(found, 1) for one in own[key]]
        for key in ("candidates", "dropped")
    }
    return {**second, "chosen": chosen, "note": f"Stage 1: {first['note']} Stage 2: {second['note']}", **listed}


def _chosen(stage, settings):
    """Return what ``choice.json`` says of one training."""
    trained, held_back = stage.trained, stage.held_back
    chosen = {"architecture": settings.architecture, "learning_rate": trained.learning_rate, "epoch": trained.epoch}
    n = int(held_back.sum())
    if not n:
        note = "A class has one patient: nothing was held back, and the last epoch was kept."
        return _said(chosen, 0, None, note, [{**chosen, **_judged(None, 0)}], trained)
    candidates = []
    for rate in settings.learning_rate:
        rows = [row for row in trained.curves if row["learning_rate"] == rate]
        if rows:
            best = min(rows, key=lambda row: (row["validation_loss"], row["epoch"]))
            own = {"learning_rate": rate, "epoch": best["epoch"]}
            candidates.append({**chosen, **own, **_judged(best["validation_accuracy"], n)})
    accuracy = next(one["accuracy"] for one in candidates if one["learning_rate"] == trained.learning_rate)
    groups = len({row["patient"] for row, out in zip(stage.rows, held_back, strict=True) if out})
    note = (
        f"Epoch and learning rate have the smallest loss on {n} of the {len(held_back)} training images, of {groups} "
        "groups, that the network did not learn from."
    )
    return _said(chosen, n, accuracy, note, candidates, trained)


def _said(chosen, n, accuracy, note, candidates, trained):
    folds = {"inner_folds": None, "inner_folds_wanted": None}
    return {"chosen": chosen, "n": n, **_judged(accuracy, n), **folds, "note": note, "candidates": candidates} | {
        "dropped": trained.dropped
    }


def _judged(accuracy, n):
    return {"correct": None if accuracy is None else round(accuracy * n), "accuracy": accuracy}


def _named(settings):
    """Return settings as files have them: weights by their file's name, wherever it lies."""
    given = settings.given()
    return given | ({"weights": given["weights"].rpartition("/")[2]} if "weights" in given else {})


def load_networks(path, settings, stored) -> list[Network]:
    """Load the networks of a part, and make sure that they are those that the model tells of.

    Parameters
    ----------
    path : path-like
        ``network.safetensors``.
    settings : slidecaf.study.config.ClassificationNetwork
    stored : mapping
        What ``model.json`` holds.

    Returns
    -------
    list of Network
        One, or those of both stages; on the CPU.

    Raises
    ------
    SlidecafError
        If the file is missing or damaged, or holds another network.
    """
    tensors, _ = read_tensors(path)
    networks = [empty_network(settings, len(stored["classes"])) for _ in range(settings.stages)]
    models = _models(networks)
    try:
        models.load_state_dict(tensors)
    except RuntimeError as error:
        raise SlidecafError(f"{path} holds another network than model.json says; delete it and run again.") from error
    if weights_sha256(models) != stored["weights_sha256"]:
        raise SlidecafError(f"{path} is not the network that model.json tells of; delete it and run again.")
    return networks
