"""Killed at any moment, a study loses nothing."""

import os
import random
import re
import signal
import time
from collections import Counter
from contextlib import suppress

import psutil

FAULTS = 30
MOMENT = 1.5  # seconds from a number of results to a fault, at most


def processes(run):
    """Return the processes of scripts with their rules."""
    try:
        family = psutil.Process(run.pid).children(recursive=True)
        commands = [(process, " ".join(process.cmdline())) for process in family]
    except psutil.NoSuchProcess:
        return []
    jobs = [(process, re.search(r"/scripts/tmp\w+\.(\w+)\.py", command)) for process, command in commands]
    return [(process, rule[1]) for process, rule in jobs if rule]


def partial(study):
    return [path for path in (study / "results").rglob(".*.partial*") if path.is_file()]


def strike(run, target, number):
    """Send a signal to one of the processes of a run; return the rules at work then, or None if it has ended."""
    jobs = processes(run)
    if run.poll() is not None:
        return None
    rules = [rule for _, rule in jobs]
    if target == "group":
        os.killpg(run.pid, number)
        return rules
    if target == "script" and not jobs:
        return None
    try:
        process = jobs[0][0] if target == "script" else psutil.Process(run.pid)
        scripts = process.children(recursive=True) if target == "script" else []
        for one in [process, *scripts]:
            one.send_signal(number)
    except psutil.NoSuchProcess:
        return None
    return rules


def test_killed_at_thirty_moments_over_all_rules_a_study_ends_as_if_undisturbed(undisturbed, fresh, tmp_path, promise):
    study, expected, draw = fresh.copy(tmp_path / "study"), undisturbed.bytes(), random.Random(20150419)
    kinds = [(target, number) for target in ("group", "run", "script") for number in (9, signal.SIGTERM)]
    faults, killed, goal = Counter(), Counter(), 0
    for _ in range(10 * FAULTS):
        if faults.total() == FAULTS:
            break
        target, number = kinds[faults.total() % len(kinds)]
        # when so many of the results are there: moments spread over all rules, on fast and slow machines
        goal = max(goal, len(expected) * faults.total() // FAULTS)
        run = study.start()
        while run.poll() is None and len(study.results()) < goal:
            time.sleep(0.2)
        time.sleep(draw.uniform(0, MOMENT))
        struck = None
        while struck is None and run.poll() is None:
            struck = strike(run, target, number)
            time.sleep(0.05)
        if struck is None:  # it was faster: take results away, so that there is something to do
            for path in draw.sample(sorted(study.results()), 5):
                (study / "results" / path).unlink()
        else:
            faults[target, number] += 1
            killed.update(struck)
            if number == signal.SIGTERM and target != "script":
                run.wait(120)
            time.sleep(0.3)
        found = study.bytes()
        whole = {path: content for path, content in found.items() if ".partial" not in path}
        assert all(expected[path] == content for path, content in whole.items())
        if run.poll() is None or target != "group":
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            run.wait()
    assert faults.total() == FAULTS
    assert len(killed) >= 10, f"too few rules were at work when they were killed: {killed}"
    study.complete()
    assert study.bytes() == expected
    promise(
        "Killed at random moments over all rules (SIGKILL, SIGTERM; the whole group, slidecaf run, a script), "
        "a study ends with the bytes of an undisturbed run; no half-written file ever has a final name",
        provoked=FAULTS,
    )


def test_sigterm_to_the_command_ends_its_jobs_and_frees_the_study(study):
    for path in study.folder.glob("results/features/*/*.h5"):
        path.unlink()
    run = study.start()
    while not processes(run):
        time.sleep(0.1)
    family = psutil.Process(run.pid).children(recursive=True)
    run.terminate()
    assert run.wait(120) == 128 + signal.SIGTERM
    assert not [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert study.run("-n").returncode == 0
