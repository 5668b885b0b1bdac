"""Collections of images with files of every odd kind: what is read as meant, said, or refused by name."""

import json

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image
from scipy.ndimage import gaussian_filter

from slidecaf.cli import main

ENCODER = {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 64}


def image(seed, size=(64, 96)):
    """Draw shades with some detail."""
    shades = gaussian_filter(np.random.default_rng(seed).normal(size=(*size, 3)), (3, 3, 0))
    shades = (shades - shades.min()) / (shades.max() - shades.min())
    return Image.fromarray((255 * shades).astype(np.uint8))


def exif(orientation):
    found = Image.Exif()
    found[0x0112] = orientation
    return found


class Collection:
    """A study of images as wholes: three a class that are good, and what tests add."""

    def __init__(self, folder):
        self.folder, self.rows = folder, []
        self.columns = ["image", "path", "label", "patient", "split", "mask"]
        self.settings = {"features": ["whole"], "keep": ["all"], "C": [1]}
        for k in range(6):
            self.add(f"good-{k}.png", image(k).save, label="ab"[k % 2])

    def add(self, name, write, *, label="a", mask=""):
        write(self.folder / name)
        self.rows.append([name.replace(".", "-"), name, label, f"of-{name}", "train", mask])

    def check(self, capsys, **config):
        lines = ["\t".join(row) for row in [self.columns, *self.rows]]
        (self.folder / "sheet.tsv").write_text("\n".join(lines) + "\n")
        task = {"sheet": "sheet.tsv", "positive": "a", "folds": 3, "item_name": "image"}
        written = {
            "features": {"whole": {"tiling": "whole", "encoder": ENCODER}},
            "classification": {**task, "methods": {"svm": self.settings}},
            **config,
        }
        (self.folder / "config.yaml").write_text(yaml.safe_dump(written))
        main(["check", str(self.folder), "--quick", "--json"])
        return json.loads(capsys.readouterr().out)


@pytest.fixture
def collection(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Collection(tmp_path)


def frames(path, **options):
    image(1).save(path, save_all=True, append_images=[image(2)], **options)


def damaged(path):
    image(3, (300, 300)).save(path, quality=95)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + content[len(content) // 2 + 500 :])


REFUSED = {
    "empty.jpg": (lambda path: path.touch(), "empty.jpg is empty; give"),
    "text.png": (lambda path: path.write_text("no picture"), "text.png is of no format that is read; give"),
    "damaged.jpg": (damaged, "damaged.jpg: cannot be opened (Corrupt JPEG data"),
    "cut.png": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\nno more"), "cut.png: cannot be opened"),
    "shown.gif": (frames, "shown.gif is a picture of no format read; save it as PNG or TIFF"),
    "shown.webp": (frames, "shown.webp is a picture of no format read; save it as PNG or TIFF"),
    "shown.png": (frames, "shown.png holds 2 images that are shown in turn; save the one that is meant by itself"),
    "gif.jpg": (lambda path: image(1).save(path, format="GIF"), "gif.jpg is of no format that is read; give"),
    "signed.tif": (
        lambda path: tifffile.imwrite(path, np.arange(4096, dtype=np.int16).reshape(64, 64)),
        "signed.tif: cannot be opened (samples of 16 bit in format 2 are not supported",
    ),
    "pages.tif": (
        lambda path: tifffile.imwrite(path, np.zeros((2, 64, 64, 3), np.uint8), photometric="rgb", metadata=None),
        "pages.tif holds 2 images; write the name or number of the one that is meant into the sheet's column scene",
    ),
}


@pytest.mark.parametrize(("on_bad_slide", "kind"), [("fail", "errors"), ("exclude", "warnings")])
def test_what_cannot_be_read_as_meant_is_refused_each_by_name_and_stops_no_other(
    collection, capsys, on_bad_slide, kind
):
    for name, (write, _) in REFUSED.items():
        collection.add(name, write)
    found = collection.check(capsys, on_bad_slide=on_bad_slide)
    said = [sentence for sentence in found[kind] if sentence.startswith("slide ")]
    assert len(said) == len(REFUSED)
    for sentence, (name, (_, start)) in zip(said, REFUSED.items(), strict=True):
        assert sentence.startswith(f"slide {name.replace('.', '-')}: {start}")
    assert found["slides"]["opened"] == 6
    assert bool(found["errors"]) == (on_bad_slide == "fail")


def grey16(path):
    grey = np.asarray(image(1).convert("L")).astype(np.uint16) * 257
    tifffile.imwrite(path, grey) if path.suffix == ".tif" else Image.fromarray(grey).save(path)


TAKEN = {
    "ink.jpg": lambda path: image(1).convert("CMYK").save(path),
    "deep.png": grey16,
    "deep.tif": grey16,
    "faint.png": lambda path: image(1).convert("LA").save(path),
    "palette.png": lambda path: image(1).quantize(16).save(path, transparency=3),
}


def test_ink_16_bit_and_transparency_are_read_as_meant(collection, capsys):
    for name, write in TAKEN.items():
        collection.add(name, write)
    found = collection.check(capsys)
    assert found["errors"] == []
    assert found["slides"]["opened"] == 6 + len(TAKEN)
    assert not [said for said in found["warnings"] if "dark" in said or "turned" in said]


def test_16_bit_of_which_few_are_in_use_look_wrong(collection, capsys):
    ct = np.random.default_rng(0).integers(0, 4096, (64, 64)).astype(np.uint16)
    collection.add("ct.png", Image.fromarray(ct).save)
    found = collection.check(capsys)
    assert ["slide ct-png: its brightest px has 16 of 255" in said for said in found["warnings"]].count(True) == 1
    assert any(
        "a file of 16 bit that uses fewer and does not say so: convert it to 8 bit" in s for s in found["warnings"]
    )


def test_images_that_are_shown_turned_are_counted_and_taken_as_stored(collection, capsys):
    turned = [(274, 3, 1, 3, True)]
    collection.add("phone.jpg", lambda path: image(10).save(path, exif=exif(6)))
    collection.add("phone.png", lambda path: image(11).save(path, exif=exif(8)))
    collection.add("upright.jpg", lambda path: image(12).save(path, exif=exif(1)))
    collection.add(
        "scan.tif",
        lambda path: tifffile.imwrite(path, np.asarray(image(13)), photometric="rgb", extratags=turned),
    )
    found = collection.check(capsys)
    (said,) = [sentence for sentence in found["warnings"] if "turned" in sentence]
    assert said.startswith(
        "3 of 10 images say that they are shown turned, such as phone-jpg (orientation 6), and are taken as stored;"
    )
    assert found["errors"] == []
    sizes = {one["slide"]: (one["width"], one["height"]) for one in found["each"]}
    assert {size for slide, size in sizes.items() if slide.startswith(("phone", "scan"))} == {(96, 64)}


def test_a_mask_of_an_image_that_is_shown_turned_is_refused(collection, capsys):
    Image.new("L", (96, 64), 255).save(collection.folder / "mask.png")
    collection.add("phone.jpg", lambda path: image(10).save(path, exif=exif(3)), mask="mask.png")
    (said,) = collection.check(capsys)["errors"]
    assert said.startswith("row 8, column mask: mask.png may be meant for slide 'phone-jpg' as stored or as shown")
    assert "phone.jpg says that it is shown turned (orientation 3); save the slide with its px turned" in said


def test_a_mask_of_another_size_is_refused_in_a_classification_too(collection, capsys):
    Image.new("L", (64, 96), 255).save(collection.folder / "mask.png")
    collection.add("lesion.png", image(10).save, mask="mask.png")
    (said,) = collection.check(capsys)["errors"]
    assert "row 8, column mask: the mask of slide 'lesion-png', mask.png" in said
    assert "64 x 96" in said
    assert "96 x 64" in said


def test_a_mask_with_smoothed_edges_is_taken_as_the_run_takes_it(collection, capsys):
    mask = np.zeros((64, 96), np.uint8)
    mask[20:40, 30:60] = 255
    mask[20, 30:60] = 90
    mask[39, 30:60] = 160
    Image.fromarray(mask).save(collection.folder / "mask.png")
    collection.add("lesion.png", image(10).save, mask="mask.png")
    Image.new("L", (96, 64), 0).save(collection.folder / "black.png")
    collection.add("other.png", image(11).save, mask="black.png")
    found = collection.check(capsys)
    assert found["errors"] == []
    assert [one["marked"] for one in found["masks"]] == [0, 19 * 30]
    (said,) = [text for text in found["warnings"] if "column mask" in text]
    assert said == "row 9, column mask: black.png shows no lesion, so that no map is compared with it."


def test_a_collection_of_one_class_is_refused(collection, capsys):
    for row in collection.rows:
        row[2] = "a"
    (said,) = collection.check(capsys)["errors"][:1]
    assert "column label: all training rows are 'a'; add rows of at least one other class." in said


def test_a_class_of_one_patient_is_refused(collection, capsys):
    for row in collection.rows:
        row[3] = "one" if row[2] == "b" else row[3]
    (said,) = collection.check(capsys)["errors"]
    assert said == "column patient: 'b' has one patient in train, so that no fold can be left out; add patients."


def test_foreground_vectors_of_too_few_patients_are_refused_before_any_network(collection, capsys):
    places = {"tiling": "whole", "encoder": {**ENCODER, "map": "places"}}
    collection.settings = {**collection.settings, "fisher": {"kind": ["ffv", "fv"], "pca": [4], "components": [2]}}
    (said,) = collection.check(capsys, features={"whole": places})["errors"]
    assert said.startswith("classification.methods.svm.fisher.kind: ffv holds half of the training rows back")
    assert said.endswith("and a fold leaves 2 of 'a'; add patients, or leave ffv out.")
