"""A full disk in every rule: a clear error, nothing half-written, and the same bytes once there is room."""

import re

# each rule's job that is run on a full disk, with what it makes; from the last rules to the first, and in one run those
# of which none waits for another
JOBS = [
    {"report": ["report.html"]},
    {
        "thresholds": ["segmentation/svm-cnn/hard/thresholds.tsv"],
        "neurons": ["classification/svm/final/figure5.png", "classification/svm/final/figure5.tsv"],
        "evidence": ["classification/svm/evidence.png", "classification/svm/evidence.tsv"],
        "thumbnails": ["thumbnails/*.jpg"],
        "methods": ["classification/comparison.tsv", "segmentation/comparison.tsv"],
        "comparison": ["classification/comparison.json"],
    },
    {
        "outlines": ["segmentation/svm-cnn/hard/geojson/gbm-1.geojson"],
        "variants": ["segmentation/svm-cnn/comparison.json"],
        "scores": ["classification/svm/predictions.tsv", "classification/svm/scores.json"],
    },
    {
        "segmentation_scores": ["segmentation/svm-cnn/scores.tsv", "segmentation/svm-cnn/scores.json"],
        "heatmap": ["classification/svm/heatmap/gbm-1.h5"],
        "patch_scores": ["classification/mcil/patches/gbm-1.h5"],
        "decisions": ["classification/svm/fold-0/decisions.tsv"],
    },
    {
        "segment": [
            f"segmentation/svm-cnn/hard/{kind}"
            for kind in ("confidence/gbm-1.tif", "mask/gbm-1.tif", "overlay/gbm-1.jpg", "score/gbm-1.json")
        ],
        "classifier": [
            f"classification/svm/fold-0/{name}" for name in ("choice.json", "selection.tsv", "model.json", "inner.tsv")
        ],
    },
    {
        "map_choice": ["segmentation/svm-cnn/hard/fold-0/choice.json"],
        "predict": ["segmentation/svm-cnn/confidences/gbm-4.h5"],
        "folds": ["classification/svm/folds.tsv"],
        "pooling": ["pooled/cnn-160/gbm-1.h5"],
    },
    {"maps": ["segmentation/svm-cnn/hard/maps/gbm-1.h5"], "study": ["study.yaml"]},
    {"patch_svm": [f"segmentation/svm-cnn/hard/{part}/model.h5" for part in ("fold-0", "fold-1", "fold-2", "final")]},
    {
        "hard_examples": [
            *(f"segmentation/svm-cnn/hard/fold-{k}/hard_examples.tsv" for k in range(3)),
            "segmentation/svm-cnn/hard_examples.tsv",
            "segmentation/svm-cnn/hard_examples.json",
        ]
    },
    {
        "labels": ["labels/dense-96/gbm-1.h5"],
        "left_out": ["segmentation/svm-cnn/folds.tsv"],
        "encoder": ["encoders/cnn-160.json"],
    },
    {"features": ["features/cnn-160/gbm-1.h5"]},
    {"tiles": ["tiles/cnn-160/gbm-1.h5"]},
]


def rules(study):
    """Return the rules that stand in the workflow's files."""
    texts = [path.read_text() for path in (study.root / "workflow/rules").glob("*.smk")]
    return {name for text in texts for name in re.findall(r"^rule (\w+):", text, re.MULTILINE)}


def manifests(top, made):
    """Return the manifests that list files below a folder of results."""
    gone = {top / path for paths in made.values() for path in paths}
    return [
        manifest
        for manifest in top.rglob("batch-*.tsv")
        if {manifest.parent / line.split("\t")[1] for line in manifest.read_text().splitlines()[1:]} & gone
    ]


def test_a_full_disk_in_every_rule_is_a_clear_error_and_costs_nothing(study, undisturbed, small_disk, promise):
    tried = [rule for jobs in JOBS for rule in jobs]
    assert set(tried) == rules(study) - {
        "demo",
        "demo_collection",
        "manual_features",
        "whole_features",
        "imported_tiles",
        "imported_features",
        "ablated",
        "ablation",
        "regions",
        "region_models",
        "region_maps",
        "mixtures",
        "encoded",
        "membership",
        "map_scores",
        "activation",
        "network",
        "network_decisions",
        "network_heatmap",
    }  # which write by the same functions
    top = small_disk.folder
    for jobs in JOBS:
        made = {}
        for rule, patterns in jobs.items():
            made[rule] = [
                path.relative_to(top).as_posix() for pattern in patterns for path in sorted(top.glob(pattern))
            ]
            assert len(made[rule]) >= len(patterns), rule
        for path in [top / path for paths in made.values() for path in paths]:
            path.unlink()
            for kind in ("sha256", "made"):
                path.with_name(f".{path.name}.{kind}").unlink(missing_ok=True)
        # what a run removes before a job would leave room to another's file
        for kind in ("logs", "benchmarks"):
            for path in [path for path in (top / kind).rglob("*") if path.is_file()]:
                path.unlink()
        for manifest in manifests(top, made):
            manifest.unlink()
        small_disk.fill()
        said = study.fail("--until", *jobs)
        for rule, paths in made.items():
            assert any(
                f"results/{path} cannot be written: no space left on device; free some space there" in said
                for path in paths
            ), (rule, said)
            assert not [path for path in paths if (top / path).exists()], rule
        assert not list(top.rglob("*.partial*"))
        small_disk.empty()
    study.complete()
    assert study.bytes() == undisturbed.bytes()
    promise(
        "On a full disk every rule ends with an error that names the file and asks for room, and leaves nothing "
        "half-written; with more room the next run gives the bytes of an undisturbed one",
        provoked=len(tried),
    )
