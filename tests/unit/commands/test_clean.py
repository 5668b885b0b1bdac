"""`slidecaf clean`: what earlier configs left goes, what the present one makes stays."""

import shutil
from pathlib import Path

import pytest
import yaml

from slidecaf import demo
from slidecaf.cli import main
from slidecaf.running.lock import lock_study
from slidecaf.study.checked import check_study
from slidecaf.study.layout import Layout
from slidecaf.study.leftovers import leftovers
from slidecaf.study.targets import targets_of

LOGS = {
    "tiles/cnn/batch-{batch}": "tiles/cnn/batch-{batch}.tsv",
    "segment/maps/hard/batch-{batch}": "segmentation/maps/hard/batch-{batch}.tsv",
    "thumbnails/batch-{batch}": "thumbnails/batch-{batch}.tsv",
}
"""Names of logs, without a suffix, to the manifests of their jobs."""

SINGLE = ["study", "encoder/cnn", "classifier/svm/fold-1", "map_choice/maps/plain/final", "patch_svm/maps/hard"]


def config():
    encoder = {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 64}
    features = {"tiling": {"patch_size": 100, "stride": 100}, "encoder": encoder}
    return {
        "slides_per_job": 2,
        "features": {"cnn": features, "spare": features},
        "classification": {
            "sheet": "classification.tsv",
            "positive": "GBM",
            "folds": 2,
            "methods": {"svm": {"features": ["cnn"], "C": [1]}, "other": {"features": ["cnn"], "C": [1]}},
        },
        "segmentation": {
            "sheet": "segmentation.tsv",
            "methods": {"maps": {"features": "cnn", "training_stride": 100, "hard_examples": {"stride": 100}}},
        },
    }


def write(path, text="made"):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def study():
    return check_study(yaml.safe_load(Path("config.yaml").read_text()))


def hidden(path, kind):
    return Path(path).with_name(f".{Path(path).name}.{kind}")


def files():
    return {path.as_posix() for path in Path("results").rglob("*") if path.is_file()}


def make():
    """Write every file that the study in this folder makes, as far as its name goes."""
    targets = targets_of(study())
    for path in {*targets.everything(), *targets.of_slides()}:
        write(path)
        if path.endswith((".tsv", ".json")):
            write(hidden(path, "sha256"))
        if path.endswith((".tif", ".jpg", ".geojson")):
            write(hidden(path, "made"))
    manifests = [path for path in targets.everything() if Path(path).name.startswith("batch-")]
    batches = sorted({Path(path).stem.removeprefix("batch-") for path in manifests})
    for name, manifest in LOGS.items():
        for batch in batches:
            if f"results/{manifest.format(batch=batch)}" in manifests:
                write(f"results/logs/{name.format(batch=batch)}.log")
                write(f"results/benchmarks/{name.format(batch=batch)}.tsv")
    for name in SINGLE:
        write(f"results/logs/{name}.log")
    for manifest in manifests:
        write(f".snakemake/slidecaf/sums/{manifest}.json")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    demo.make_mini(folder, patients=4, size=200)
    return folder


@pytest.fixture
def made(drawn, tmp_path, monkeypatch):
    """The working directory: a study with all its results."""
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    write("config.yaml", yaml.safe_dump(config()))
    make()
    return tmp_path


def change(edit):
    changed = yaml.safe_load(Path("config.yaml").read_text())
    edit(changed)
    write("config.yaml", yaml.safe_dump(changed))


def drop(sheet, slide):
    rows = Path(sheet).read_text().splitlines(keepends=True)
    write(sheet, "".join(row for row in rows if not row.startswith(f"{slide}\t")))


def test_nothing_of_the_present_config_goes(made, capsys):
    before = files()
    assert main(["clean", str(made)]) == 0
    assert files() == before
    assert capsys.readouterr().out == "0 files, 0 bytes, removed\n"


def test_what_slidecaf_has_no_name_for_stays(made):
    mine = ["results/notes.txt", "results/tiles/cnn/notes.txt", "results/segmentation/maps/plain/mask/.DS_Store"]
    for path in mine:
        write(path)
    assert leftovers(study()) == []


def test_a_slide_that_is_no_longer_listed_goes_with_all_its_files(made, capsys):
    before = files()
    for sheet in ("classification.tsv", "segmentation.tsv"):
        drop(sheet, "gbm-1")
    assert main(["clean", "."]) == 0
    gone = before - files()
    of_slide = {path for path in before if Path(path).name.removeprefix(".").startswith("gbm-1.")}
    assert of_slide <= gone
    assert all("batch-" in path or path in of_slide or "/fold-" in path for path in gone)
    assert {"results/tiles/cnn/gbm-1.h5", "results/segmentation/maps/hard/mask/.gbm-1.tif.made"} <= gone
    said = capsys.readouterr().out.splitlines()
    assert gone <= set(said[:-1])
    assert said[-1] == f"{len(said) - 1} files, {4 * (len(said) - 1)} bytes, removed"


def test_a_slide_of_one_task_alone_keeps_what_that_task_makes(made):
    drop("segmentation.tsv", "gbm-1")
    assert main(["clean", "."]) == 0
    assert Path("results/pooled/cnn/gbm-1.h5").is_file()
    assert not Path("results/segmentation/maps/plain/mask/gbm-1.tif").exists()


def test_batches_that_are_dealt_no_longer_go_with_logs_and_what_is_remembered(made):
    targets = targets_of(study())
    change(lambda config: config.update(slides_per_job=100))
    now = targets_of(study())
    assert main(["clean", "."]) == 0
    gone = set(targets.everything()) - set(now.everything())
    assert gone
    for manifest in gone:
        assert not Path(manifest).exists()
        assert not hidden(manifest, "sha256").exists()
        assert not Path(f".snakemake/slidecaf/sums/{manifest}.json").exists()
    assert all(Path(path).is_file() for path in now.of_slides())
    for name, manifest in LOGS.items():
        for path in gone:
            batch = Path(path).stem.removeprefix("batch-")
            if path == f"results/{manifest.format(batch=batch)}":
                assert not Path(f"results/logs/{name.format(batch=batch)}.log").exists()
                assert not Path(f"results/benchmarks/{name.format(batch=batch)}.tsv").exists()
    assert all(Path(f"results/logs/{name}.log").is_file() for name in SINGLE)


def test_a_method_that_is_no_longer_named_goes_and_its_folder_too(made):
    write("results/logs/scores/other.log")
    change(lambda config: config["classification"]["methods"].pop("other"))
    assert main(["clean", "."]) == 0
    assert not Path("results/classification/other").exists()
    assert not Path("results/logs/scores").exists()
    assert not Path("results/classification/comparison.json").exists()  # of one method
    assert Path("results/classification/svm/scores.json").is_file()


def test_a_variant_and_folds_that_are_no_longer_made_go(made):
    change(lambda config: config["segmentation"]["methods"]["maps"].update(hard_examples=None))
    assert main(["clean", "."]) == 0
    assert not Path("results/segmentation/maps/hard").exists()
    assert not Path("results/segmentation/maps/comparison.json").exists()
    assert not Path("results/logs/segment/maps/hard").exists()
    assert Path("results/segmentation/maps/plain/final/choice.json").is_file()


def test_a_feature_set_stays_while_the_config_names_it(made):
    layout = Layout()
    spare = layout.features.format(features="spare", slide="gbm-1")
    write(spare)
    write("results/logs/features/spare/batch-0.log")
    assert leftovers(study()) == []
    change(lambda config: config["features"].pop("spare"))
    assert leftovers(study()) == [Path(spare), Path("results/logs/features/spare/batch-0.log")]


def test_logs_of_shards_go_with_their_shards_alone(made):
    def whole(config, shards):
        config["features"]["whole"] = {**config["features"]["cnn"], "tiling": "whole", "shards": shards}
        config["classification"]["methods"]["image-level"] = {"features": ["whole"], "C": [1]}

    change(lambda config: whole(config, 2))
    make()
    for shard in (0, 1, 2):
        write(f"results/logs/whole_features/whole/shard-{shard}.log")
    assert leftovers(study()) == [Path("results/logs/whole_features/whole/shard-2.log")]
    change(lambda config: whole(config, 1))
    assert Path("results/logs/whole_features/whole/shard-0.log") not in leftovers(study())
    assert Path("results/logs/whole_features/whole/shard-1.log") in leftovers(study())


@pytest.mark.parametrize("option", ["-n", "--dry-run"])
def test_a_dry_run_lists_and_removes_nothing(made, capsys, option):
    change(lambda config: config["classification"]["methods"].pop("other"))
    before = files()
    assert main(["clean", ".", option]) == 0
    assert files() == before
    said = capsys.readouterr().out.splitlines()
    assert "results/classification/other/scores.json" in said
    assert said[-1].endswith("bytes, would be removed")


def test_a_study_at_work_is_left_alone(made, capsys):
    change(lambda config: config["classification"]["methods"].pop("other"))
    before = files()
    with lock_study(made):
        assert main(["clean", "."]) == 1
    assert "another run is at work" in capsys.readouterr().err
    assert files() == before


def test_a_config_that_will_not_do_removes_nothing(made, capsys):
    change(lambda config: config.update(slides_per_jub=3))
    before = files()
    assert main(["clean", "."]) == 1
    assert "slides_per_jub" in capsys.readouterr().err
    assert files() == before


def test_a_folder_without_a_study_is_an_error(tmp_path, capsys):
    assert main(["clean", str(tmp_path)]) == 1
    assert "has no config.yaml" in capsys.readouterr().err
