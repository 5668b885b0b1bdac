"""Small images of two classes, and training of a tiny network on them."""

import numpy as np
import pytest
import torch

from slidecaf.study.config import ClassificationNetwork
from slidecaf.training.checkpoint import Checkpoint
from slidecaf.training.examples import Whole
from slidecaf.training.loop import train
from slidecaf.training.networks import build_network

SIZE = 32
"""Px that the network sees."""

HELD_BACK = np.arange(16) % 4 == 0
"""Of the images."""


@pytest.fixture(autouse=True)
def one_thread():
    """Compute with one thread, as the workers beside this one do."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def images():
    """16 squares of 40 px, of which every other one is red, and their labels."""
    generator = torch.Generator().manual_seed(0)
    squares = torch.randint(0, 255, (16, 3, 40, 40), generator=generator, dtype=torch.uint8)
    labels = np.arange(16) % 2
    squares[labels == 1, 0] = 250
    return squares, labels


@pytest.fixture
def settings():
    """Return a function: the settings of a tiny network, with some changed."""

    def made(**changed):
        given = {"kind": "network", "input_size": SIZE, "epochs": 3, "batch_size": 4, **changed}
        return ClassificationNetwork.model_validate(given)

    return made


@pytest.fixture
def trained(images, tmp_path):
    """Return a function: train on the images, every fourth of which is held back."""
    squares, labels = images

    def run(settings, *, held_back=HELD_BACK, squares=squares, build=None, **further):
        own = {"checkpoint": Checkpoint(tmp_path / "checkpoint", "same"), "seed": "0/final", **further}
        return train(
            build or (lambda: build_network(settings, 2, seed=1)),
            Whole(squares, [f"image-{k}" for k in range(16)], labels, held_back),
            classes=2,
            settings=settings,
            **own,
        )

    return run
