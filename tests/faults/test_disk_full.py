"""A full disk in every rule: a clear error, nothing half-written, and the same bytes once there is room."""

import re

# each rule's job that is run on a full disk, from the last to the first, with what it makes
JOBS = {
    "report": ["report.html"],
    "thresholds": ["segmentation/svm-cnn/hard/thresholds.tsv"],
    "neurons": ["classification/svm/final/figure5.png", "classification/svm/final/figure5.tsv"],
    "evidence": ["classification/svm/evidence.png", "classification/svm/evidence.tsv"],
    "thumbnails": ["thumbnails/*.jpg"],
    "methods": ["classification/comparison.tsv", "segmentation/comparison.tsv"],
    "outlines": ["segmentation/svm-cnn/hard/geojson/gbm-1.geojson"],
    "variants": ["segmentation/svm-cnn/comparison.json"],
    "segmentation_scores": ["segmentation/svm-cnn/scores.tsv", "segmentation/svm-cnn/scores.json"],
    "segment": [
        f"segmentation/svm-cnn/hard/{kind}"
        for kind in ("confidence/gbm-1.tif", "mask/gbm-1.tif", "overlay/gbm-1.jpg", "score/gbm-1.json")
    ],
    "map_choice": ["segmentation/svm-cnn/hard/fold-0/choice.json"],
    "maps": ["segmentation/svm-cnn/hard/maps/gbm-1.h5"],
    "predict": ["segmentation/svm-cnn/confidences/gbm-4.h5"],
    "patch_svm": [f"segmentation/svm-cnn/hard/{part}/model.h5" for part in ("fold-0", "fold-1", "fold-2", "final")],
    "hard_examples": [
        *(f"segmentation/svm-cnn/hard/fold-{k}/hard_examples.tsv" for k in range(3)),
        "segmentation/svm-cnn/hard_examples.tsv",
        "segmentation/svm-cnn/hard_examples.json",
    ],
    "labels": ["labels/dense-96/gbm-1.h5"],
    "left_out": ["segmentation/svm-cnn/folds.tsv"],
    "comparison": ["classification/comparison.json"],
    "scores": ["classification/svm/predictions.tsv", "classification/svm/scores.json"],
    "heatmap": ["classification/svm/heatmap/gbm-1.h5"],
    "patch_scores": ["classification/mcil/patches/gbm-1.h5"],
    "decisions": ["classification/svm/fold-0/decisions.tsv"],
    "classifier": [
        f"classification/svm/fold-0/{name}" for name in ("choice.json", "selection.tsv", "model.json", "inner.tsv")
    ],
    "folds": ["classification/svm/folds.tsv"],
    "pooling": ["pooled/cnn-160/gbm-1.h5"],
    "features": ["features/cnn-160/gbm-1.h5"],
    "tiles": ["tiles/cnn-160/gbm-1.h5"],
    "study": ["study.yaml"],
    "encoder": ["encoders/cnn-160.json"],
}


def rules(study):
    """Return the rules that stand in the workflow's files."""
    texts = [path.read_text() for path in (study.root / "workflow/rules").glob("*.smk")]
    return {name for text in texts for name in re.findall(r"^rule (\w+):", text, re.MULTILINE)}


def test_a_full_disk_in_every_rule_is_a_clear_error_and_costs_nothing(study, undisturbed, small_disk, promise):
    assert set(JOBS) == rules(study) - {
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
    for rule, patterns in JOBS.items():
        made = [path.relative_to(top).as_posix() for pattern in patterns for path in sorted(top.glob(pattern))]
        assert len(made) >= len(patterns), rule
        for path in made:
            (top / path).unlink()
            for kind in ("sha256", "made"):
                (top / path).with_name(f".{(top / path).name}.{kind}").unlink(missing_ok=True)
        for kind in ("logs", "benchmarks"):
            for path in [path for path in (top / kind).rglob("*") if path.is_file()]:
                path.unlink()
        small_disk.fill()
        said = study.fail("--until", rule)
        assert "cannot be written: no space left on device; free some space there" in said, (rule, said)
        assert any(f"results/{path} cannot be written" in said for path in made), (rule, said)
        assert not [path for path in made if (top / path).exists()], rule
        assert not list(top.rglob("*.partial*")), rule
        small_disk.empty()
    study.finish("--resources", "gpu=2")
    assert study.bytes() == undisturbed.bytes()
    promise(
        "On a full disk every rule ends with an error that names the file and asks for room, and leaves nothing "
        "half-written; with more room the next run gives the bytes of an undisturbed one",
        provoked=len(JOBS),
    )
