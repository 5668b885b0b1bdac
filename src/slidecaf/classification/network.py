"""Kind ``network``: a network trained on a part's training images, and used on those that it never saw.

It reads images and no vectors, so that its rules are ``network`` and ``network_decisions`` in place of ``classifier``
and ``decisions``; they write the same files. A grouped, stratified part of the training images is held back from
learning: its loss chooses the epoch and the learning rate, and the network's confidences of it are what probabilities
are fitted to. A confidence is the log odds of a class.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.special import logsumexp

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
from slidecaf.study.status import STATUS_OK
from slidecaf.training.checkpoint import Checkpoint
from slidecaf.training.file import read_tensors, write_tensors
from slidecaf.training.images import Images
from slidecaf.training.loop import COLUMNS, logits_of, train
from slidecaf.training.networks import build_network, empty_network, input_size_of


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
        What training goes on from; it is removed in the end.
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

    Raises
    ------
    SlidecafError
        If an image cannot be read and `on_bad_slide` is ``fail``, a class has no image, learning rates are to be chosen
        among and nothing can be held back, the loss is no number, or network and weights cannot be had.
    """
    wanted = training_slides(read_tsv(folds), part)
    images = _read(wanted, slides, paths, settings, limits=limits, threads=threads, on_bad_slide=on_bad_slide)
    used = rows_of(rows, images.slides, classes)
    labels, patients = ([row[key] for row in used] for key in ("label", "patient"))
    held_back = _held_back(labels, patients, settings, seed, method)
    known = {slide: slides[slide] for slide in images.slides}
    made_from = value_digest(
        {"part": part, "rows": used, "images": known, "classes": list(classes), "settings": settings.given()}
        | {"seed": seed, "weights": weights, "revision": dict(revision)}
    )
    kept = Checkpoint(checkpoint, made_from)
    torch.set_num_threads(threads)
    with device() as on:
        trained = train(
            lambda: build_network(settings, len(classes), seed=f"{seed}/{part}"),
            images.squares,
            images.slides,
            [classes.index(label) for label in labels],
            held_back=held_back,
            classes=len(classes),
            settings=settings,
            seed=f"{seed}/{part}",
            checkpoint=kept,
            device=on,
            method=method,
        )
        loaded = empty_network(settings, len(classes))
        loaded.model.load_state_dict(trained.state)
        told = _confidences(loaded.to(on), images.squares[held_back], settings, on)
    said = origin(revision, made_from=made_from, classes=list(classes), settings=_named(settings))
    said |= {"part": part, "device": on.type, "threads": threads, "began_with": weights}
    said |= {"images": {slide: own["digest"] for slide, own in known.items()}}
    write_tensors(network, trained.state, said)
    write_tsv(curves, COLUMNS, trained.curves)
    write_json(
        choice, {**_chosen(trained, settings, patients, held_back), "left_out": sorted(set(wanted) - set(known))}
    )
    write_selection(selection, {})
    own = {"settings": _named(settings), "weights_sha256": weights_sha256(loaded.model.cpu())}
    write_json(model, {**own, "classes": list(classes)})
    write_inner(inner, dict(zip(np.array(images.slides)[held_back].tolist(), told, strict=True)), classes)
    kept.remove()


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
) -> None:
    """Let a part's network decide on images that it never saw, and write ``decisions.tsv``.

    Parameters
    ----------
    path : path-like
        The table, as `slidecaf.classification.classifier.decide` writes it; an image is one patch.
    model, network : path-like
        ``model.json`` and ``network.safetensors`` of the part.
    folds, part, on_bad_slide
        As for `slidecaf.classification.classifier.decide`.
    slides, paths, limits, threads
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
    images = _read(wanted, slides, paths, settings, limits=limits, threads=threads, on_bad_slide=on_bad_slide)
    torch.set_num_threads(threads)
    with device() as on:
        loaded = _load(network, settings, stored)
        told = _confidences(loaded.to(on), images.squares, settings, on)
    write_decisions(
        path,
        wanted,
        dict(zip(images.slides, told, strict=True)),
        classes,
        patches={slide: int(images.status[slide] == STATUS_OK) for slide in wanted},
        status=images.status,
    )


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


def _read(wanted, slides, paths, settings, **further):
    sources = {slide: {**slides[slide], "path": paths[slide]} for slide in wanted}
    how = {"input_size": input_size_of(settings), "grey": settings.grey, "fit": settings.image.fit}
    return Images(wanted, sources, **how, **further)


def _confidences(network, squares, settings, on):
    if not len(squares):
        return ()
    how = {"batch_size": settings.batch_size, "precision": settings.precision}
    return log_odds(logits_of(network, squares, device=on, **how))


def _held_back(labels, patients, settings, seed, method):
    """Return which images the network does not learn from: one of several parts, whole patients, of all classes."""
    count = inner_fold_count(labels, patients, settings.validation)
    if len(settings.learning_rate) > 1:
        then = " the learning_rate; write one"
        count = check_inner_folds(labels, patients, settings.validation, method=method, then=then)
    if count is None:
        logger.warning(
            "a class has one patient in the training rows: nothing is held back, and all %d epochs are run",
            settings.epochs,
        )
        return np.zeros(len(labels), bool)
    return assign_folds(labels, patients, count, seed=seed) == 0


def _chosen(trained, settings, patients, held_back):
    """Return what ``choice.json`` says."""
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
    groups = len(set(np.array(patients)[held_back]))
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


def _load(path, settings, stored):
    """Load a network, and make sure that it is the one that the model tells of."""
    tensors, _ = read_tensors(path)
    loaded = empty_network(settings, len(stored["classes"]))
    try:
        loaded.model.load_state_dict(tensors)
    except RuntimeError as error:
        raise SlidecafError(f"{path} holds another network than model.json says; delete it and run again.") from error
    if weights_sha256(loaded.model) != stored["weights_sha256"]:
        raise SlidecafError(f"{path} is not the network that model.json tells of; delete it and run again.")
    return loaded
