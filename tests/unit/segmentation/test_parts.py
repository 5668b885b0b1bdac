"""The table of who is left out together."""

from slidecaf.files.tables import read_tsv
from slidecaf.segmentation.parts import problems, problems_of, write_groups
from slidecaf.study.groups import leave_out


def test_the_table_of_groups_gives_the_problems_back(made_twice):
    patients = {"a": "x", "b": "y", "c": "x", "d": "z"}
    groups = leave_out(list(patients), list(patients.values()), None)
    rows = [{"slide": slide, "patient": patient} for slide, patient in patients.items()]
    folder = made_twice(lambda folder: write_groups(folder / "folds.tsv", rows, groups))
    table = read_tsv(folder / "folds.tsv")
    assert [(row["slide"], row["patient"], row["fold"]) for row in table] == [
        *(("a", "x", "0"), ("b", "y", "1"), ("c", "x", "0"), ("d", "z", "2"))
    ]
    assert problems_of(table, 2, seed=0) == problems(groups, patients, 2, seed=0)
