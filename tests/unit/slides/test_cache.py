import threading
import time

import numpy as np
import pytest

from slidecaf.slides.cache import SegmentCache


def segment(size):
    return np.zeros(size, np.uint8)


def test_a_segment_is_made_once_and_the_oldest_goes_first():
    cache, made = SegmentCache(limit=10), []

    def get(key):
        return cache.get(key, lambda: made.append(key) or segment(4))

    for key in "ababcba":  # c drops a, which was used before b
        get(key)
    assert made == ["a", "b", "c", "a"]


def test_a_segment_larger_than_the_limit_is_kept_alone():
    cache, made = SegmentCache(limit=10), []
    for _ in range(3):
        assert cache.get("large", lambda: made.append("large") or segment(50)).nbytes == 50
    cache.get("small", lambda: segment(5))
    cache.get("large", lambda: made.append("large") or segment(50))
    assert made == ["large", "large"]


def test_threads_wait_for_a_segment_that_one_of_them_makes():
    cache, made = SegmentCache(limit=10), []

    def make():
        made.append(1)
        time.sleep(0.05)
        return segment(4)

    threads = [threading.Thread(target=cache.get, args=("a", make)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_segment_that_could_not_be_made_is_tried_again():
    cache = SegmentCache(limit=10)
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: 1 / 0)
    assert cache.get("a", lambda: segment(4)).nbytes == 4


def test_nobody_writes_to_what_others_get():
    with pytest.raises(ValueError, match="read-only"):
        SegmentCache(limit=10).get("a", lambda: segment(4))[0] = 1
