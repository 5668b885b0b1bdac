"""What kinds read: manifests of feature sets by the names that methods know."""

import pytest

from slidecaf.classification.kinds import files_read, sets_read
from slidecaf.files.tables import write_tsv


@pytest.fixture
def manifests(tmp_path):
    """Manifests of one slide each, of feature sets of which one is computed once a part."""
    found = {}
    for name in ("plain", "tuned", "tuned@fold-0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shard-0.h5").touch()
        found[name] = tmp_path / name / "shard-0.tsv"
        write_tsv(found[name], ["slide", "file", "size", "sha256"], [{"slide": "a", "file": "shard-0.h5"}])
    return found


def test_a_fold_reads_its_own_networks_vectors_under_the_sets_name(manifests, tmp_path):
    found = sets_read([manifests["plain"], manifests["tuned@fold-0"]])
    assert found == {name: {"a": str(tmp_path / f"{lies}/shard-0.h5")} for name, lies in LIES.items()}
    assert files_read("svm", [manifests["plain"], manifests["tuned@fold-0"]]) == found
    assert sets_read([manifests["tuned"]], among=["b"]) == {"tuned": {}}


LIES = {"plain": "plain", "tuned": "tuned@fold-0"}


def test_vectors_of_several_parts_are_never_read_together(manifests):
    with pytest.raises(ValueError, match="features of several parts' networks at once: tuned@fold-0, tuned"):
        sets_read([manifests["tuned@fold-0"], manifests["tuned"]])
