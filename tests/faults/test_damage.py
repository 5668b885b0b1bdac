"""Results damaged behind Snakemake's back, size and time restored: named before anything is learned from them."""

import os

import pytest

DAMAGES = {
    "cut off": lambda content: content[: len(content) // 2],
    "zeroed": lambda content: bytes(len(content)),
    "with flipped bits": lambda content: bytes(b ^ (k % 997 == len(content) // 2 % 997) for k, b in enumerate(content)),
}
# a result, and what has to be made again so that a job reads it; from the last rules to the first
READ = {
    "segmentation/svm-cnn/plain/maps/gbm-1.h5": "segmentation/svm-cnn/plain/final/choice.json",
    "classification/svm-cnn/folds.tsv": "classification/svm-cnn/fold-1/decisions.tsv",
    "pooled/cnn-160/gbm-2.h5": "classification/more/fold-1/model.json",
    "features/dense-96/gbm-1.h5": "segmentation/svm-cnn/plain/final/model.h5",
    "features/cnn-160/gbm-1.h5": "pooled/cnn-160/gbm-1.h5",
}


def damage(path, how):
    """Change a file as a disk does: nobody sees it by size or time, but where it is cut off."""
    stat = path.stat()
    path.write_bytes(DAMAGES[how](path.read_bytes()))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_result_is_named_before_training_and_costs_nothing_else(study, undisturbed, how, promise):
    expected = undisturbed.bytes()
    for path, wanted in READ.items():
        (study / "results" / wanted).unlink()
        damage(study / "results" / path, how)
        said = study.fail(f"results/{wanted}")
        assert f"results/{path} is" in said, said
        assert "delete it and run again" in said
        assert not (study / "results" / wanted).exists()
        (study / "results" / path).unlink()
        found = study.bytes()
        assert all(expected[other] == content for other, content in found.items())
    study.finish("--resources", "gpu=2")
    assert study.bytes() == expected
    promise(
        "A result cut off, zeroed or with flipped bits behind Snakemake's back is named before training, with what to "
        "delete; after that the next run gives the bytes of an undisturbed one",
        provoked=len(READ),
    )
