"""Patches that speak for and against some diagnoses: which slides, which patches, and the figure read back."""

import numpy as np
import pytest
from PIL import Image

from slidecaf.classification.evidence import EACH, RIGHT, WRONG, read_evidence, slides_to_explain, write_evidence
from slidecaf.files.hdf5 import create_hdf5
from slidecaf.files.tables import write_tsv
from slidecaf.tiles.file import put_coords

CLASSES = ["LGG", "GBM"]


def row(slide, label, predicted, confidence):
    return {"slide": slide, "label": label, "predicted": predicted, "confidence": confidence}


def test_the_surest_wrong_slides_come_first_and_then_right_ones_of_each_class():
    rows = [row(f"w{k}", "LGG", "GBM", str(k)) for k in range(WRONG + 2)]
    rows += [row(f"g{k}", "GBM", "GBM", str(10 + k)) for k in range(9)]
    rows += [row(f"l{k}", "LGG", "LGG", str(-k)) for k in range(1, 3)]
    rows += [row("unknown", "", "GBM", "99"), row("unread", "GBM", "", "")]
    found = [one["slide"] for one in slides_to_explain(rows, CLASSES)]
    assert found == ["w4", "w3", "w2", "g8", "l2", "g7", "l1"]
    assert len(found) == WRONG + RIGHT


def test_no_slide_has_a_label_and_a_prediction():
    assert slides_to_explain([row("a", "", "GBM", "1"), row("b", "GBM", "", "")], CLASSES) == []


def heat_file(path, values, *, intercept=0.0):
    """Write a heat map of patches of 50 px, side by side."""
    coords = np.array([[50 * k, 0] for k in range(len(values))])
    with create_hdf5(path) as file:
        put_coords(file, coords, {"patch_size_level0": 50})
        file["contribution"] = np.array(values)
        said = {"intercept": intercept, "confidence": 0.0, "against": "LGG", "speaks_for": "GBM"}
        file["contribution"].attrs.update(said)
    return path


def test_each_patch_is_drawn_where_the_table_says_and_read_back(tmp_path):
    shades = np.repeat(np.arange(6, dtype=np.uint8) * 40, 50)
    Image.fromarray(np.broadcast_to(shades[None, :, None], (50, 300, 3)).copy()).save(tmp_path / "s.png")
    heat = heat_file(tmp_path / "s.h5", [0.5, -0.25, 1.0, np.nan, -2.0, 0.0], intercept=-1.0)
    write_tsv(
        tmp_path / "predictions.tsv",
        ["slide", "label", "predicted", "confidence"],
        [row("s", "LGG", "GBM", 0.5)],
    )
    write_evidence(
        tmp_path / "evidence.png",
        tmp_path / "evidence.tsv",
        predictions=tmp_path / "predictions.tsv",
        heatmaps={"s": heat},
        classes=CLASSES,
        slides={"s": {"path": tmp_path / "s.png", "scene": None}},
        caveats=["random weights"],
    )
    found = read_evidence(tmp_path / "evidence.png", tmp_path / "evidence.tsv")["s"]
    # five valid patches: each confidence is five times what the patch adds, and the intercept
    assert [(one["side"], one["place"], one["x"], one["patch_confidence"]) for one in found] == [
        ("for", "0", "100", pytest.approx(4.0)),
        ("for", "1", "0", pytest.approx(1.5)),
        ("against", "0", "200", pytest.approx(-11.0)),
        ("against", "1", "50", pytest.approx(-2.25)),
        ("against", "2", "250", pytest.approx(-1.0)),
    ]
    assert all(int(one["place"]) < EACH for one in found)
    for one in found:
        middle = np.asarray(one["picture"])[72, 72]
        assert middle.tolist() == [int(one["x"]) // 50 * 40] * 3
