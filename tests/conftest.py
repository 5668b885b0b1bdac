"""Fixtures that several tests share, and what the tests promise: `--reliability FILE` writes it for docs."""

import json
import signal
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# A shell that starts tests in the background lets them, and the runs that they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine that does other work beside is slow, and that is no fault.
settings.register_profile("slidecaf", deadline=None)
settings.load_profile("slidecaf")


@pytest.fixture(scope="session")
def repository():
    """The clone."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data():
    """Real slides, sections and weights, kept beside the clone and never in it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real data is absent: there is no ../shared/data beside the clone")
    return folder


@pytest.fixture
def promise(record_property):
    """Record what a test promises, for docs/reliability.md: promise(text, provoked=n, survived=m)."""

    def record(text, *, provoked=1, survived=None):
        kept = provoked if survived is None else survived
        record_property("promise", {"promise": text, "provoked": int(provoked), "survived": int(kept)})

    return record


def pytest_addoption(parser):
    parser.addoption("--reliability", metavar="FILE", help="write the promises that the tests keep, as JSON")


def pytest_configure(config):
    path = config.getoption("--reliability")
    if path and not hasattr(config, "workerinput"):  # of several processes the one that hears of all tests
        config.pluginmanager.register(Reliability(Path(path)))


def pytest_collection_modifyitems(items):
    for item in items:
        if "promise" in item.fixturenames:
            item.add_marker("promises")


class Reliability:
    """Collects promises, and the tests that did not come to theirs."""

    def __init__(self, path):
        self._path, self._kept, self._missing = path, [], []

    def pytest_runtest_logreport(self, report):
        if "promises" not in report.keywords:
            return
        test = report.nodeid.partition("[")[0]
        if report.when == "call" and report.passed:
            kept = [value for name, value in report.user_properties if name == "promise"]
            self._kept += [{"test": test, **value} for value in kept]
        elif not report.passed:
            reason = report.longrepr[2] if report.skipped else "failed"
            self._missing.append({"test": test, "reason": reason})

    def pytest_sessionfinish(self):
        self._path.parent.mkdir(parents=True, exist_ok=True)
        found = {"kept": self._kept, "missing": self._missing}
        self._path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def viewed(tmp_path_factory):
    """A study to look into, made without a run; nothing may change it."""
    from tests import viewer_study

    return viewer_study.make(tmp_path_factory.mktemp("viewed"))


@pytest.fixture
def served(viewed, monkeypatch):
    """A server of that study in a thread of its own."""
    import threading

    from slidecaf.viewer.catalogue import Catalogue
    from slidecaf.viewer.server import Server

    monkeypatch.chdir(viewed.folder)
    with Server(Catalogue(), port=0) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()
