"""What a network learns from in an epoch, and what it is judged by: whole images here, patches in `patches`."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch


class Epoch(NamedTuple):
    """What an epoch learns from.

    Attributes
    ----------
    squares : torch.Tensor of uint8, shape (n, c, S, S)
    names : sequence of str, n of them
        What is drawn of a square depends on its name.
    labels : ndarray of int, shape (n,)
    learned : ndarray of int, shape (m,)
        The squares that are learned from, each once.
    """

    squares: torch.Tensor
    names: Sequence[str]
    labels: np.ndarray
    learned: np.ndarray


class Examples(Protocol):
    """What training asks for.

    Attributes
    ----------
    learned_labels : ndarray of int, shape (m,)
        Of what an epoch learns from, in any order: classes are weighted by them.
    judged_labels : ndarray of int, shape (j,)
        Of what epochs are judged by; empty where nothing is held back.
    """

    learned_labels: np.ndarray
    judged_labels: np.ndarray

    def of_epoch(self, epoch: int) -> Epoch:
        """Return what an epoch, counted from 1, learns from: the same whenever it is asked for."""

    def judged_squares(self) -> torch.Tensor:
        """Return the squares that epochs are judged by."""

    def judged_logits(self, logits: np.ndarray) -> np.ndarray:
        """Return the softmax's inputs, shape (j, K), of what is judged, from those of its squares."""


class Whole:
    """Images that are one square each, the same in every epoch.

    Parameters
    ----------
    squares : torch.Tensor of uint8, shape (n, c, S, S)
    names : sequence of str, n of them
    labels : array_like of int, shape (n,)
        From 0.
    held_back : array_like of bool, shape (n,)
        The images that epochs are judged by.
    """

    def __init__(self, squares: torch.Tensor, names: Sequence[str], labels, held_back):
        held_back, labels = np.asarray(held_back, bool), np.asarray(labels)
        self._all = Epoch(squares, names, labels, np.flatnonzero(~held_back))
        self._judged = np.flatnonzero(held_back)
        self.learned_labels, self.judged_labels = labels[~held_back], labels[held_back]

    def of_epoch(self, epoch: int) -> Epoch:
        """Return all images, whichever the epoch is."""
        return self._all

    def judged_squares(self) -> torch.Tensor:
        """Return the images held back."""
        return self._all.squares[self._judged]

    def judged_logits(self, logits: np.ndarray) -> np.ndarray:
        """Return logits as they are: an image is one square."""
        return logits
