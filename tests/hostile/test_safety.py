"""What slidecaf's own code may not do: build objects from files, run texts, ask the network."""

import ast
import re
import subprocess
import sys

import pytest

FORBIDDEN_MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "joblib",
    "shelve",
    "marshal",
    "socket",
    "urllib",
    "requests",
    "http",
    "ftplib",
}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "os.system",
    "os.popen",
    "np.load",
    "numpy.load",
    "yaml.load",
    "yaml.unsafe_load",
}


VIEWER = "slidecaf/viewer/server.py"
"""Serves the study on this machine; it answers, and asks nobody."""


def sources(repository, *folders):
    return sorted(path for folder in folders for path in (repository / folder).rglob("*.py"))


def test_no_own_code_unpickles_evaluates_or_opens_a_connection(repository):
    found = []
    for path in sources(repository, "src", "workflow"):
        allowed = {"socket", "http"} if path.as_posix().endswith(VIEWER) else set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                # urllib.parse writes and reads addresses, and goes nowhere
                names = [] if node.module == "urllib.parse" else [(node.module or "").split(".")[0]]
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                shell = any(keyword.arg == "shell" for keyword in node.keywords)
                unsafe = called == "torch.load" and not any(k.arg == "weights_only" for k in node.keywords)
                if called in FORBIDDEN_CALLS or shell or unsafe:
                    found.append(f"{path}:{node.lineno}: {called}")
            found += [f"{path}:{node.lineno}: {name}" for name in names if name in FORBIDDEN_MODULES - allowed]
    assert not found


def test_no_rule_runs_a_shell_or_snakemakes_own_config_reader(repository):
    rules = [repository / "Snakefile", *(repository / "workflow/rules").glob("*.smk")]
    assert len(rules) > 5
    for path in rules:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(shell|configfile|run)\b\s*[:(]|\b(eval|exec)\(", text, re.MULTILINE), path


def test_every_exception_from_a_security_rule_says_why(repository):
    lines = [
        (path, line)
        for path in sources(repository, "src", "workflow", "benchmarks", "tests", "docs")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"# noqa: .*\bS\d", line)
    ]
    for path, line in lines:
        assert re.search(r"# noqa: [A-Z0-9, ]+  \w+ \w+", line), f"{path}: {line.strip()}"


OFFLINE = """
import socket, sys

class Refused(socket.socket):
    def __init__(self, family=-1, *args, **kwargs):
        if family != socket.AF_UNIX:
            raise AssertionError("a connection is opened")
        super().__init__(family, *args, **kwargs)

def refuse(*args, **kwargs):
    raise AssertionError("a name is looked up")

socket.socket, socket.getaddrinfo, socket.create_connection = Refused, refuse, refuse
"""

EXTRACTION = """
import pkgutil, importlib, slidecaf
for module in pkgutil.walk_packages(slidecaf.__path__, "slidecaf."):
    importlib.import_module(module.name)
from slidecaf.features.networks.encoder import load_encoder
load_encoder({"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 64})
"""

DOWNLOAD = """
from slidecaf.features.networks.weights import download_state, torchvision_weights
print("made without the network", flush=True)
download_state(torchvision_weights("squeezenet1_0", "IMAGENET1K_V1"))
"""


def test_nothing_but_weights_by_name_asks_the_network(tmp_path, promise):
    home = str(tmp_path)
    environment = {"PYTHONPATH": ":".join(sys.path), "TORCH_HOME": home, "HOME": home, "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", OFFLINE + EXTRACTION + DOWNLOAD]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=home, timeout=300)
    assert done.stdout.startswith("made without the network\n"), done.stderr
    assert "AssertionError: a name is looked up" in done.stderr
    promise("Nothing but weights, asked for by name, comes from the network")


@pytest.mark.parametrize("folder", ["src", "workflow"])
def test_files_are_opened_for_writing_by_the_store_only(repository, folder):
    """All that is written goes under a path that the workflow gives; see slidecaf.files.atomic.atomic."""
    allowed = {"atomic.py", "tables.py", "hdf5.py", "logs.py", "lock.py"}
    for path in sources(repository, folder):
        text = path.read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"""open\([^)]*["'][wax]b?\+?["']|\.write_(text|bytes)\(|h5py\.File\([^)]*"w\"""", line):
                near = "\n".join(text.splitlines()[max(0, number - 8) : number])
                assert path.name in allowed or "partial" in near, f"{path}:{number}: {line.strip()}"
