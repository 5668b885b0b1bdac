import re

import pytest

from slidecaf.report.collection import LISTED, SHOWN, encodings_table, layer_grid, sureness_of
from tests.unit.report.test_page import Page, written

CLASSES = ["a", "b", "c"]


def test_thousands_of_images_make_a_page_to_mail_that_says_what_it_leaves_out(made_up):
    made_up.collection, made_up.slides, made_up.classes = True, 3000, CLASSES
    made_up.status = {f"s-{k:03}": "unreadable" for k in range(0, 600, 2)}
    text = written(made_up)
    page = Page(text)
    assert len(text) < 5 * 2**20
    assert f"wrong and sure of it: the first {LISTED} of 3000" in page.text
    assert f"Of 3000 files the first {LISTED} by name" in page.text
    assert re.search(rf"The {LISTED} with the smallest share right, of \d{{4}}", page.text)
    assert "s-000, s-002, s-004" in page.text
    assert "and 288 more unreadable" in page.text
    assert "pictures were left out" not in page.text


def test_the_gallery_has_the_surest_of_each_class_first(made_up, tmp_path):
    made_up.collection, made_up.slides, made_up.test = True, 300, False
    text = written(made_up)
    rows = [
        line.split("\t") for line in (made_up.folder / "classification/svm/predictions.tsv").read_text().split("\n")
    ]
    at = {name: place for place, name in enumerate(rows[0])}
    known = [
        (abs(float(row[at["confidence"]])), row[at["slide"]], row[at["label"]], row[at["predicted"]])
        for row in rows[1:]
        if len(row) > 1
    ]
    part = text[text.index('id="c-svm-gallery"') : text.index("<h3>Confusion</h3>")]
    shown = re.findall(r'title="(\S+): truth (\w+), predicted (\w+)', part)
    for label in made_up.classes:
        for right in (True, False):
            own = sorted((one for one in known if one[2] == label and (one[3] == label) == right), reverse=True)
            expected = [slide for _, slide, *_ in own[:SHOWN]]
            assert [slide for slide, truth, guess in shown if truth == label and (guess == label) == right] == expected


def test_a_collection_is_beside_papers_of_collections_and_other_studies_are_not(made_up):
    made_up.collection = True
    text = Page(written(made_up)).text
    assert "24 classes of X-rays (Menkovski et al. 2015, Table 1)" in text
    assert "the challenge's 40 test slides" not in text
    assert "which tells classes of images apart" in text
    assert "On the same left-out images" in text


def test_other_studies_are_beside_the_papers_of_slides(plain_results):
    text = Page((plain_results / "report.html").read_text()).text
    assert "the challenge's 40 test slides" in text
    assert "Menkovski" not in text


def test_how_sure_a_method_is_of_many_classes_is_the_lead_over_the_next_and_nothing_without_a_prediction():
    rows = [
        {"slide": "one", "predicted": "c", "confidence_a": "2", "confidence_b": "1", "confidence_c": "2.5"},
        {"slide": "two", "predicted": "", "confidence_a": "", "confidence_b": "", "confidence_c": ""},
    ]
    assert sureness_of(rows, CLASSES) == {"one": 0.5}
    assert sureness_of(rows[1:], CLASSES) == {}


def varied(**scores):
    known = {"n": 10, "correct": 5, "low": 0, "high": 1}
    return {"rows": [{"factor": "features", "value": name, "score": score, **known} for name, score in scores.items()]}


def one(name, layer, size, pooling, **more):
    known = {"kind": "network", "model": "vgg19", "fit": "stretch", "dimension": 4096}
    return {"name": name, "layer": layer, "input_size": size, "map": pooling, **known, **more}


def test_layers_poolings_and_scales_are_laid_out_as_a_table():
    sets = [
        one("small-fc1", "classifier.1", 224, None),
        one("small-max", "features.36", 224, "max"),
        one("large-fc1", "classifier.1", 544, "average"),
    ]
    grid = layer_grid(varied(**{"small-fc1": 0.8, "small-max": 0.7, "large-fc1": 0.9}), sets)
    assert grid["scales"] == [224, 544]
    assert grid["best"] == 0.9
    found = {(row["layer"], row["pooling"]): [cell and cell["score"] for cell in row["cells"]] for row in grid["rows"]}
    assert found == {
        ("classifier.1, 4,096 values", "average"): [0.8, 0.9],
        ("features.36, 4,096 values", "max"): [0.7, None],
    }


@pytest.mark.parametrize("ablation", [None, varied(patches=0.5, more=0.6)])
def test_without_several_layers_of_whole_images_there_is_no_such_table(ablation):
    sets = [{"name": name, "kind": "network", "model": "vgg19", "patch_size": 336} for name in ("patches", "more")]
    assert layer_grid(ablation, sets) is None


def test_encodings_of_the_same_places_stand_in_one_row():
    def method(name, kind, accuracy):
        chosen = {"features": "places", "fisher": kind, "C": 1} if kind else {"features": "places", "C": 1}
        scores = {"accuracy": accuracy, "balanced_accuracy": accuracy - 0.1}
        return {"name": name, "choices": {"final": {"chosen": chosen}}, "parts": [("Test", scores)]}

    sets = [{"name": "places", "kind": "network", "model": "vgg19"}]
    found = encodings_table([method("x", "ifv", 0.9), method("y", "ffv", 0.8), method("z", None, 0.7)], sets)
    assert found == [
        {
            "part": "Test",
            "set": "places",
            "network": sets[0],
            "scores": {
                "ifv": [{"method": "x", "accuracy": 0.9, "balanced_accuracy": 0.8}],
                "ffv": [{"method": "y", "accuracy": 0.8, "balanced_accuracy": 0.8 - 0.1}],
            },
        }
    ]
