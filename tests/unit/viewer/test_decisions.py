"""The grid of decisions, as the server answers it."""

import gzip
import io
import json
import os
import shutil
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
import yaml
from PIL import Image

from slidecaf.files.tables import write_tsv
from slidecaf.viewer import decisions
from slidecaf.viewer.catalogue import Catalogue
from slidecaf.viewer.decisions import Decided, UnknownNameError
from slidecaf.viewer.server import Server
from tests import collection_study


@pytest.fixture
def collection(tmp_path, monkeypatch):
    """The rows of a collection's table, in whose folder the test runs."""
    rows = collection_study.make(tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    return rows


@pytest.fixture
def ask(collection):
    with Server(Catalogue(), port=0) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

        def send(path, **headers):
            connection = HTTPConnection(*server.server_address[:2], timeout=20)
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.content = answer.read()
            connection.close()
            return answer

        yield send
        server.shutdown()


def chosen(ask, method="svm", **query):
    answer = ask(f"/api/decisions/{method}?{urlencode(query)}")
    assert answer.status == 200, answer.content
    return json.loads(answer.content)


def words(found, column):
    """Return a column as words."""
    return [found["words"][column][code] for code in found["rows"][column]]


def test_all_decisions_are_listed_by_name_with_label_prediction_and_verdict(ask, collection):
    found = chosen(ask)
    by_name = sorted(collection, key=lambda row: row["slide"])
    assert found["classes"] == ["boat", "house", "tree"]
    assert found["rows"]["slide"] == [row["slide"] for row in by_name]
    for column in ("label", "predicted", "split", "status"):
        assert words(found, column) == [row[column] for row in by_name]
    right = {True: "right", False: "wrong"}
    told = [right[row["label"] == row["predicted"]] if row["label"] else "uncounted" for row in by_name]
    assert words(found, "verdict") == told
    own = [row[f"confidence_{row['predicted']}"] for row in by_name]
    np.testing.assert_allclose(found["rows"]["confidence"], own, rtol=1e-3)
    next_best = [sorted(row[f"confidence_{label}"] for label in collection_study.CLASSES)[-2] for row in by_name]
    np.testing.assert_allclose(found["rows"]["sure"], np.subtract(own, next_best), rtol=1e-3)


@pytest.mark.parametrize(
    "wanted",
    [
        {"label": "tree"},
        {"label": ""},
        {"predicted": "boat"},
        {"verdict": "wrong"},
        {"split": "test"},
        {"label": "tree", "predicted": "boat", "split": "cv", "verdict": "wrong"},
        {"label": "boat", "verdict": "uncounted"},
    ],
)
def test_filters_choose_the_rows_that_have_all_their_words(ask, wanted):
    everything, found = chosen(ask), chosen(ask, **wanted)
    columns = {name: words(everything, name) for name in wanted}
    expected = [
        slide
        for place, slide in enumerate(everything["rows"]["slide"])
        if all(columns[name][place] == word for name, word in wanted.items())
    ]
    assert found["rows"]["slide"] == expected
    assert found["all"] == 24


def test_counts_tell_what_each_word_would_choose_beside_the_other_filters(ask):
    found = chosen(ask, label="tree", split="cv")
    for name in decisions.FILTERS:
        others = {key: word for key, word in (("label", "tree"), ("split", "cv")) if key != name}
        own = [len(chosen(ask, **others, **{name: word})["rows"]["slide"]) for word in found["words"][name]]
        assert found["counts"][name] == own


@pytest.mark.parametrize(("order", "sign"), [("surest", -1), ("least", 1)])
def test_the_surest_or_the_least_sure_come_first(ask, order, sign):
    sure = np.array(chosen(ask, order=order)["rows"]["sure"])
    assert (np.diff(sign * sure) >= 0).all()
    assert len(set(sure)) > 10


def test_text_finds_what_the_list_finds_too(ask):
    assert chosen(ask, text="BOAT-00000")["rows"]["slide"] == ["boat-00000"]
    assert len(chosen(ask, text="nr1")["rows"]["slide"]) == 8  # a further column of the sheet
    assert chosen(ask, text="nothing of this kind")["rows"]["slide"] == []


@pytest.mark.parametrize(
    ("method", "query", "status", "said"),
    [
        ("other", {}, 404, "the classification has no method other; there are: svm, later, seen."),
        ("later", {}, 422, "classification/later/predictions.tsv does not exist; run the study to its end."),
        ("svm", {"label": "ship"}, 404, "method svm has no label 'ship'; there are: boat, house, tree."),
        ("svm", {"predicted": "../tree"}, 404, "method svm has no predicted '../tree'; there are: boat, house, tree."),
        ("svm", {"verdict": "maybe"}, 404, "there are: right, wrong, uncounted."),
        ("svm", {"split": "train"}, 404, "there are: cv, test."),
        ("svm", {"order": "label"}, 404, "there is no order 'label'; there are: name, surest, least."),
        ("..%2fsvm", {}, 404, "the study has nothing of this name."),
    ],
)
def test_what_the_study_has_not_is_an_error_that_says_what_it_has(ask, method, query, status, said):
    answer = ask(f"/api/decisions/{method}?{urlencode(query)}")
    assert answer.status == status
    assert said in json.loads(answer.content)["error"]


def test_a_study_without_classification_has_no_decisions():
    none = decisions.Decisions("{method}.tsv", [], classes=[], texts={})
    with pytest.raises(UnknownNameError, match="this study has no classification"):
        none.of("svm")


def test_a_study_of_maps_alone_says_that_it_has_no_decisions(viewed, tmp_path, monkeypatch):
    shutil.copytree(viewed.folder, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    config = yaml.safe_load(Path("config.yaml").read_text())
    del config["classification"]
    Path("config.yaml").write_text(yaml.safe_dump(config))
    catalogue = Catalogue()
    assert catalogue.summary()["item"] == "slide"
    with pytest.raises(UnknownNameError, match="this study has no classification"):
        catalogue.decisions.of("svm-caf")


def test_a_table_is_read_once_and_again_when_it_changes(ask, collection, monkeypatch):
    read = []
    monkeypatch.setattr(decisions, "read_tsv", lambda path, real=decisions.read_tsv: read.append(path) or real(path))
    for _ in range(3):
        chosen(ask, verdict="wrong")
    ask("/api/study")
    assert [path.parent.name for path in read] == ["svm", "seen"]  # the page's list reads the other table
    write_tsv("results/classification/svm/predictions.tsv", list(collection[0]), collection[:5])
    assert chosen(ask)["all"] == 5
    assert len(read) == 3


def test_a_damaged_table_is_an_error_and_the_next_one_is_read(ask, collection):
    path = Path("results/classification/svm/predictions.tsv")
    good = path.read_bytes()
    path.write_bytes(good[:-9])
    assert ask("/api/decisions/svm").status == 422
    path.write_bytes(good)
    assert chosen(ask)["all"] == 24


def decided(rows, classes=("LGG", "GBM")):
    return Decided("svm", rows, classes=classes, texts={row["slide"]: row["slide"] for row in rows})


def row(slide, label, predicted, confidence, status="ok", split="cv"):
    return {"slide": slide, "label": label, "predicted": predicted, "split": split} | {
        "confidence": confidence,
        "status": status,
    }


def test_of_two_classes_the_size_of_the_signed_confidence_is_how_sure_it_is():
    found = decided([row("a", "GBM", "GBM", "0.5"), row("b", "LGG", "LGG", "-2.0"), row("c", "GBM", "", "")])
    assert found.choose({}, order="surest")["rows"]["slide"] == ["b", "a", "c"]
    assert found.choose({}, order="least")["rows"]["slide"] == ["a", "b", "c"]
    assert found.choose({})["rows"]["confidence"] == [0.5, -2.0, None]


def test_copies_and_rare_classes_count_nowhere_and_what_could_not_be_read_is_wrong():
    found = decided(
        [
            row("a", "GBM", "", "", "copy"),
            row("b", "GBM", "", "", "few images", ""),
            row("c", "GBM", "", "", "unreadable"),
            row("d", "", "GBM", "1.0"),
        ]
    )
    assert found.verdicts == ["uncounted", "uncounted", "wrong", "uncounted"]


def test_rows_of_an_earlier_sheet_and_an_empty_table_are_no_fault():
    rows = [row("a", "GBM", "GBM", "0.5"), row("gone", "LGG", "LGG", "-2.0")]
    assert Decided("svm", rows, classes=["LGG", "GBM"], texts={"a": ""}).choose({})["rows"]["slide"] == ["a"]
    assert Decided("svm", [], classes=["LGG", "GBM"], texts={}).choose({"label": "GBM"})["all"] == 0


def picture(answer):
    assert answer.status == 200, answer.content
    return Image.open(io.BytesIO(answer.content))


def test_a_thumbnail_is_the_image_itself_where_the_workflow_made_none(ask, collection):
    slide = collection[0]["slide"]
    with Image.open(f"images/{slide}.png") as original:
        found = picture(ask(f"/thumbnails/{slide}"))
        assert found.size == original.size
        difference = np.asarray(found).astype(int) - np.asarray(original)
    assert np.abs(difference).mean() < 3


def test_a_thumbnail_that_the_workflow_made_is_sent_as_it_is_and_an_unread_slide_does_not_matter(ask, collection):
    slide = collection[0]["slide"]
    Path("results/thumbnails").mkdir()
    Image.new("RGB", (48, 30), (9, 99, 9)).save(f"results/thumbnails/{slide}.jpg")
    Path(f"images/{slide}.png").write_bytes(b"no picture")
    answer = ask(f"/thumbnails/{slide}")
    assert answer.content == Path(f"results/thumbnails/{slide}.jpg").read_bytes()


def test_a_browser_asks_whether_its_thumbnail_still_holds(ask, collection):
    path = f"/thumbnails/{collection[0]['slide']}"
    tag = ask(path).getheader("ETag")
    again = ask(path, **{"If-None-Match": tag})
    assert (again.status, again.content) == (304, b"")
    os.utime(f"images/{collection[0]['slide']}.png", (1, 1))
    changed = ask(path, **{"If-None-Match": tag})
    assert changed.status == 200
    assert changed.getheader("ETag") != tag


@pytest.mark.parametrize("name", ["nobody", "..%2f..%2fetc%2fpasswd", "%2e%2e", "boat-00000.png"])
def test_thumbnails_of_no_image_of_the_study_are_not_found(ask, name):
    assert ask(f"/thumbnails/{name}").status == 404


def test_a_thumbnail_of_a_bad_image_says_what_is_wrong(ask, collection):
    slide = collection[0]["slide"]
    Path(f"images/{slide}.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    answer = ask(f"/thumbnails/{slide}")
    assert answer.status == 422
    assert slide in json.loads(answer.content)["error"]


def test_long_answers_are_compressed_for_those_who_take_it(tmp_path, monkeypatch):
    collection_study.make(tmp_path / "study", 600, pictures=False)
    monkeypatch.chdir(tmp_path / "study")
    with Server(Catalogue(), port=0) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        connection = HTTPConnection(*server.server_address[:2], timeout=20)
        connection.request("GET", "/api/decisions/svm", headers={"Accept-Encoding": "gzip, br"})
        answer = connection.getresponse()
        packed = answer.read()
        connection.request("GET", "/api/decisions/svm")
        plain = connection.getresponse().read()
        connection.close()
        server.shutdown()
    assert answer.getheader("Content-Encoding") == "gzip"
    assert len(packed) < len(plain) / 2
    assert gzip.decompress(packed) == plain


def test_the_grid_of_20000_images_is_answered_at_once():
    header, rows = collection_study.decisions(20_000)
    text = [{name: str(row[name]) for name in header} for row in rows]
    found = Decided("svm", text, classes=collection_study.CLASSES, texts={row["slide"]: row["slide"] for row in rows})
    times = []
    for wanted in ({}, {"verdict": "wrong"}, {"text": "boat-1"}):
        start = time.perf_counter()
        json.dumps(found.choose(wanted, order="least"))
        times.append(time.perf_counter() - start)
    assert max(times) < 2  # 0.1 s where the machine is idle


def test_a_study_says_what_its_rows_are_called(collection, viewed, monkeypatch):
    assert Catalogue().summary()["item"] == "image"
    monkeypatch.chdir(viewed.folder)
    assert Catalogue().summary()["item"] == "slide"  # two tasks
