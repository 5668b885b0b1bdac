"""Several outputs of one pass, and places of a map, through the workflow: each is what a run of its own gives."""

import re
import subprocess
import sys

import h5py
import numpy as np
import pytest

from slidecaf.features.rows import read_rows
from slidecaf.files.manifests import slide_paths
from slidecaf.files.tables import read_json, read_tsv
from tests.workflow.conftest import make_mini, mini_config, read_sheet, write_sheet

BASE = {"model": "squeezenet1_0", "weights": "random:0", "input_size": 64}
OUTPUTS = {"late": {"layer": "features.12", "map": "max"}, "early": {"layer": "features.3"}}
PATCHES = {"patch_size": 224, "overlap": 0.25, "white_above": 200}


def config():
    """Feature sets with both outputs and with each alone, and methods that differ in nothing else."""
    mini = mini_config()
    mini["features"] = {
        "places": {
            "tiling": "whole",
            "encoder": {**BASE, "layer": "features.3", "map": "places", "scales": [0.5, 1]},
            "shards": 1,
        },
    }
    for kind, tiling in (("cut", PATCHES), ("whole", "whole")):
        mini["features"][kind] = {"tiling": tiling, "encoder": {**BASE, "outputs": OUTPUTS}}
        for name, output in OUTPUTS.items():
            mini["features"][f"{kind}-{name}"] = {"tiling": tiling, "encoder": {**BASE, **output}}
            if tiling == "whole":
                mini["features"][f"{kind}-{name}"]["shards"] = 1
    mini["features"]["whole"]["shards"] = 2
    svm = {"norm": [3, "inf"], "keep": [20], "C": [0.01, 1]}
    mini["classification"]["methods"] = {
        "svm-one": {"features": ["cut/late", "cut/early", "whole/late", "whole/early"], **svm},
        "svm-own": {"features": ["cut-late", "cut-early", "whole-late", "whole-early"], **svm},
        "mcil-one": {"kind": "mcil", "features": "cut/early", "rounds": 5},
        "mcil-own": {"kind": "mcil", "features": "cut-early", "rounds": 5},
        "places": {"features": ["places"], **svm},
    }
    mini["classification"]["ablation"] = {"method": "svm-one", "features": ["cut/early"]}
    return mini


pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    study = make_mini(tmp_path_factory.mktemp("outputs") / "study", config=config())
    # test slides would be of batches of their own
    write_sheet(study, [row for row in read_sheet(study) if row["split"] == "train"])
    study.finish()
    return study


def files(study, room, features):
    return slide_paths(sorted((study / "results" / room / features).glob("*.tsv")))


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("kind", ["cut", "whole"])
def test_an_outputs_vectors_are_those_of_a_run_of_its_own(study, kind, output):
    several, own = (files(study, "features", name) for name in (kind, f"{kind}-{output}"))
    assert several.keys() == own.keys()
    for slide in own:
        together, alone = read_rows(several[slide], slide, output=output), read_rows(own[slide], slide)
        np.testing.assert_array_equal(together.vectors, alone.vectors)
        np.testing.assert_array_equal(together.boxes, alone.boxes)
    with h5py.File(next(iter(several.values()))) as file:
        assert file["features"][output].attrs["layer"] == OUTPUTS[output]["layer"]
        assert file["features"].attrs["encoder"] == "squeezenet1_0"


def test_pooled_vectors_and_predictions_are_those_of_runs_of_their_own(study):
    for output in OUTPUTS:
        several, own = files(study, "pooled", "cut"), files(study, "pooled", f"cut-{output}")
        for slide in own:
            with h5py.File(several[slide]) as together, h5py.File(own[slide]) as alone:
                for norm in alone:
                    np.testing.assert_array_equal(together[output][norm][:], alone[norm][:])
    for kind in ("svm", "mcil"):
        one, own = (study / f"results/classification/{kind}-{of}" for of in ("one", "own"))
        assert read_tsv(one / "predictions.tsv") == read_tsv(own / "predictions.tsv")
    one, own = (
        [
            [candidate["features"].replace("/", "-"), *(candidate[key] for key in ("norm", "keep", "C", "correct"))]
            for candidate in read_json(study / f"results/classification/svm-{of}/final/choice.json")["candidates"]
        ]
        for of in ("one", "own")
    )
    assert len(one) == 4 * 4
    assert one == own


def test_places_are_pooled_like_patches_and_all_are_counted(study):
    rows = read_tsv(study / "results/classification/places/predictions.tsv")
    own = files(study, "features", "places")
    for row in rows:
        found = read_rows(own[row["slide"]], row["slide"])
        assert int(row["patches"]) == len(found.vectors) > 1
        assert set(found.scales.tolist()) == {0.5, 1}


def test_the_report_lists_every_output_and_nothing_is_left_to_do(study):
    page = (study / "results/report.html").read_text()
    for name in ("cut/late", "cut/early", "whole/late", "whole/early"):
        assert re.search(rf">{name}<", page), name
    assert study.planned(shown=True) == {}
    assert (study / "results/classification/ablation.tsv").exists()


def test_another_map_of_an_output_computes_the_set_anew_and_no_other(study, tmp_path):
    copy = study.copy(tmp_path / "copy")
    changed = {**OUTPUTS, "early": {"layer": "features.3", "map": "max"}}
    copy.config(lambda c: c["features"]["whole"].update(encoder={**BASE, "outputs": changed}))
    jobs = copy.planned()
    assert jobs["whole_features"] == 2
    assert not {"features", "pooling", "tiles"} & set(jobs)


def drop_own(config):
    """Leave the sets of several outputs and of places alone, and methods of these."""
    methods = config["classification"]["methods"]
    for part, kept in ((config["features"], ("cut", "whole", "places")), (methods, ("svm-one", "places"))):
        for name in [name for name in part if name not in kept]:
            del part[name]


def command(study, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "slidecaf.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=study.environment(),
        cwd=study.folder,
        timeout=300,
    )


def test_an_output_is_exported_by_its_name_and_check_looks_at_all(study, tmp_path):
    done = command(study, "export", "trident", ".", "--features", "cut/early", "--to", tmp_path)
    assert done.returncode == 0, done.stderr
    own = files(study, "features", "cut-early")
    for path in tmp_path.rglob("features_cut-early/*.h5"):
        with h5py.File(path) as file:
            np.testing.assert_array_equal(file["features"][:], read_rows(own.pop(path.stem), path.stem).vectors)
    assert not own
    refused = command(study, "export", "clam", ".", "--features", "cut", "--to", tmp_path)
    assert "cut has several outputs; write one of: cut/late, cut/early." in refused.stderr
    copy = study.copy(tmp_path / "copy")
    copy.config(drop_own)
    checked = command(copy, "check", ".")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for name in ("cut", "whole", "places"):
        assert re.search(rf"^{name} ", checked.stdout, re.MULTILINE)
