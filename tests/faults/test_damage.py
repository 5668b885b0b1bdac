"""Results damaged behind Snakemake's back: noticed by the plan, or named before anything is learned from them."""

import json
import os
import re
from itertools import cycle

from slidecaf.files.tables import write_json

DAMAGES = {
    "cut off": lambda content: content[: len(content) // 2],
    "zeroed": lambda content: bytes(len(content)),
    "with flipped bits": lambda content: bytes(b ^ (k % 997 == len(content) // 2 % 997) for k, b in enumerate(content)),
}
# a result, and what has to be made again so that a job reads it: in one run those of which none waits for another
READ = [
    {
        "segmentation/svm-cnn/plain/maps/gbm-1.h5": "segmentation/svm-cnn/plain/final/choice.json",
        "classification/mcil/folds.tsv": "classification/mcil/fold-1/decisions.tsv",
        "pooled/cnn-160/gbm-2.h5": "classification/svm/fold-1/model.json",
    },
    {
        "features/dense-96/gbm-1.h5": "segmentation/svm-cnn/plain/final/model.h5",
        "features/cnn-160/gbm-1.h5": "pooled/cnn-160/gbm-1.h5",
    },
]
# of each kind of file that a slide has, one for each damage
OF_SLIDES = [
    f"{folder}/{slide}.h5"
    for folder, slides in {
        "segmentation/svm-cnn/plain/maps": ("gbm-1", "gbm-2", "gbm-3"),
        "pooled/cnn-160": ("gbm-1", "gbm-2", "lgg-1"),
        "features/dense-96": ("gbm-1", "gbm-2", "gbm-3"),
        "features/cnn-160": ("gbm-1", "gbm-2", "lgg-1"),
    }.items()
    for slide in slides
]


def damage(path, how):
    """Change a file; its size, where it stays, and its time are as before."""
    stat = path.stat()
    path.write_bytes(DAMAGES[how](path.read_bytes()))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def hide(study, path):
    """Let what plans remember of a file be that of the damaged one, as where a disk changes it and nobody writes."""
    stat = (study / path).stat()
    for memory in (study / ".snakemake/slidecaf/sums").rglob("*.json"):
        known = json.loads(memory.read_text())
        if str(path) in known:
            known[str(path)][:3] = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
            write_json(memory, known)


def test_a_damaged_result_is_named_before_training_and_costs_nothing_else(study, undisturbed, promise):
    expected = undisturbed.bytes()
    hidden = ("zeroed", "with flipped bits")  # of a file that is cut off the plan sees the size: the next test
    for read in READ:
        for wanted in read.values():
            (study / "results" / wanted).unlink()
        for how in hidden:
            for path in read:
                (study / "results" / path).write_bytes(expected[path])
                damage(study / "results" / path, how)
                hide(study, f"results/{path}")
            said = study.fail("--until", *map(rule_of, read.values()))
            for path in read:
                assert re.search(rf"results/{path} is.*; delete it and run again", said), (path, said)
        for path in read:
            (study / "results" / path).unlink()
        found = study.bytes()
        assert all(expected[other] == content for other, content in found.items())
    study.complete()
    assert study.bytes() == expected
    promise(
        "A result zeroed or with flipped bits behind Snakemake's back is named before training, with what to "
        "delete; after that the next run gives the bytes of an undisturbed one",
        provoked=sum(map(len, READ)) * len(hidden),
    )


def rule_of(path):
    """Return the rule that makes a result."""
    kinds = {"choice": "map_choice", "decisions": "decisions", "pooled": "pooling"}
    found = [rule for kind, rule in kinds.items() if kind in path]
    return found[0] if found else "classifier" if path.startswith("classification") else "patch_svm"


def test_results_of_slides_that_were_changed_are_noticed_by_the_plan_and_made_again(study, undisturbed):
    expected = undisturbed.bytes()
    for path, how in zip(OF_SLIDES, cycle(DAMAGES), strict=False):
        damage(study / "results" / path, how)
    done = study.complete()
    for path in OF_SLIDES:
        assert f"results/{path} is not what a job wrote; it is made again." in done.stderr
    assert study.bytes() == expected
    assert study.planned() == {}
