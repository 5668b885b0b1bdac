"""The page: what it says, that it needs nothing else, and that nobody's text becomes markup."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from slidecaf.errors import SlidecafError
from slidecaf.report import page, write_report
from slidecaf.study.caveats import MEANINGLESS


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.said, self._inside = [], [], []
        self.feed(text)
        self.text = re.sub(r"\s+", " ", " ".join(self.said))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag):
        if self._inside and tag == self._inside[-1]:
            self._inside.pop()

    def handle_data(self, data):
        if not self._inside:
            self.said.append(data)


def written(made_up):
    results = made_up.write()
    write_report(results / "report.html", results)
    return (results / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plain(plain_results):
    """The page of these results."""
    return Page((plain_results / "report.html").read_text(encoding="utf-8"))


def test_the_page_is_one_file_that_fetches_nothing(plain):
    for tag, attributes in plain.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "video", "audio")
        for key in ("src", "srcset", "poster", "data", "background", "action"):
            assert attributes.get(key, "data:").startswith("data:"), (tag, attributes)
        if "href" in attributes:
            assert attributes["href"].startswith(("#", "http://127.0.0.1:8080/#slide="))
    policy = next(
        a["content"] for t, a in plain.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_it_says_what_a_newcomer_needs(plain, plain_results):
    for said in (
        "A study",
        "Words used here",
        "AlexNet with random weights (never trained; seed 0)",
        "Table 1: the challenge's 40 test slides",
        "97.5 %",
        "this study, svm",
        "Wilcoxon's signed-rank test p =",
        "neuron 17",
        "snakemake --cores 2",
        "1a2b3c",
        "Clopper-Pearson",
    ):
        assert said in plain.text, said
    scores = json.loads((plain_results / "classification/svm/scores.json").read_text())
    found = scores["cross_validation"]
    assert f"{found['correct']} of {found['n']} slides" in plain.text


def test_the_tissue_rule_is_said_and_shown(plain):
    assert "patches of which less than 10 % is tissue were discarded" in plain.text
    assert "what lies under a grey veil is no tissue" in plain.text


def test_random_weights_and_synthetic_slides_stand_in_a_banner_and_beside_every_method(plain):
    assert "These numbers say nothing about medicine." in plain.text
    assert plain.text.count("Random weights: the network was never trained.") == 5  # banner, two methods, why, Figure 5


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>${7*7}{{7*7}}$x_1$"


def test_whatever_stands_in_a_sheet_or_config_stays_text(made_up):
    made_up.classes = ["LGG", HOSTILE]
    made_up.group_name = made_up.title = HOSTILE
    text = written(made_up)
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert all(attributes.get("src", "data:").startswith("data:") for _, attributes in page.tags)
    assert HOSTILE in " ".join(page.said)


def test_slides_stand_from_worst_to_best(plain_results):
    text = (plain_results / "report.html").read_text(encoding="utf-8")
    gallery = text[text.index("from worst to best") :]
    scores = [float(value) for value in re.findall(r"<figcaption><b>S = ([\d.]+)", gallery)]
    assert len(scores) == 12
    assert scores == sorted(scores)
    slides = text[text.index("Every slide</h3>") : text.index("What the neurons look for</h3>")]
    verdicts = re.findall(r">(right|wrong)</span>", slides)
    assert verdicts == sorted(verdicts, reverse=True)


def test_what_is_said_of_a_kind_names_its_method_and_takes_no_number_back():
    said = "reimplemented from the description: unsupervised regions, labelled by best match on the training slides"
    found = {"classification": [], "segmentation": [{"name": "regions", "caveats": [said]}]}
    caveats = page._caveats(found)
    assert caveats == [f"regions: {said}"]
    assert not set(caveats) & set(MEANINGLESS)
    found["classification"] = [{"name": "svm", "scores": {"caveats": [MEANINGLESS[0]]}}]
    assert page._caveats(found) == [MEANINGLESS[0], f"regions: {said}"]


def test_a_patch_and_a_slide_lead_to_their_place_in_the_viewer(plain):
    patches = [attributes for tag, attributes in plain.tags if tag == "a" and "data-x" in attributes]
    assert len({patch["data-slide"] for patch in patches}) > 1  # of slides that are explained, and of Figure 5
    for patch in patches:
        assert [patch[f"data-{key}"] for key in ("x", "y", "w")] == ["252", "504", "336"]
        assert patch["href"] == f"http://127.0.0.1:8080/#slide={patch['data-slide']}&x=252&y=504&w=336"


def test_a_decision_is_explained_by_numbers_that_add_up(plain_results):
    text = (plain_results / "report.html").read_text(encoding="utf-8")
    section = text[text.index("Why: what speaks for and against") : text.index("Every slide</h3>")]
    said = re.findall(
        r"confidence ([+−][\d.]+).*?Contributions ([+−][\d.]+), intercept ([+−]\d+\.\d+)", section, re.DOTALL
    )
    assert len(said) == section.count("<section>") > 2
    for numbers in said:
        confidence, added, intercept = (float(number.replace("−", "-")) for number in numbers)
        assert abs(added + intercept - confidence) < 2e-3
    assert section.count("and its heat map") == len(said)
    verdicts = re.findall(r'class="(right|wrong)">predicted', section)
    assert verdicts == sorted(verdicts, reverse=True)


@pytest.mark.parametrize(
    ("classes", "said"),
    [(["LGG", "GBM"], "GBM less that of LGG"), (["a", "b", "c"], "the class predicted less that of the next one")],
)
def test_where_probabilities_are_shared_out_that_is_said_and_no_intercept(made_up, classes, said):
    made_up.classes, made_up.shared_out = classes, {"of": "probability"}
    text = written(made_up)
    section = text[text.index("Why: what speaks for and against") : text.index("Every slide</h3>")]
    assert f"a confidence of its own, its probability of {said}, and" in section
    assert "exactly the difference of the slide's probabilities, by which it is decided" in section
    assert re.search(r"</span>, difference [+−]\d", section)
    assert "intercept" not in section
    assert "An SVM's decision" not in section


def test_slides_without_tissue_or_unreadable_are_listed_with_what_is_wrong(made_up):
    made_up.status = {"s-001": "no tissue", "s-004": "unreadable"}
    text = Page(written(made_up)).text
    assert "say nothing about medicine" not in text  # the slides are real here
    assert re.search(r"slide s-001 no tissue", text)
    assert re.search(r"slide s-004 unreadable", text)
    assert "slides without prediction count as wrong" in text


def test_more_than_two_classes_and_no_test_slides(made_up):
    made_up.classes, made_up.test = ["a", "b", "c"], False
    text = Page(written(made_up)).text
    assert "Speaks for c" in text
    assert "This study has no slides of this kind" in text


def test_a_missing_study_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(SlidecafError, match="run the study before its report"):
        write_report(tmp_path / "report.html", tmp_path)


def test_what_an_earlier_config_left_is_not_shown(made_up, tmp_path):
    results = made_up.write()
    before = tmp_path / "before.html"
    write_report(before, results)
    for left in ("classification/svm/fold-7/choice.json", "segmentation/svm/plain/fold-7/choice.json"):
        (results / left).parent.mkdir()
        (results / left).write_text("not for the report")
    for left in ("classification/comparison.json", "encoders/old.json", "tiles/cnn/batch-0.tsv"):
        (results / left).write_text("not for the report")
    for left in ("thumbnails/.s-000.jpg.made", "segmentation/svm/hard/overlay/.s-000.jpg.made"):
        (results / left).write_text("not for the report")
    write_report(tmp_path / "after.html", results)
    assert (tmp_path / "after.html").read_bytes() == before.read_bytes()


def browse(page, changed, script):
    """Run a script in the page, in a browser without a network, and return the page's text afterwards."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium")
    changed.write_text(page.read_text().replace("</body>", f"<script>{script}</script></body>"))
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--proxy-server=127.0.0.1:9", "--dump-dom"]
    done = subprocess.run([*command, changed.as_uri()], capture_output=True, text=True, timeout=120)
    return done.stdout


def test_tables_sort_and_filter_in_a_browser(plain_results, tmp_path):
    script = """
      const table = document.querySelector('.filter table'), slides = document.querySelectorAll('.filter')[1];
      const body = slides.querySelector('tbody'), column = 8;
      const values = () => [...body.rows].map((row) => Number(row.cells[column].dataset.v));
      slides.querySelectorAll('th')[column].querySelector('button').click();
      const up = values();
      slides.querySelectorAll('th')[column].querySelector('button').click();
      const down = values();
      const input = slides.previousElementSibling.querySelector('input');
      input.value = 's-003'; input.dispatchEvent(new Event('input'));
      const shown = [...body.rows].filter((row) => !row.hidden).length;
      document.title = JSON.stringify({ up, down, shown });
    """
    dom = browse(plain_results / "report.html", tmp_path / "changed.html", script)
    found = json.loads(re.search(r"<title>(.*?)</title>", dom)[1])
    assert found["up"] == sorted(found["up"])
    assert found["down"] == found["up"][::-1]
    assert found["shown"] == 1


def test_whole_slides_are_shown_without_patches_and_said_in_the_methods(made_up):
    made_up.whole, made_up.status = True, {"s-005": "unreadable"}
    page = Page(written(made_up))
    assert "the whole slide, resized to a square" in page.text
    assert "The feature set whole takes each slide whole." in page.text
    assert "Slides were resized as a whole to 224 × 224 px and passed through AlexNet" in page.text
    assert "All values were kept, and a linear support vector machine" in page.text
    classified = page.text.split("Classification, svm ")[-1].split("Segmentation, svm ")[0]
    assert "pooled by the p-norm" not in classified
    assert "slide s-005 unreadable" in page.text
    assert "s-000 3200 2400" in page.text
