"""Training: epochs over augmented images, each judged on images that the network does not learn from.

Every candidate learning rate starts from the same values. The epoch and the learning rate with the smallest loss on the
images held back are kept; a candidate that does not come below its best for `patience` epochs ends. All draws come of
seeds made of the seed, the part, the epoch and the image, so that training that was killed goes on from the last whole
epoch to the same bytes on a CPU as if it had not been.
"""

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from slidecaf.errors import SlidecafError
from slidecaf.logs import logger, progress
from slidecaf.study.config import NO_AUGMENTATION
from slidecaf.training.augment import augmented, plain, seed_of
from slidecaf.training.checkpoint import Checkpoint, optimiser_tensors, restore_optimiser
from slidecaf.training.examples import Examples
from slidecaf.training.images import padding
from slidecaf.training.networks import Network

COLUMNS = ("learning_rate", "epoch", "loss", "accuracy", "validation_loss", "validation_accuracy")
"""Of the curves. Loss and accuracy of an epoch are those of the augmented images, as the network learned from them."""

FACTOR = 0.1
"""By which a step of the learning rate multiplies it."""


@dataclass(frozen=True, eq=False)
class Trained:
    """What training gives.

    Attributes
    ----------
    state : dict of str to torch.Tensor
        The tensors of the network's model.
    learning_rate : float
    epoch : int
        From 1: after how many the network was kept.
    curves : list of dict
        A row a learning rate and epoch, as `COLUMNS`.
    dropped : list of dict
        Learning rates with which the loss was no number.
    """

    state: dict
    learning_rate: float
    epoch: int
    curves: list
    dropped: list


class _NoNumber(Exception):
    """The loss is no number."""


def train(
    build: Callable[[], Network],
    examples: Examples,
    *,
    classes: int,
    settings,
    seed,
    checkpoint: Checkpoint,
    device="cpu",
    method: str = "the method",
) -> Trained:
    """Train a network, going on from a checkpoint where there is one.

    Parameters
    ----------
    build : callable
        Returns the network as training begins, always the same.
    examples : slidecaf.training.examples.Examples
        What the network learns from, and what it does not learn from, by which epochs and learning rates are judged;
        where there is nothing of that, all epochs are run and the last one is kept.
    classes : int
    settings : slidecaf.study.config.ClassificationNetwork
    seed : str or int
        Of all draws: of the study and the part.
    checkpoint : Checkpoint
        Written after each epoch.
    device : str or torch.device, optional
    method : str, optional
        What errors call it.

    Returns
    -------
    Trained

    Raises
    ------
    SlidecafError
        If the loss is no number with any learning rate, or a batch takes more than the memory there is.
    """
    weights = class_weights(examples.learned_labels, classes, settings.class_weight)
    run = _Run(examples, weights, settings, seed, torch.device(device))
    state = checkpoint.read()
    if state.curves:
        last = state.curves[-1]
        logger.info("going on after epoch %d at learning rate %g", last["epoch"], last["learning_rate"])
    left = (len(settings.learning_rate) * settings.epochs - len(state.curves)) * len(examples.learned_labels)
    with _steady(), progress(left, f"{method}, training", unit="images") as advance, ThreadPoolExecutor(1) as reading:
        run.advance = advance
        run.reading = None if run.device.type == "cpu" else reading
        for rate in settings.learning_rate:
            try:
                _train_candidate(run, build, rate, state, checkpoint)
            except _NoNumber:
                epoch = 1 + sum(row["learning_rate"] == rate for row in state.curves)
                state.dropped.append({"learning_rate": rate, "epoch": epoch})
                said = f"{method}: with a learning rate of {rate:g} the loss of epoch {epoch} is no number"
                if len(state.dropped) == len(settings.learning_rate):
                    raise SlidecafError(
                        f"{said}; write a smaller learning_rate, or see whether weights suit the images. The "
                        f"checkpoint of the last good epoch, {checkpoint.path}, stays."
                    ) from None
                logger.warning("dropped: %s", said)
    best = _best(state.curves, settings.learning_rate, run.judges)
    return Trained(state.best, best["learning_rate"], best["epoch"], state.curves, state.dropped)


def _train_candidate(run, build, rate, state, checkpoint):
    """Run the epochs of a learning rate that are left."""
    settings, rates = run.settings, run.settings.learning_rate
    if any(row["learning_rate"] == rate for row in state.dropped):
        return
    if state.curves and rates.index(state.curves[-1]["learning_rate"]) > rates.index(rate):
        return  # it is done
    curve = [row for row in state.curves if row["learning_rate"] == rate]
    network = build()
    if curve:
        network.model.load_state_dict(state.network)
    network.to(run.device)
    tuned = [one for one in network.parameters() if one.requires_grad]
    optimiser = _optimiser(tuned, settings, rate)
    if curve:
        restore_optimiser(optimiser, state.optimiser)
    judges = run.judges
    for epoch in range(len(curve) + 1, settings.epochs + 1):
        if judges and curve and epoch - 1 - _best(curve, [rate], True)["epoch"] >= settings.patience:
            return
        for group in optimiser.param_groups:
            group["lr"] = rate * scheduled(settings, epoch)
        row = {"learning_rate": rate, "epoch": epoch, **run.epoch(network, optimiser, epoch)}
        curve.append(row)
        state.curves.append(row)
        state.network = {key: tensor.detach().cpu() for key, tensor in network.model.state_dict().items()}
        state.optimiser = optimiser_tensors(optimiser)
        if _best(state.curves, rates, judges) is row:
            state.best = {key: tensor.clone() for key, tensor in state.network.items()}
        checkpoint.write(state)


def _best(curves, rates, judged):
    """Return the row with the smallest loss on images held back, the first of several; without such the last row."""
    if not judged:
        return curves[-1]
    return min(curves, key=lambda row: (row["validation_loss"], rates.index(row["learning_rate"]), row["epoch"]))


def _optimiser(parameters, settings, rate):
    decay = settings.weight_decay
    if settings.optimiser == "sgd":
        return torch.optim.SGD(parameters, rate, momentum=0.9, weight_decay=decay)
    return torch.optim.AdamW(parameters, rate, weight_decay=decay)


def scheduled(settings, epoch: int) -> float:
    """Return by what the learning rate of an epoch is multiplied.

    Parameters
    ----------
    settings : slidecaf.study.config.ClassificationNetwork
        ``schedule``: ``cosine`` falls from 1 to 0 over ``epochs``, ``step`` to a tenth after every third of them.
    epoch : int
        From 1.

    Returns
    -------
    float
    """
    done = (epoch - 1) / settings.epochs
    if settings.schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    return FACTOR ** int(3 * done) if settings.schedule == "step" else 1.0


def class_weights(labels, classes: int, how: str) -> torch.Tensor:
    """Return by how much an image of each class counts.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
    classes : int
    how : {"none", "balanced"}
        All images alike; or all classes, n / (classes x images of the class).

    Returns
    -------
    torch.Tensor of float32, shape (classes,)

    Examples
    --------
    >>> class_weights([0, 0, 0, 1], 2, "balanced")
    tensor([0.6667, 2.0000])
    """
    counts = np.bincount(labels, minlength=classes)
    weights = len(labels) / (classes * np.maximum(counts, 1)) if how == "balanced" else np.ones(classes)
    return torch.tensor(weights, dtype=torch.float32)


def logits_of(
    network: Network, squares: torch.Tensor, *, batch_size: int, device="cpu", precision="fp32"
) -> np.ndarray:
    """Return a network's outputs of images as they are.

    The last batch is filled up: the last bits of an image's outputs depend on how many others there are.

    Parameters
    ----------
    network : Network
    squares : torch.Tensor of uint8, shape (n, c, S, S)
    batch_size : int
    device : str or torch.device, optional
        The network's.
    precision : {"fp32", "bf16"}, optional

    Returns
    -------
    ndarray of float64, shape (n, K)

    Raises
    ------
    SlidecafError
        If even one image takes more than the memory there is; before, a batch is cut into halves.
    """
    network.eval()
    found, pieces = [], 1
    for start in range(0, len(squares), batch_size):
        some = plain(squares[start : start + batch_size], network.input_size)
        images = torch.zeros(batch_size, *some.shape[1:], dtype=torch.uint8)
        images[: len(some)] = some
        while True:
            try:
                with torch.inference_mode(), arithmetic(torch.device(device), precision):
                    given = torch.cat([network(piece.to(device)) for piece in images.chunk(pieces)])
                break
            except torch.OutOfMemoryError as error:
                pieces = _halved(len(images), pieces, 1, error)
        found.append(given[: len(some)].double().cpu())
    return torch.cat(found).numpy()


def _halved(images, pieces, least, error):
    """Return into how many pieces a batch is cut from now on, none of fewer than so many images."""
    if images // (2 * pieces) < least:
        raise SlidecafError(
            f"batch_size: even {images // pieces} images at once take more memory than the GPU has; write a smaller "
            "input_size or another architecture."
        ) from error
    logger.warning("a batch takes more memory than the GPU has; it is cut into %d", 2 * pieces)
    return 2 * pieces


def arithmetic(device, precision):
    """Return a context in which a network computes in a number format.

    Parameters
    ----------
    device : torch.device
    precision : {"fp32", "bf16"}

    Returns
    -------
    context manager
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


@contextmanager
def _steady():
    """Have torch take the same kernels in every run."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    tuned = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)  # a GPU has no such kernel of some layers
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = tuned


class _Run:
    """What all epochs of a part have in common."""

    def __init__(self, examples, weights, settings, seed, device):
        self.examples, self.settings, self.seed, self.device = examples, settings, seed, device
        self.weights, self.judges = weights.to(device), bool(len(examples.judged_labels))
        self.augment, self.fill = settings.augment or NO_AUGMENTATION, padding(settings.grey)
        self.pieces = 1  # of a batch, where a whole one does not fit into a GPU
        # a GPU may take more images than one thread draws; a CPU is busy with the network
        self.drawing = 1 if device.type == "cpu" else torch.get_num_threads()
        self.advance = lambda count: None
        self.reading, self._ahead = None, {}

    def _drawn(self, epoch):
        """Return what an epoch learns from. While a GPU learns from it, what the next one draws is read."""
        if self.reading is None:
            return self.examples.of_epoch(epoch)
        # nothing is ahead of a learning rate's first one
        waiting = self._ahead.get(epoch) or self.reading.submit(self.examples.of_epoch, epoch)
        more = epoch < self.settings.epochs
        self._ahead = {epoch + 1: self.reading.submit(self.examples.of_epoch, epoch + 1)} if more else {}
        return waiting.result()

    def epoch(self, network, optimiser, epoch):
        """Learn from every image once, and judge; return a row of the curves without rate and epoch."""
        began, drawn = time.monotonic(), self._drawn(epoch)
        order, labels = drawn.learned.copy(), torch.from_numpy(drawn.labels.astype(np.int64))
        np.random.default_rng([seed_of(self.seed, epoch)]).shuffle(order)
        torch.manual_seed(seed_of(self.seed, epoch, "dropout"))
        # of one image alone there is nothing to normalise a batch by
        count = max(1, min(math.ceil(len(order) / self.settings.batch_size), len(order) // 2))
        batches = np.array_split(order, count)
        lost = right = weight = 0.0
        network.train()
        with ThreadPoolExecutor(self.drawing) as ahead:  # the next batch, while the network learns from this one
            waiting = self._changed(ahead, drawn, batches[0], network.input_size, epoch)
            for number, batch in enumerate(batches):
                images = torch.stack([one.result() for one in waiting])
                if number + 1 < len(batches):
                    waiting = self._changed(ahead, drawn, batches[number + 1], network.input_size, epoch)
                of_batch = self._learn(network, optimiser, images, labels[batch])
                lost, right, weight = lost + of_batch[0], right + of_batch[1], weight + of_batch[2]
                if not math.isfinite(lost):
                    raise _NoNumber
                self.advance(len(batch))
        row = {"loss": lost / weight, "accuracy": right / len(order)}
        row |= {"validation_loss": None, "validation_accuracy": None, **self._judge(network)}
        taken = time.monotonic() - began
        said = ", ".join(f"{key.replace('_', ' ')} {value:.4f}" for key, value in row.items() if value is not None)
        logger.info(
            "epoch %d of %d: %s; %.0f images a second, at most %.0f min left at this learning rate",
            *(epoch, self.settings.epochs, said, len(order) / taken, (self.settings.epochs - epoch) * taken / 60),
        )
        return row

    def _changed(self, ahead, drawn, batch, size, epoch):
        """Let threads draw the images of a batch as an epoch sees them; return what each will give."""

        def changed(place):
            seed = seed_of(self.seed, epoch, drawn.names[place])
            return augmented(drawn.squares[place], size, self.augment, self.fill, seed)

        return [ahead.submit(changed, place) for place in batch.tolist()]

    def _learn(self, network, optimiser, images, labels):
        """Take a step; return the batch's loss, how many images were right, and their weight."""
        total = float(self.weights.cpu()[labels].sum())
        while True:
            optimiser.zero_grad(set_to_none=True)
            lost = right = 0.0
            try:
                for piece, truth in zip(images.chunk(self.pieces), labels.chunk(self.pieces), strict=True):
                    truth = truth.to(self.device)
                    with arithmetic(self.device, self.settings.precision):
                        logits = network(piece.to(self.device))
                    loss = cross_entropy(logits, truth, self.weights, reduction="sum")
                    (loss / total).backward()
                    lost += loss.item()
                    right += int((logits.argmax(1) == truth).sum())
            except torch.OutOfMemoryError as error:
                self.pieces = _halved(len(images), self.pieces, 2, error)
                continue
            if math.isfinite(lost):
                optimiser.step()
            return lost, right, total

    def _judge(self, network):
        """Return loss and accuracy of the images held back; nothing where there are none."""
        if not self.judges:
            return {}
        logits = logits_of(
            network,
            self.examples.judged_squares(),
            batch_size=self.settings.batch_size,
            device=self.device,
            precision=self.settings.precision,
        )
        truth = torch.from_numpy(self.examples.judged_labels.astype(np.int64))
        logits = torch.from_numpy(self.examples.judged_logits(logits))
        loss = cross_entropy(logits, truth, self.weights.cpu().double()).item()
        if not math.isfinite(loss):
            raise _NoNumber
        return {"validation_loss": loss, "validation_accuracy": float((logits.argmax(1) == truth).double().mean())}
