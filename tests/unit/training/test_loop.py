"""Training learns, chooses by images held back, and goes on after a kill to the same bytes."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from slidecaf.errors import SlidecafError
from slidecaf.training import loop
from slidecaf.training.checkpoint import Checkpoint
from slidecaf.training.examples import Whole
from slidecaf.training.loop import class_weights, logits_of, scheduled
from slidecaf.training.networks import build_network


class Killed(BaseException):
    """In place of SIGKILL."""


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_a_network_learns_to_tell_red_images(trained, settings):
    found = trained(settings(epochs=12, learning_rate=[0.003], augment={"rotate": 5}))
    assert found.curves[-1]["loss"] < 0.7 * found.curves[0]["loss"]
    assert max(row["validation_accuracy"] for row in found.curves) == 1


def test_the_epoch_kept_has_the_smallest_loss_and_its_tensors(trained, settings, images):
    found = trained(settings(epochs=5))
    losses = [row["validation_loss"] for row in found.curves]
    assert found.epoch == 1 + losses.index(min(losses))
    network = build_network(settings(), 2)
    network.model.load_state_dict(found.state)
    squares, labels = images
    held = np.arange(16) % 4 == 0
    logits = torch.from_numpy(logits_of(network, squares[held], batch_size=4))
    weights = class_weights(labels[~held], 2, "balanced").double()
    own = cross_entropy(logits, torch.from_numpy(labels[held]), weights).item()
    assert own == pytest.approx(min(losses), rel=1e-9)


def test_images_held_back_change_nothing_of_what_is_learned_from_others(trained, settings, images, tmp_path):
    squares, _ = images
    other = squares.clone()
    other[np.arange(16) % 4 == 0] = 0
    first = trained(settings(epochs=1), checkpoint=Checkpoint(tmp_path / "a", "x"))
    second = trained(settings(epochs=1), squares=other, checkpoint=Checkpoint(tmp_path / "b", "x"))
    assert same(first.state, second.state)
    assert first.curves[0]["loss"] == second.curves[0]["loss"]
    assert first.curves[0]["validation_loss"] != second.curves[0]["validation_loss"]


@pytest.mark.parametrize(("optimiser", "killed"), [("adamw", 5), ("sgd", 14)])
def test_killed_in_any_epoch_it_goes_on_to_the_same_bytes(trained, settings, tmp_path, monkeypatch, optimiser, killed):
    chosen = settings(epochs=3, learning_rate=[0.001, 0.01], optimiser=optimiser)
    undisturbed = trained(chosen, checkpoint=Checkpoint(tmp_path / "whole", "x"))
    learn, steps = loop._Run._learn, []

    def dies(self, *arguments):
        steps.append(1)
        if len(steps) == killed:
            raise Killed
        return learn(self, *arguments)

    monkeypatch.setattr(loop._Run, "_learn", dies)
    with pytest.raises(Killed):
        trained(chosen, checkpoint=Checkpoint(tmp_path / "cut", "x"))
    monkeypatch.undo()
    again = []
    monkeypatch.setattr(loop._Run, "_learn", lambda self, *given: again.append(1) or learn(self, *given))
    gone_on = trained(chosen, checkpoint=Checkpoint(tmp_path / "cut", "x"))
    assert same(gone_on.state, undisturbed.state)
    assert gone_on.curves == undisturbed.curves
    whole = 3 * len(undisturbed.curves)  # batches of an epoch
    assert len(again) == whole - (killed - 1) // 3 * 3  # no whole epoch was run again


def test_a_checkpoint_of_something_else_or_damaged_is_not_gone_on_from(trained, settings, tmp_path, caplog):
    path = tmp_path / "checkpoint"
    first = trained(settings(epochs=1), checkpoint=Checkpoint(path, "these images"))
    other = trained(settings(epochs=1), checkpoint=Checkpoint(path, "other images"))
    assert same(first.state, other.state)
    path.write_bytes(path.read_bytes()[:-100])
    assert same(trained(settings(epochs=1), checkpoint=Checkpoint(path, "other images")).state, first.state)
    assert "Training starts anew" in caplog.text


def test_patience_ends_a_candidate(trained, settings, monkeypatch):
    losses = iter([0.5, 0.4, 0.6, 0.7, 0.8, 0.9])
    monkeypatch.setattr(
        loop._Run, "_judge", lambda self, network: {"validation_loss": next(losses), "validation_accuracy": 0.5}
    )
    found = trained(settings(epochs=6, patience=2))
    assert [row["epoch"] for row in found.curves] == [1, 2, 3, 4]
    assert found.epoch == 2


def test_with_nothing_held_back_all_epochs_run_and_the_last_is_kept(trained, settings):
    found = trained(settings(epochs=3, patience=1), held_back=np.zeros(16, bool))
    assert (found.epoch, len(found.curves)) == (3, 3)
    assert found.curves[0]["validation_loss"] is None


def test_a_loss_that_is_no_number_ends_with_a_sentence_and_leaves_the_checkpoint(
    trained, settings, tmp_path, monkeypatch
):
    checkpoint, learn, steps = Checkpoint(tmp_path / "kept", "x"), loop._Run._learn, []

    def ruined(self, *given):
        steps.append(1)
        lost, right, weight = learn(self, *given)
        return (math.nan if len(steps) == 5 else lost), right, weight

    monkeypatch.setattr(loop._Run, "_learn", ruined)
    with pytest.raises(SlidecafError, match=r"^cnn: with a learning rate of 0\.001 the loss of epoch 2 is no number; "):
        trained(settings(epochs=4), checkpoint=checkpoint, method="cnn")
    assert len(checkpoint.read().curves) == 1


def test_a_learning_rate_that_does_not_do_is_dropped_where_there_are_others(trained, settings, caplog):
    found = trained(settings(epochs=2, optimiser="sgd", learning_rate=[1e30, 0.001], weight_decay=0))
    assert found.learning_rate == 0.001
    assert [row["learning_rate"] for row in found.dropped] == [1e30]
    assert "dropped: the method: with a learning rate of 1e+30" in caplog.text


def test_a_batch_that_a_gpu_has_no_room_for_is_cut(trained, settings, monkeypatch, tmp_path, caplog):
    whole = trained(settings(epochs=1, batch_size=8, augment=None), checkpoint=Checkpoint(tmp_path / "a", "x"))
    forward = loop.Network.forward

    def small(self, images):
        if self.training and len(images) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, images)

    monkeypatch.setattr(loop.Network, "forward", small)
    cut = trained(settings(epochs=1, batch_size=8, augment=None), checkpoint=Checkpoint(tmp_path / "b", "x"))
    assert "it is cut into 2" in caplog.text
    assert cut.curves[0]["loss"] == pytest.approx(whole.curves[0]["loss"], rel=0.5)

    def none(self, images):
        if self.training:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, images)

    monkeypatch.setattr(loop.Network, "forward", none)
    with pytest.raises(SlidecafError, match=r"batch_size: even \d images at once take more memory"):
        trained(settings(epochs=1, batch_size=8), checkpoint=Checkpoint(tmp_path / "c", "x"))


class Plain(nn.Module):
    """A network without dropout and batch normalisation, which finds no memory when it is called for some times."""

    input_size = 32

    def __init__(self, refused=()):
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
        )
        self.refused, self.seen = refused, []

    def forward(self, images):
        self.seen.append(len(images))
        if len(self.seen) in self.refused:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.model(images.float() / 255)


@pytest.mark.parametrize(("refused", "pieces"), [([1], [8, 4, 4]), ([1, 3], [8, 4, 4, 2, 2, 2, 2])])
def test_a_batch_that_was_cut_has_the_gradient_of_the_whole_one(settings, images, refused, pieces):
    torch.manual_seed(0)
    whole, cut = Plain(), Plain(refused)
    cut.load_state_dict(whole.state_dict())
    some, labels = images[0][:8], torch.tensor([0, 0, 0, 1, 0, 0, 1, 0])
    examples, weights = Whole(images[0], [""] * 16, images[1], [False] * 16), torch.tensor([0.4, 1.7])
    told = []
    for network in (whole, cut):
        run = loop._Run(examples, weights, settings(), 0, torch.device("cpu"))
        told.append(run._learn(network, torch.optim.SGD(network.parameters(), 0.1), some, labels))
    assert cut.seen == pieces
    assert told[1] == pytest.approx(told[0], rel=1e-6)
    for one, other in zip(whole.parameters(), cut.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-6)  # and so the step


def test_a_batch_that_a_gpu_has_no_room_to_judge_is_cut_too(images, caplog):
    torch.manual_seed(0)
    network = Plain()
    wanted = logits_of(network, images[0], batch_size=8)
    network.refused, network.seen = [1], []
    np.testing.assert_allclose(logits_of(network, images[0], batch_size=8), wanted, rtol=1e-6)
    assert network.seen == [8, 4, 4, 4, 4]
    assert "it is cut into 2" in caplog.text
    network.refused, network.seen = range(100), []
    with pytest.raises(SlidecafError, match=r"batch_size: even 1 images at once take more memory"):
        logits_of(network, images[0], batch_size=8)


def test_several_threads_draw_what_one_draws(settings, images):
    examples = Whole(images[0], [f"image-{k}" for k in range(16)], images[1], [False] * 16)
    chosen = settings(augment={"rotate": 20, "crop": 0.5, "flip": "both"})
    rows = []
    for threads in (1, 3):  # as on a CPU, and as beside a GPU
        run = loop._Run(examples, torch.ones(2), chosen, 0, torch.device("cpu"))
        run.drawing = threads
        network = build_network(chosen, 2, seed=1)
        rows.append(run.epoch(network, torch.optim.SGD(network.parameters(), 0.1), 1))
    assert rows[0] == rows[1]


def test_beside_a_gpu_the_next_epoch_is_read_while_one_is_learned_from(settings, images):
    chosen, asked = settings(epochs=3), []

    class Told(Whole):
        def of_epoch(self, epoch):
            asked.append(epoch)
            return super().of_epoch(epoch)

    examples = Told(images[0], [f"image-{k}" for k in range(16)], images[1], [False] * 16)
    rows, seen = [], []
    for beside_a_gpu in (False, True):
        run = loop._Run(examples, torch.ones(2), chosen, 0, torch.device("cpu"))
        network = build_network(chosen, 2, seed=1)
        optimiser = torch.optim.SGD(network.parameters(), 0.1)
        with ThreadPoolExecutor(1) as reading:
            run.reading = reading if beside_a_gpu else None
            for epoch in (1, 2, 3, 1):  # of another learning rate
                rows.append(run.epoch(network, optimiser, epoch))
        seen.append(asked[:])
        asked.clear()
    assert rows[:4] == rows[4:]
    assert seen == [[1, 2, 3, 1], [1, 2, 3, 1, 2]]


def test_an_images_outputs_do_not_depend_on_the_others(settings, images):
    network = build_network(settings(), 2, seed=3)
    together = logits_of(network, images[0], batch_size=4)
    for place in (0, 7, 15):
        alone = logits_of(network, images[0][place : place + 1], batch_size=4)
        np.testing.assert_array_equal(alone[0], together[place])


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [("constant", [1] * 6), ("step", [1, 1, 0.1, 0.1, 0.01, 0.01]), ("cosine", [1, 0.933, 0.75, 0.5, 0.25, 0.067])],
)
def test_schedules(settings, schedule, wanted):
    chosen = settings(epochs=6, schedule=schedule)
    assert [scheduled(chosen, epoch) for epoch in range(1, 7)] == pytest.approx(wanted, abs=1e-3)
