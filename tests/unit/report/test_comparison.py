"""Methods side by side, and one setting varied, on the page."""

import base64
import re

from tests.unit.report.test_page import Page, written


def test_each_task_has_its_methods_side_by_side_with_time_and_memory(plain_results):
    text = Page((plain_results / "report.html").read_text(encoding="utf-8")).text
    assert text.count("This study's methods side by side") == 2
    assert "1 h 2 min" in text
    assert "1.25 GiB" in text
    assert text.count("said of the kind") == 3  # in the table of methods, and in Tables 1 and 2
    assert re.search(r"svm, plain svm 8 0\.\d{3} 0\.\d{3} to 0\.\d{3} the first – –", text)
    assert re.search(r"svm, hard svm 8 0\.\d{3} 0\.\d{3} to 0\.\d{3} −0\.125 0\.250 – –", text)
    assert "GraphRLM, the paper's third method, stands in its Figure 6 only, without a number" in text
    assert "varied at a time" not in text
    assert "Figure 6: the methods' maps" not in text  # of one method


def test_several_methods_have_a_column_each_in_figure_6(made_up):
    made_up.several = True
    text = written(made_up)
    figure = text[text.index('id="figure6"') : text.index('<h2 id="s-svm"')]
    assert "8 of" not in figure  # there are eight left-out slides
    assert "--columns: 3" in figure
    assert re.findall(r"<b>(.*?)</b>", figure) == ["slide", "svm, hard", "other, plain"]
    assert len(re.findall("<figure>", figure)) == 8 * 3
    assert len(re.findall("<img ", figure)) == 8 * 3
    scores = [float(value) for value in re.findall(r"S = ([\d.]+)", figure)]
    assert scores[::2] == sorted(scores[::2])  # by the first method
    assert re.findall(r"<a href=[^>]*>(s-\d+)</a>", figure) != []


def test_figure_6_shows_a_spread_of_slides_where_there_are_many(made_up):
    made_up.several, made_up.slides, made_up.test = True, 30, False
    text = Page(written(made_up)).text
    assert "8 of 30 slides, evenly spread from the worst to the best of the first method" in text


def test_what_was_varied_is_drawn_and_said_not_to_choose_from(made_up):
    made_up.varied = True
    text = written(made_up)
    page = Page(text)
    assert "One setting of svm varied at a time" in page.text
    assert "whoever picks the best value from this table and reports its score has tuned on the slides" in page.text
    assert "norm of the pooling inf 2 of 8 0.250 0.100 to 1.000 −0.250 0.500" in page.text
    assert "norm of the pooling 3 yes 6 of 8" in page.text
    part = text[text.index('id="ablation"') : text.index('<h2 id="c-svm"')]
    drawn = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)" alt="([^"]+)"', part)
    assert [title for _, title in drawn] == ["Norm of the pooling", "Features kept"]
    for picture, _ in drawn:
        assert b"<svg" in base64.b64decode(picture)
