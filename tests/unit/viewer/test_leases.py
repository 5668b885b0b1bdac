import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from slidecaf.viewer.leases import Leases


class Value:
    def __init__(self, weight=1):
        self.weight, self.closed = weight, False

    def close(self):
        assert not self.closed
        self.closed = True


def test_values_are_shared_and_the_oldest_is_closed_when_there_is_no_room():
    leases = Leases(2, lambda value: value.weight)
    made = {}

    def take(key):
        with leases.lease(key, lambda: made.setdefault(key, Value())) as value:
            assert not value.closed
            return value

    first = take("a")
    take("b")
    assert take("a") is first
    take("c")
    assert [made[key].closed for key in "abc"] == [False, True, False]


def test_a_value_in_use_is_never_closed():
    leases = Leases(0, lambda value: value.weight)
    with leases.lease("a", Value) as value:
        with leases.lease("b", Value) as other:
            pass
        assert other.closed
        assert not value.closed
    assert value.closed


def test_what_fails_is_tried_anew_and_holds_no_room():
    leases = Leases(5, lambda value: value.weight)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), leases.lease("a", lambda: 1 / 0):
            pass
    with leases.lease("a", Value) as value:
        assert not value.closed


def test_threads_that_ask_at_once_get_one_value():
    leases, made, together = Leases(5, lambda value: value.weight), [], threading.Barrier(8)

    def make():
        made.append(Value())
        return made[-1]

    def take(_):
        together.wait()
        with leases.lease("a", make) as value:
            return value

    with ThreadPoolExecutor(8) as pool:
        assert len(set(map(id, pool.map(take, range(8))))) == 1
    assert len(made) == 1
