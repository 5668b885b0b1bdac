"""What the results of a study hold, in so few numbers that they can be kept beside the code.

Run as a program it records them anew: python -m tests.golden.values
"""

import json
import math
import re
import sys
from pathlib import Path

import h5py
import numpy as np
import tifffile
from PIL import Image
from safetensors import safe_open

from slidecaf.files.tables import read_tsv
from slidecaf.files.versions import revisions
from slidecaf.study.kinds import CLASSIFICATION_KINDS
from slidecaf.study.steps import STEPS

RECORD = Path(__file__).with_name("values.json")
PACKAGES = sorted({package for packages, _ in STEPS.values() for package in packages})
MEASURED = {"seconds", "memory_gib"}
"""Columns that say what jobs took, and differ from run to run."""

SAMPLES = 7
"""Values of an array that are kept, from its first to its last."""

VERSIONS = {"slidecaf_version", "revision", "made_from", "config"}
"""Attributes that say by what a file was made, and not what it holds."""

RULE_OF = [  # the first pattern that fits
    (r"encoders/", "encoder"),
    (r"tiles/", "tiles"),
    (r"features/", "features"),
    (r"labels/", "labels"),
    (r"pooled/", "pooling"),
    (r"thumbnails/", "thumbnails"),
    (r"(classification|segmentation)/comparison\.tsv", "methods"),
    (r"classification/ablation\.tsv", "ablation"),
    (r"classification/[^/]+/ablation/", "ablated"),
    (r"classification/[^/]+/folds", "folds"),
    (r"classification/cnn/.*(choice|selection|model|inner|curves|network)\.", "network"),
    (r"classification/cnn/.*decisions", "network_decisions"),
    (r"classification/cnn/maps/", "activation"),
    (r"classification/cnn/heatmap/", "network_heatmap"),
    (r"classification/cnn/maps\.tsv", "map_scores"),
    (r"classification/.*(choice|selection|model|inner)\.", "classifier"),
    (r"classification/.*decisions", "decisions"),
    (r"classification/.*/heatmap/", "heatmap"),
    (r"classification/.*evidence", "evidence"),
    (r"classification/.*/patches/", "patch_scores"),
    (r"classification/.*(predictions|scores)\.", "scores"),
    (r"classification/.*figure5", "neurons"),
    (r"classification/comparison", "comparison"),
    (r"segmentation/[^/]+/folds", "left_out"),
    (r"segmentation/.*hard_examples", "hard_examples"),
    (r"segmentation/.*model\.h5", "patch_svm"),
    (r"segmentation/.*/maps/", "maps"),
    (r"segmentation/.*confidences/", "predict"),
    (r"segmentation/.*choice\.json", "map_choice"),
    (r"segmentation/.*/(confidence|mask|overlay|score)/", "segment"),
    (r"segmentation/.*/geojson/", "outlines"),
    (r"segmentation/.*thresholds", "thresholds"),
    (r"segmentation/[^/]+/scores", "segmentation_scores"),
    (r"segmentation/[^/]+/comparison", "variants"),
]

UPSTREAM = {
    "features": ["encoder", "tiles"],
    "labels": ["tiles"],
    "pooling": ["features"],
    "classifier": ["folds", "pooling"],
    "decisions": ["classifier"],
    "network": ["folds"],
    "network_decisions": ["network"],
    "activation": ["network"],
    "network_heatmap": ["network", "tiles"],
    "map_scores": ["activation"],
    "heatmap": ["classifier", "features", "pooling"],
    "evidence": ["heatmap", "scores"],
    "patch_scores": ["classifier", "features"],
    "scores": ["decisions"],
    "comparison": ["scores"],
    "methods": ["scores", "segmentation_scores"],
    "ablated": ["folds", "pooling"],
    "ablation": ["ablated", "scores"],
    "neurons": ["classifier"],
    "patch_svm": ["features", "labels", "left_out"],
    "maps": ["patch_svm"],
    "predict": ["patch_svm"],
    "map_choice": ["maps"],
    "hard_examples": ["maps"],
    "segment": ["map_choice", "predict", "hard_examples"],
    "outlines": ["segment"],
    "thresholds": ["map_choice"],
    "segmentation_scores": ["segment"],
    "variants": ["segmentation_scores"],
}
"""Rule to those whose values it takes up."""

OF_KINDS = ("classifier", "decisions", "patch_scores")
"""Rules that run the module of a method's kind."""

STUDIES = {"finished": "", "segmented": "", "boosted": "classification/mcil/", "trained": "classification/cnn/"}
"""Mini study to where its results begin that are kept; what another one holds too is kept once."""


def rule_of(path):
    """Return the rule that makes a result."""
    return next(rule for pattern, rule in RULE_OF if re.match(pattern, path))


def packages_of(rule):
    """Return the packages by whose revision a rule's values may change."""
    found, waiting = {"demo"}, [rule]  # it draws the slides of these studies
    while waiting:
        one = waiting.pop()
        found.update(STEPS[one][0])
        if one in OF_KINDS:
            found.update(*(kind.packages for kind in CLASSIFICATION_KINDS.values()))
        waiting += UPSTREAM.get(one, [])
    return found


def values_of(results, start=""):
    """Return path to values of every result of a finished study that holds any, where its path so begins."""
    found = {}
    for path in sorted(Path(results).rglob("*")):
        name = path.relative_to(results).as_posix()
        told = name.split("/")[0] in ("logs", "benchmarks", "report.html", "study.yaml")
        if path.is_file() and name.startswith(start) and not (told or path.name.startswith((".", "batch-"))):
            found[name] = _read(path)
    return found


def _read(path):
    if path.suffix == ".h5":
        return _hdf5(path)
    if path.suffix == ".tsv":
        rows = read_tsv(path)[:50]
        return [{key: _number(text) for key, text in row.items() if key not in MEASURED} for row in rows]
    if path.suffix in (".json", ".geojson"):
        said = json.loads(path.read_text(encoding="utf-8"))
        if path.name == "model.json":
            said.pop("weights_sha256", None)  # of a network trained here, whose last bits are the machine's
        return _short(said)
    if path.suffix == ".tif":
        return _array(tifffile.imread(path))
    if path.suffix == ".safetensors":
        with safe_open(path, "np") as file:
            tensors = {name: _array(file.get_tensor(name)) for name in sorted(file.keys())}
            return {name: {key: said[key] for key in ("shape", "mean")} for name, said in tensors.items()}
    with Image.open(path) as opened:  # what a decoder makes of JPEG is a version's: its size and rough mean
        return {"size": list(opened.size), "mean": float(round(np.asarray(opened).mean() / 4))}


def _hdf5(path):
    found = {}
    with h5py.File(path) as file:

        def visit(name, node):
            if isinstance(node, h5py.Dataset):
                found[name] = _array(node[:])
            for key, value in sorted(node.attrs.items()):
                if key not in VERSIONS:
                    found[f"{name}@{key}"] = _short(
                        value.tolist() if isinstance(value, np.generic | np.ndarray) else value
                    )

        visit("", file)
        file.visititems(visit)
    return found


def _array(values):
    said = {"shape": list(values.shape), "type": str(values.dtype)}
    if values.size and values.dtype.kind in "biuf":
        flat = values.ravel()
        places = np.linspace(0, flat.size - 1, SAMPLES).round().astype(int)
        known = flat[~np.isnan(flat)] if values.dtype.kind == "f" else flat
        said |= {"sample": _short(flat[places].tolist())}
        said |= {"mean": float(known.mean(dtype=np.float64)), "nan": int(flat.size - known.size)} if known.size else {}
    return said


def _short(value):
    """Cut long lists down to a sample."""
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        chosen = value if len(value) <= 12 else [value[k * (len(value) - 1) // (SAMPLES - 1)] for k in range(SAMPLES)]
        return [_short(item) for item in chosen] + ([len(value)] if len(value) > 12 else [])
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _number(text):
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


def differ(one, other):
    """Tell whether two values differ: whole numbers and text at all, other numbers by more than 1e-3."""
    if isinstance(one, bool) or isinstance(other, bool) or isinstance(one, str) or isinstance(other, str):
        return one != other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() != other.keys() or any(differ(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) != len(other) or any(map(differ, one, other))
    if isinstance(one, int) and isinstance(other, int):
        return one != other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return not math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-3)
    return one != other


def main():
    """Run the mini studies and record their values with the revisions that computed them."""
    import tempfile

    from tests.workflow.conftest import make_boosted, make_classified, make_segmented, make_trained

    make = {
        "finished": make_classified,
        "segmented": make_segmented,
        "boosted": make_boosted,
        "trained": make_trained,
    }
    with tempfile.TemporaryDirectory() as folder:
        found = {name: values_of(make[name](Path(folder) / name) / "results", start) for name, start in STUDIES.items()}
    text = json.dumps({"revisions": revisions(*PACKAGES), **found}, separators=(",", ":"), ensure_ascii=False)
    RECORD.write_text(text.replace('},"', '},\n"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
