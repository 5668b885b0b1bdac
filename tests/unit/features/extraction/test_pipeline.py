"""The thread that keeps a GPU busy, with a card that is a CPU: order, errors, and who waits for whom."""

import threading
import time

import numpy as np
import pytest
import torch

from slidecaf.errors import SlidecafError
from slidecaf.features.extraction import pipeline as pipelines
from slidecaf.features.extraction.linear import Linear
from slidecaf.features.extraction.pipeline import LAUNCHED, Pipeline

CPU = torch.device("cpu")


class Card:
    """Computes at once, and notes what was launched and what was waited for."""

    def __init__(self):
        self.launched, self.landed = [], []

    def ready(self, pixels):
        return pixels

    def launch(self, compute, pixels, piece):
        self.launched.append(piece)
        return compute(pixels, piece), Arrival(self.landed, piece)


class Arrival:
    def __init__(self, landed, piece):
        self._landed, self._piece = landed, piece

    def synchronize(self):
        self._landed.append(self._piece)


def read(piece):
    return torch.full((2, 3), float(piece)), np.array([True, piece != 5]), None if piece != 5 else "bad."


def encode(pixels, piece):
    return (pixels + 1).to(torch.float16)


def until(condition):
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def test_what_comes_by_a_card_is_what_comes_by_workers():
    with Pipeline(2, CPU) as by_workers, Pipeline(2, CPU, card=Card()) as by_card:
        expected, found = (list(one.run(read, encode, range(40))) for one in (by_workers, by_card))
    assert len(found) == 40
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
        assert one[2] == other[2]
    assert not found[5][0][1].any()


def test_the_card_goes_on_while_features_are_being_written_and_waits_only_for_room(monkeypatch):
    card = Card()
    with Pipeline(2, CPU, card=card) as pipeline:
        results = pipeline.run(read, encode, range(40))
        next(results)  # and nothing more is taken: the disk is slow
        until(lambda: card.launched == list(range(40)))
        assert len(list(results)) == 39
    monkeypatch.setattr(pipelines, "HELD", 5 * 12)  # bytes of five pieces
    card = Card()
    with Pipeline(2, CPU, card=card) as pipeline:
        results = pipeline.run(read, encode, range(40))
        until(lambda: len(card.launched) >= 6)
        time.sleep(0.1)
        assert len(card.launched) <= 6 + 1 + LAUNCHED + 1
        assert len(list(results)) == 40


def test_the_next_slide_is_launched_before_the_last_row_of_this_one_is_taken():
    card, begun = Card(), []

    def behind(pieces):
        return lambda: begun.append(pipeline.run(read, encode, pieces, ahead=behind([90])))

    with Pipeline(1, CPU, card=card) as pipeline:
        first = pipeline.run(read, encode, range(9), ahead=behind([70, 71]))
        until(lambda: len(card.launched) == 9)
        time.sleep(0.05)
        assert not begun  # nobody takes the first one yet: slides do not begin one another to the last
        assert int(next(first)[0][0, 0]) == 1
        until(lambda: card.launched == [*range(9), 70, 71])
        assert [int(rows[0, 0]) for rows, *_ in first] == [2, 3, 4, 5, 6, 7, 8, 9]
        assert len(begun) == 1
        assert [int(rows[0, 0]) for rows, *_ in begun[0]] == [71, 72]
        assert len(begun) == 2  # the one behind it is under way before it ends


@pytest.mark.parametrize("where", ["read", "encode"])
def test_an_error_is_raised_where_features_are_taken_after_those_that_came_before(where):
    def fail(*given):
        if given[-1] == 7:
            raise SlidecafError("seven.")
        return (read if where == "read" else encode)(*given)

    work = {"read": read, "encode": encode, where: fail}
    with Pipeline(2, CPU, card=Card()) as pipeline:
        results = pipeline.run(work["read"], work["encode"], range(20))
        with pytest.raises(SlidecafError, match=r"seven\."):
            for _ in results:
                pass


def test_who_takes_no_more_leaves_nothing_running_and_the_next_slide_whole(monkeypatch):
    monkeypatch.setattr(pipelines, "HELD", 12)
    before = threading.active_count()
    with Pipeline(2, CPU, card=Card()) as pipeline:
        first, second = (pipeline.run(read, encode, range(30)) for _ in range(2))
        next(first)
        first.close()
        assert len(list(second)) == 30
        pipeline.run(read, encode, range(30))  # never asked for
    assert threading.active_count() == before


def test_values_that_are_no_numbers_are_refused_with_a_head_as_without():
    head = Linear(np.ones((1, 3)), np.zeros(1), CPU)
    for value, said in ((np.nan, "not a number"), (np.inf, "above 65,504")):
        for one in (None, head):
            with (
                Pipeline(1, CPU, head=one) as pipeline,
                pytest.raises(SlidecafError, match=f"features: a value is {said}"),
            ):
                list(pipeline.run(read, lambda x, piece, v=value: torch.full((2, 3), v, dtype=torch.float16), [0]))
            with Pipeline(1, CPU, head=one) as pipeline:  # of a patch that cannot be read it says nothing

                def broken(x, piece, v=value):
                    rows = torch.ones(2, 3, dtype=torch.float16)
                    rows[1] = v
                    return rows

                ((rows, valid, _),) = pipeline.run(read, broken, [5])
                assert valid.tolist() == [True, False]
                assert not rows[1].any()
