import os
import re
import signal
import subprocess
import sys
import urllib.request

from slidecaf import cli


def test_a_study_is_served_until_it_is_interrupted(viewed, repository):
    process = subprocess.Popen(
        [sys.executable, "-m", "slidecaf.cli", "view", str(viewed.folder), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(repository / "src")},
    )
    try:
        url = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())[0]
        with urllib.request.urlopen(f"{url}api/study") as answer:
            assert b'"same"' in answer.read()
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said == ""


def test_what_is_no_study_is_an_error_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["view", "nowhere"]) == 1
    assert capsys.readouterr().err == "nowhere is no folder; name the folder of a study.\n"
