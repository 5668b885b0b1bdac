"""The results of a study, made up: what the report reads, and nothing else."""

import numpy as np
import pytest
import yaml
from PIL import Image

from slidecaf.classification.ablation import COLUMNS as TRIED
from slidecaf.classification.evidence import COLUMNS as EVIDENCE
from slidecaf.classification.evidence import slides_to_explain
from slidecaf.classification.figure import draw_rows
from slidecaf.classification.neurons import COLUMNS, SIDE, Neuron, draw_figure
from slidecaf.classification.results import COLUMNS as CLASSIFIED
from slidecaf.features.shards import WholeImage, write_shard
from slidecaf.files.hdf5 import create_hdf5
from slidecaf.files.tables import read_json, read_tsv, write_json, write_tsv
from slidecaf.report import write_report
from slidecaf.scores.classification import classification_scores
from slidecaf.scores.paired import compare_scores
from slidecaf.scores.segmentation import segmentation_scores
from slidecaf.segmentation.results import METHODS as SEGMENTED
from slidecaf.study.batches import deal_shards
from slidecaf.study.config import check_config
from slidecaf.tiles.file import put_coords, write_tiles

WIDTH, HEIGHT = 3200, 2400
PARTS = ("fold-0", "fold-1", "final")


class MadeUp:
    """A results folder of both tasks. Change its attributes before `write`."""

    def __init__(self, folder):
        self.folder = folder / "results"
        self.classes, self.group_name, self.title = ["LGG", "GBM"], "patient", "A study"
        self.slides, self.caveats, self.status = 12, [], {}
        self.weights, self.test = "random:0", True
        self.several = self.varied = self.whole = self.collection = False
        self.shared_out = {}  # what heat maps say of it

    def picture(self, path, width, height, seed):
        path.parent.mkdir(parents=True, exist_ok=True)
        rough = np.random.default_rng(seed).integers(90, 250, (height // 4, width // 4, 3), np.uint8)
        Image.fromarray(rough).resize((width, height)).save(path, quality=80)

    def write(self):
        names = [f"s-{k:03}" for k in range(self.slides)]
        encoder = {"model": "alexnet", "layer": "classifier.5", "weights": self.weights}
        config = {
            "title": self.title,
            "features": {
                "cnn": {
                    "tiling": {"patch_size": 336, "overlap": 0.25, "white_above": 200, "tissue": "otsu"},
                    "encoder": encoder,
                }
            },
            "classification": {
                "sheet": "a.tsv",
                "positive": self.classes[-1],
                "group_name": self.group_name,
                "methods": {"svm": {"features": ["cnn"]}},
            },
            "segmentation": {
                "sheet": "b.tsv",
                "group_name": self.group_name,
                "methods": {"svm": {"features": "cnn", "training_stride": 252, "hard_examples": {"stride": 252}}},
            },
        }
        if self.several:
            config["segmentation"]["methods"]["other"] = {"features": "cnn", "training_stride": 252}
        if self.varied:
            config["classification"]["ablation"] = {"method": "svm", "norm": [1, 3, "inf"], "keep": [25, "all"]}
        if self.whole:  # every slide one patch, which the classification takes
            config["features"]["whole"] = {"tiling": "whole", "encoder": encoder, "shards": 2}
            config["classification"]["methods"]["svm"] = {"features": ["whole"], "keep": ["all"]}
        if self.collection:  # whole images, and nothing else
            config["features"] = {"whole": {"tiling": "whole", "encoder": encoder, "shards": 2}}
            config["classification"]["methods"]["svm"] = {"features": ["whole"], "keep": ["all"]}
            config["classification"]["item_name"] = "image"
            del config["segmentation"]
            if len(self.classes) > 2:
                config["classification"]["positive"] = None
        self.folder.mkdir(parents=True)
        (self.folder / "study.yaml").write_text(
            yaml.safe_dump(check_config(config).plain(), allow_unicode=True, sort_keys=False)
        )
        described = {"input_size": 224, "dimension": 4096, "weights_sha256": "ab" * 32, "precision": "fp32"}
        for features in config["features"]:
            write_json(self.folder / f"encoders/{features}.json", {**encoder, **described})
        coords = np.stack(np.meshgrid(np.arange(0, 2800, 252), np.arange(0, 2000, 252)), axis=-1).reshape(-1, 2)
        for k, name in enumerate(names):
            status = self.status.get(name, "ok")
            known = {"level0_width": WIDTH, "level0_height": HEIGHT, "patch_size_level0": 336, "level0_mpp": 0.5}
            attributes = {"status": status, **({} if status == "unreadable" else known)}
            if not self.collection:
                write_tiles(self.folder / f"tiles/cnn/{name}.h5", coords if status == "ok" else [], attributes)
            self.picture(self.folder / f"thumbnails/{name}.jpg", *((64, 48) if self.collection else (480, 360)), k)
        whole = self.whole or self.collection
        for number, shard in deal_shards(names, 2).items() if whole else ():
            status = {name: self.status.get(name, "ok") for name in shard}
            known = {"level0_width": WIDTH, "level0_height": HEIGHT, "slide_digest": "d1"}
            images = {
                name: WholeImage(np.zeros((1, 4), np.float16), status[name], **(known if status[name] == "ok" else {}))
                for name in shard
            }
            write_shard(self.folder / f"features/whole/shard-{number}.h5", images, {})
        self._classification(names, 1 if whole else len(coords))
        if self.collection:
            self._compared([])
            return self.folder
        self._segmentation(names, "svm", ("plain", "hard"), seed=1)
        if self.several:
            self._segmentation(names, "other", ("plain",), seed=2)
        self._compared(sorted(config["segmentation"]["methods"], reverse=True))
        return self.folder

    def _compared(self, segmenters):
        """Write the tables of methods, and of what was varied."""
        accuracy = read_json(self.folder / "classification/svm/scores.json")["cross_validation"]
        low, high = accuracy["accuracy_ci95"]
        row = {"method": "svm", "kind": "svm", "n": accuracy["n"], "score": accuracy["accuracy"], "ci_low": low}
        row |= {"ci_high": high, "seconds": 3723.4, "memory_gib": 1.25, "note": "said of the kind"}
        write_tsv(self.folder / "classification/comparison.tsv", CLASSIFIED, [row])
        rows = []
        for method in segmenters:
            for variant, of in read_json(self.folder / f"segmentation/{method}/scores.json").items():
                found = of["leave_one_out"]
                low, high = found["score_ci95"]
                row = {"method": method, "kind": "svm", "variant": variant, "n": found["n"], "score": found["score"]}
                rows.append(
                    row | {"ci_low": low, "ci_high": high} | ({"difference": -0.125, "p": 0.25} if rows else {})
                )
        write_tsv(self.folder / "segmentation/comparison.tsv", SEGMENTED, rows)
        tried = [("norm", 1, 0.5), ("norm", 3, 0.75), ("norm", "inf", 0.25), ("keep", 25, 0.75), ("keep", "all", 1)]
        known = {"n": 8, "ci_low": 0.1, "ci_high": 1, "difference": -0.25, "p": 0.5}
        rows = [
            {"factor": factor, "value": value, "own": "yes" if value == 3 else "", "correct": round(8 * score)}
            | {**known, "score": score}
            for factor, value, score in tried
        ]
        write_tsv(self.folder / "classification/ablation.tsv", TRIED, rows)

    def _splits(self, names):
        return {name: "test" if self.test and k % 3 == 2 else "cv" for k, name in enumerate(names)}

    def _classification(self, names, patches):
        top, rng, splits = self.folder / "classification/svm", np.random.default_rng(0), self._splits(names)
        rows = []
        for k, name in enumerate(names):
            status = self.status.get(name, "ok")
            label = self.classes[k % len(self.classes)]
            confidence = float(rng.normal(k % 2 * 2 - 1, 1))
            guess = self.classes[confidence > 0] if len(self.classes) == 2 else self.classes[k % 2]
            row = {"slide": name, "patient": f"{self.group_name} {k // 2}", "split": splits[name], "label": label}
            row |= {"fold": k % 2 if splits[name] == "cv" else "", "patches": patches, "status": status}
            if status == "ok":
                row |= {"predicted": guess, "confidence": confidence}
                row |= {f"confidence_{one}": float(one == guess) for one in self.classes}
                row["probability"] = 1 / (1 + np.exp(-confidence))
                row |= {f"probability_{one}": 0.6 if one == guess else 0.2 for one in self.classes}
            rows.append(row)
        columns = ["confidence"] if len(self.classes) == 2 else [f"confidence_{label}" for label in self.classes]
        told = [column.replace("confidence", "probability") for column in columns]
        header = ["slide", "patient", "split", "fold", "label", "predicted", *columns, *told, "patches", "status"]
        write_tsv(top / "predictions.tsv", header, rows)
        scores = {"method": "svm", "classes": self.classes, "group_name": self.group_name}
        scores |= {
            "caveats": self.caveats,
            "copies": {},
            "rare_classes": {},
            "item_name": "image" if self.collection else "slide",
        }
        for part, split in (("cross_validation", "cv"), ("test", "test")):
            own = [row for row in rows if row["split"] == split]
            confidence = np.array([[row.get(column, np.nan) for column in columns] for row in own])
            scores[part] = own and classification_scores(
                [row["label"] for row in own],
                [row.get("predicted", "") for row in own],
                confidence[:, 0] if len(columns) == 1 else confidence,
                classes=self.classes,
                patients=[row["patient"] for row in own],
                folds=[row["fold"] for row in own] if split == "cv" else None,
                bootstrap=20,
            ) | {"with_probability": len(own) - 1, "brier": 0.125, "log_loss": 0.5}
        write_json(
            top / "scores.json", {key: value or None if key == "test" else value for key, value in scores.items()}
        )
        chosen = {"features": "whole" if self.whole or self.collection else "cnn", "norm": 3, "keep": 100, "C": 1}
        for part in PARTS:
            write_json(top / part / "choice.json", {"chosen": chosen, "accuracy": 0.9, "dropped": [], "left_out": []})
        neurons = [Neuron(label, 17 + k, 0.5) for k, label in enumerate(reversed(self.classes))]
        patch = {"slide": names[0], "x": 252, "y": 504, "patch_size": 336, "activation": 2.5}
        drawn = draw_figure(
            neurons, [[patch]] * len(neurons), [[Image.new("RGB", (SIDE, SIDE), "plum")]] * len(neurons)
        )
        drawn.save(top / "final/figure5.png")
        table = [
            {"class": n.label, "neuron": n.index, "weight": n.weight, "place": 0, "label": self.classes[0], **patch}
            for n in neurons
        ]
        write_tsv(top / "final/figure5.tsv", COLUMNS, table)
        if not (self.whole or self.collection):
            self._explained(top, rows)

    def _explained(self, top, rows):
        """Write heat maps, and patches that speak for and against: all of them plum."""
        coords = np.stack(np.meshgrid(np.arange(0, 2800, 252), np.arange(0, 2000, 252)), axis=-1).reshape(-1, 2)
        known = {"level0_width": WIDTH, "level0_height": HEIGHT, "patch_size_level0": 336}
        against, speaks_for = self.classes[:2]
        for row in rows:
            found, said = np.empty(0), {}
            if row["status"] == "ok":
                confidence = row["confidence"]
                found = np.where(np.arange(len(coords)) % 4, confidence / len(coords), 0)
                said = {"intercept": confidence - found.sum(), "confidence": confidence}
                said |= {"against": against, "speaks_for": speaks_for} | self.shared_out
            with create_hdf5(top / f"heatmap/{row['slide']}.h5") as file:
                put_coords(file, coords[: len(found)], known)
                file["contribution"] = found
                file["contribution"].attrs.update(said)
        chosen = slides_to_explain(read_tsv(top / "predictions.tsv"), self.classes)
        plum = Image.new("RGB", (SIDE, SIDE), "plum")
        draw_rows([([row["slide"]], [(plum, "")] * 8) for row in chosen]).save(top / "evidence.png")
        table = [
            {"slide": row["slide"], "label": row["label"], "predicted": row["predicted"], "class": speaks_for}
            | {"side": side, "place": 0, "x": 252, "y": 504, "patch_size": 336, "patch_confidence": value}
            for row in chosen
            for side, value in (("for", 2.5), ("against", -1.25))
        ]
        write_tsv(top / "evidence.tsv", EVIDENCE, table)

    def _segmentation(self, names, method, variants, *, seed):
        top, rng, splits = self.folder / f"segmentation/{method}", np.random.default_rng(seed), self._splits(names)
        columns = [
            *("slide", "patient", "split", "variant", "score", "precision", "recall", "soft_score", "C", "smooth"),
            *("threshold", "min_object", "max_hole", "predicted_pixels", "true_pixels", "area", "status"),
        ]
        rows, scores = [], {}
        for variant in variants:
            own = []
            for k, name in enumerate(names):
                row = {
                    "slide": name,
                    "patient": f"{self.group_name} {k // 2}",
                    "variant": variant,
                    "area": WIDTH * HEIGHT,
                }
                row |= {"split": "train" if splits[name] == "cv" else "test", "status": self.status.get(name, "ok")}
                row |= dict.fromkeys(("score", "precision", "recall", "soft_score"), float(rng.uniform(0, 1)))
                own.append({**row, "predicted_pixels": 1000, "true_pixels": 0 if k == 1 else 2000})
                self.picture(top / variant / f"overlay/{name}.jpg", 400, 324, k)
            rows += own
            scores[variant] = {"group_name": self.group_name, "caveats": self.caveats}
            for part, split in (("leave_one_out", "train"), ("test", "test")):
                some = [row for row in own if row["split"] == split]
                scores[variant][part] = segmentation_scores(some, bootstrap=20) if some else None
            chosen = {"C": 0.01, "smooth": 0, "threshold": 0.1, "min_object": 1000, "max_hole": 10000}
            for part in PARTS:
                write_json(top / variant / part / "choice.json", {"chosen": chosen, "score": 0.7, "n": 9, "note": ""})
            curve = [{"threshold": t, "score": 0.8 - abs(t - 0.1)} for t in np.linspace(-0.5, 0.5, 11)]
            write_tsv(top / variant / "thresholds.tsv", ["threshold", "score"], curve)
        groups = [{"slide": name, "patient": f"patient {k // 2}", "fold": k // 2 % 2} for k, name in enumerate(names)]
        write_tsv(top / "folds.tsv", ["slide", "patient", "fold"], groups)
        write_tsv(top / "scores.tsv", columns, rows)
        write_json(top / "scores.json", scores)
        if len(variants) < 2:
            return
        train = [[row for row in rows if (row["variant"], row["split"]) == (v, "train")] for v in ("hard", "plain")]
        values = [[row["score"] for row in own] for own in train]
        patients = [row["patient"] for row in train[0]]
        compared = compare_scores(*values, patients, names=("hard", "plain"))
        write_json(top / "comparison.json", {"leave_one_out": compared, "test": None, "hard_examples": {}})
        found = [
            {"slide": name, "x": 100, "y": 200, "kind": kind} for name in names[:4] for kind in ("missed", "false")
        ]
        write_tsv(top / "hard_examples.tsv", ["slide", "x", "y", "kind"], found)


@pytest.fixture(scope="module")
def plain_results(tmp_path_factory):
    """Results as they usually are, with a report. Read them only."""
    made_up = MadeUp(tmp_path_factory.mktemp("made-up"))
    made_up.caveats = ["random weights: the network was never trained", "synthetic slides: drawn, no tissue"]
    results = made_up.write()
    write_report(results / "report.html", results, command="snakemake --cores 2", commit="1a2b3c")
    return results


@pytest.fixture
def made_up(tmp_path):
    """A results folder to fill."""
    return MadeUp(tmp_path)
