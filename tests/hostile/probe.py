"""Reads each of many files in a process of its own, with limits on its time and memory, and says what came of it.

Run as a program, it takes a list of jobs as JSON: [{"kind": "slide" or "mask", "path", ...}]. Its libraries are loaded
once; each job is a fork of it.
"""

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

MEMORY = 1024
"""MiB of addresses that a job may take beyond those of the libraries."""

SECONDS = 20
"""Of computing, after which a job is killed."""

WAIT = 120
"""Seconds after which a job is killed, though it only waits."""

PATCH = 256


def probe(jobs, *, root, timeout=500):
    """Run jobs; return for each its outcome, a dict of ``what`` and more.

    ``what`` is "read", the name of an exception, "killed by signal N", or "took too long".
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.probe"],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}", "OMP_NUM_THREADS": "1"},
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def read_slide(path, *, save):
    """Read a slide as a run does: its patches, then each of them."""
    import numpy as np

    from slidecaf.errors import SlideError
    from slidecaf.slides import open_slide
    from slidecaf.tiles.grid import tile
    from slidecaf.tiles.tiling import Tiling

    with open_slide(path, name="case-7") as slide:
        with suppress(SlideError):  # told again below, patch by patch
            tile(slide, Tiling(PATCH, PATCH, "drop", white_above=200))
        shown = np.zeros((slide.height, slide.width, 3), np.uint8) if save else None
        unread, said = [], None
        coords = tile(slide, Tiling(PATCH, PATCH, "cover")).coords.tolist()
        for x, y in coords:
            try:
                patch = slide.read_padded(x, y, PATCH, PATCH)
            except SlideError as error:
                unread.append((x, y))
                said = str(error)
                continue
            if save:
                place = shown[y : y + PATCH, x : x + PATCH]
                place[:] = patch[: place.shape[0], : place.shape[1]]
        for index, level in enumerate(slide.levels):
            with suppress(SlideError):
                slide.read(0, 0, min(level.width, PATCH), min(level.height, PATCH), index)
        if save:
            np.save(save, shown)
        return {"patches": len(coords), "unread": unread, "message": said, "mpp": slide.mpp}


def read_mask(path, *, save, width, height):
    """Read a mask as a run does."""
    import numpy as np

    from slidecaf.segmentation.cells import Cells
    from slidecaf.segmentation.labels import count_masks
    from slidecaf.segmentation.masks import mask_strips

    def strips():
        return mask_strips(path, slide="case-7", row=4, column="mask", width=width, height=height)

    count_masks(Cells(np.array([0, width // 2, width]), np.array([0, height // 2, height])), strips())
    if save:
        np.save(save, np.concatenate(list(strips())))
    return {}


def _child(job, answer):
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = taken + MEMORY * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    spent = int(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (spent + SECONDS, spent + SECONDS))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read = {"slide": read_slide, "mask": read_mask}[job["kind"]]
    try:
        found = {"what": "read", **read(job["path"], save=job.get("save"), **job.get("more", {}))}
    except BaseException as error:
        found = {"what": type(error).__name__, "message": str(error), "traceback": traceback.format_exc()}
    found["mib"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    os.write(answer, json.dumps(found).encode())
    os._exit(0)


def _run(job):
    mine, answer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(mine)
        _child(job, answer)
    os.close(answer)
    said, deadline = b"", time.monotonic() + WAIT
    while True:
        ready, _, _ = select.select([mine], [], [], max(0, deadline - time.monotonic()))
        part = os.read(mine, 2**20) if ready else None
        if not part:
            break
        said += part
    late = not ready
    if late:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(mine)
    if late:
        return {"what": "took too long"}
    if os.WIFSIGNALED(status):
        return {"what": f"killed by signal {os.WTERMSIG(status)}"}
    return json.loads(said)


def main():
    """Read jobs from the standard input and print their outcomes."""
    import imagecodecs  # noqa: F401  what forks shall not load again
    import PIL.Image  # noqa: F401

    import slidecaf.segmentation.labels
    import slidecaf.segmentation.masks
    import slidecaf.slides
    import slidecaf.tiles.grid  # noqa: F401

    json.dump([_run(job) for job in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
