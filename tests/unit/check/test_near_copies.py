"""Images that look the same although their files differ."""

import csv
import io
import json
from itertools import combinations

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance
from scipy.ndimage import gaussian_filter

from slidecaf.check import near_copies as module
from slidecaf.check.near_copies import (
    DISTANCE,
    candidates,
    detail_of,
    find_near_copies,
    grey_of,
    hash_pictures,
    likeness,
    small_picture,
    without_copies,
)
from slidecaf.cli import main

ENCODER = {"model": "squeezenet1_0", "layer": "features", "weights": "random:0", "input_size": 64}


def scene(seed, size=(150, 200)):
    """Draw an image with structure at all sizes, as photographs have."""
    rng = np.random.default_rng(seed)
    layers = [gaussian_filter(rng.normal(size=(*size, 3)), (scale, scale, 0)) * scale for scale in (1, 3, 9, 27)]
    image = sum(layers)
    image = (image - image.min()) / (image.max() - image.min())
    return Image.fromarray((255 * image).astype(np.uint8))


def again(image, **options):
    content = io.BytesIO()
    image.save(content, **options)
    return Image.open(content).convert("RGB")


SAVED_AGAIN = {
    "as JPEG": lambda image: again(image, format="JPEG", quality=40),
    "at half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "of other proportions": lambda image: image.resize((image.width, image.height // 2)),
    "brighter": lambda image: image.point(lambda value: 255 * (value / 255) ** 0.7),
    "paler": lambda image: ImageEnhance.Contrast(image).enhance(0.7),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "cut by 1 %": lambda image: image.crop((2, 1, image.width - 2, image.height - 1)),
}


def picture(image):
    return small_picture(grey_of(np.asarray(image)))


def pictures_of(images):
    return {slide: picture(image) for slide, image in images.items()}


def each_alone(slides):
    return {slide: f"patient-{slide}" for slide in slides}


@pytest.mark.parametrize("how", SAVED_AGAIN)
def test_an_image_saved_again_is_found_among_others(how):
    images = {f"s{k}": scene(k) for k in range(30)} | {"again": SAVED_AGAIN[how](scene(7))}
    found = find_near_copies(pictures_of(images), each_alone(images), images)
    ((first, other, alike),) = found.pairs
    assert (first, other) == ("s7", "again")
    assert module.ALIKE <= alike <= 1
    assert (found.compared, found.empty, found.complete) == (31, [], True)


def test_what_shares_a_patient_or_is_not_learned_from_is_no_leak():
    images = {"a": scene(1), "b": again(scene(1), format="JPEG")}
    pictures = pictures_of(images)
    assert len(find_near_copies(pictures, each_alone(images), {"a"}).pairs) == 1
    assert find_near_copies(pictures, {"a": "p", "b": "p"}, {"a"}).pairs == []
    assert find_near_copies(pictures, each_alone(images), ()).pairs == []


def test_images_under_one_vignette_are_not_alike():
    y, x = np.mgrid[-1:1:150j, -1:1:200j]
    shade = np.clip(3 * (1.2 - x**2 - y**2), 0, 1)[..., None]
    images = {f"s{k}": Image.fromarray((shade * np.asarray(scene(k))).astype(np.uint8)) for k in range(40)}
    found = find_near_copies(pictures_of(images), each_alone(images), images)
    assert (found.pairs, found.compared) == ([], 40)


def test_flat_and_almost_empty_images_are_listed_and_compared_with_none():
    flat, spot = np.full((64, 64), 90, np.uint8), np.zeros((64, 64), np.uint8)
    spot[28:36, 28:36] = 200
    faint = np.random.default_rng(0).integers(90, 92, (64, 64)).astype(np.uint8)
    pictures = {"flat": small_picture(flat), "flat-2": small_picture(flat + 9)}
    pictures |= {"spot": small_picture(spot), "spot-2": small_picture(spot // 2), "faint": small_picture(faint)}
    found = find_near_copies(pictures, each_alone(pictures), pictures)
    assert (found.pairs, found.compared, found.empty) == ([], 0, list(pictures))
    assert find_near_copies({}, {}, ()).compared == 0


def test_many_of_one_kind_end_the_search_and_that_is_said(monkeypatch):
    rng = np.random.default_rng(0)
    base = picture(scene(0)).astype(int)
    pictures = {str(k): np.clip(base + rng.integers(-3, 4, base.shape), 0, 255).astype(np.uint8) for k in range(60)}
    found = find_near_copies(pictures, each_alone(pictures), pictures)
    assert (len(found.pairs), found.complete) == (60 * 59 // 2, True)
    monkeypatch.setattr(module, "MOST_CANDIDATES", 100)
    found = find_near_copies(pictures, each_alone(pictures), pictures)
    assert (len(found.pairs), found.complete) == (100, False)


def test_copies_that_are_said_elsewhere_are_left_out():
    pairs = [("a", "b", 1.0), ("a", "c", 0.9), ("d", "e", 0.8)]
    assert without_copies(pairs, [["b", "a"], ["e", "f", "d"]]) == [("a", "c", 0.9)]


@given(st.integers(0, 2**32), st.sampled_from([1, 4, module.TOGETHER]))
def test_candidates_are_pairs_of_near_hashes_each_once(seed, together):
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 2**63, 5, dtype=np.uint64)
    hashes = base[rng.integers(0, 5, 40)]
    for _ in range(8):
        hashes ^= np.uint64(1) << rng.integers(0, 63, 40).astype(np.uint64)
    groups, trained = rng.integers(0, 15, 40), rng.random(40) < 0.7
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TOGETHER", together)
        found = [pair for pairs in candidates(hashes, groups, trained) for pair in zip(*map(list, pairs), strict=True)]
    found = [tuple(sorted(pair)) for pair in found]
    distance = np.bitwise_count(hashes[:, None] ^ hashes)
    wanted = {(i, j) for i, j in combinations(range(40), 2) if groups[i] != groups[j] and (trained[i] or trained[j])}
    assert len(found) == len(set(found))
    assert set(found) <= {pair for pair in wanted if distance[pair] <= DISTANCE}
    assert set(found) >= {pair for pair in wanted if distance[pair] < module.BANDS}  # no flip in a band at least


@settings(max_examples=30)
@given(st.integers(0, 1000), st.floats(0.4, 1.0), st.integers(0, 40))
def test_brightness_and_contrast_hardly_matter(seed, contrast, brightness):
    one = picture(scene(seed, (64, 64)))
    both = np.stack([one, np.clip(contrast * one + brightness, 0, 255).astype(np.uint8)])
    hashes = hash_pictures(both)
    assert np.bitwise_count(hashes[0] ^ hashes[1]) <= DISTANCE
    first, second = np.array([0, 0]), np.array([0, 1])
    same, other = likeness(*detail_of(both), first, second)
    assert same == pytest.approx(1, abs=0.01)
    assert other > 0.8


@given(st.integers(32, 90), st.integers(32, 90), st.integers(0, 255))
def test_a_small_picture_is_the_mean_of_what_it_stands_for(height, width, value):
    assert (small_picture(np.full((height, width), value, np.uint8)) == value).all()
    ramp = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8), (height, width))
    assert abs(small_picture(ramp).mean() - ramp.mean()) < 3
    assert small_picture(ramp[:31]) is None


def collection(shared_data, name, wanted):
    folder = shared_data / "collections" / name
    if not folder.is_dir():
        pytest.skip(f"real data is absent: there is no {name} among the collections")
    with (folder / "sheet.tsv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if wanted(row)]
    pictures = {}
    for row in rows:
        with Image.open(folder / row["path"]) as image:
            pictures[row["slide"]] = picture(image.convert("RGB"))
    return find_near_copies(pictures, {row["slide"]: row["patient"] for row in rows}, pictures)


def test_rooms_that_were_photographed_once_and_stand_twice_are_found(shared_data):
    found = collection(shared_data, "scenes15", lambda row: row["label"] in ("bedroom", "kitchen", "livingroom"))
    assert {pair[:2] for pair in found.pairs} == {
        ("livingroom-0005", "livingroom-0034"),
        ("livingroom-0168", "livingroom-0215"),
        ("livingroom-0208", "livingroom-0211"),
        ("livingroom-0214", "livingroom-0261"),
        ("livingroom-0269", "livingroom-0286"),
        ("bedroom-0038", "bedroom-0154"),
        ("kitchen-0140", "kitchen-0158"),
    }


@pytest.mark.parametrize("name", ["chest_xray", "lidc_nodules"])
def test_images_of_one_kind_are_no_near_copies(shared_data, name):
    seen = []
    found = collection(shared_data, name, lambda row: not seen.append(row) and len(seen) <= 700)
    assert found.pairs == []
    assert found.compared + len(found.empty) == 700
    assert (len(found.empty) > 600) == (name == "lidc_nodules")


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Eight images of as many patients, the last of each split the first saved again."""
    monkeypatch.chdir(tmp_path)
    rows = ["image\tpath\tlabel\tpatient\tsplit"]
    for k in range(8):
        image = scene(0 if k in (3, 7) else k)
        image.save(tmp_path / f"i{k}.jpg", quality=95 - 5 * k)
        rows.append(f"i{k}\ti{k}.jpg\t{'ab'[k % 2]}\tp{k}\t{'train' if k < 6 else 'test'}")
    (tmp_path / "sheet.tsv").write_text("\n".join(rows) + "\n")
    config = {
        "features": {"whole": {"tiling": "whole", "encoder": ENCODER}},
        "classification": {
            "sheet": "sheet.tsv",
            "positive": "a",
            "folds": 2,
            "item_name": "image",
            "methods": {"svm": {"features": ["whole"], "keep": ["all"], "C": [1]}},
        },
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def test_a_check_names_near_copies_that_straddle_and_says_what_to_do(study, capsys):
    Image.new("RGB", (200, 150), "white").save(study / "i5.jpg")
    Image.open(study / "i4.jpg").resize((20, 20)).save(study / "i4.jpg")
    assert main(["check", ".", "--quick"]) == 0
    said = capsys.readouterr().out
    assert "3 pairs of images look the same and are of different patients, 2 across train and test: i" in said
    assert "i0 (patient p0, train) and i7 (patient p7, test)" in said
    assert "; i0 (patient p0, train) and i3 (patient p3, train). What is learned from one" in said
    assert "give both the same patient, or take one out." in said
    assert (
        "near-copies of different patients: 6 of 8 images were compared, all but 1 almost empty and 1 of too few px or "
        "without a small level."
    ) in said


def test_all_pairs_are_in_the_json_and_copies_are_said_by_themselves(study, capsys):
    assert main(["check", ".", "--quick", "--json"]) == 0
    pairs = json.loads(capsys.readouterr().out)["near_copies"]
    assert {frozenset((pair["slide"], pair["other"])) for pair in pairs} == {
        frozenset(pair) for pair in (("i0", "i3"), ("i0", "i7"), ("i3", "i7"))
    }
    assert {(pair["patient"], pair["split"]) for pair in pairs if pair["slide"] == "i0"} == {("p0", "train")}
    (study / "i7.jpg").write_bytes((study / "i3.jpg").read_bytes())
    assert main(["check", ".", "--quick", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert ["slide 'i7' is a copy of slide 'i3'" in said for said in found["errors"]] == [True]
    assert {frozenset((pair["slide"], pair["other"])) for pair in found["near_copies"]} == {
        frozenset(pair) for pair in (("i0", "i3"), ("i0", "i7"))
    }


def test_without_near_copies_the_check_says_that_it_looked(study, capsys):
    scene(30).save(study / "i3.jpg")
    scene(70).save(study / "i7.jpg")
    assert main(["check", ".", "--quick", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["near_copies"] == []
    assert not [said for said in found["warnings"] if "look the same" in said]
    assert "near-copies of different patients: 8 of 8 images were compared." in found["notes"]
