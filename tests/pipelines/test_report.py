import base64
import io
import re
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from pipelines.evaluation import Evaluation, Metric, Row
from pipelines.plots import bars, learning_curves
from pipelines.report import Code, Picture, Section, Table, evaluation_tables, page, write_report
from pipelines.runs import Run
from pipelines.training import TrainingConfiguration

NASTY = "<script>alert('1')</script> & \"quotes\" ěšč"


class Page(HTMLParser):
    """Tags, attributes and text of a page, and whether its tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def run(tmp_path):
    return Run.create("test", "tiny", TrainingConfiguration(), tmp_path)


def line() -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2])
    return figure


def test_every_text_is_escaped_and_readable(run):
    blocks = [NASTY, Table([NASTY], [[NASTY]], NASTY), Picture(line(), NASTY), Code(NASTY)]
    path = write_report(run, NASTY, [Section(NASTY, blocks)])
    assert path == run.folder / "report.html"
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == []
    assert not any(tag == "script" for tag, _ in page.tags)
    # Title twice, head of the section, paragraph, three in the table, caption of the picture, code.
    assert page.text.count(NASTY) == 9
    assert [attributes["alt"] for tag, attributes in page.tags if tag == "img"] == [NASTY]


def test_a_report_of_another_name_leaves_the_first(run):
    first, second = write_report(run, "First", []), write_report(run, "Second", [], "report-validation.html")
    assert second == run.folder / "report-validation.html"
    assert "<title>First</title>" in first.read_text(encoding="utf-8")
    assert "<title>Second</title>" in second.read_text(encoding="utf-8")


def test_nothing_is_fetched_and_pictures_are_whole(run):
    buffer = io.BytesIO()
    line().savefig(buffer, format="png")
    path = write_report(run, "Report", [Section("s", [Picture(buffer.getvalue(), "bytes"), Picture(line(), "figure")])])
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    addresses = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")]
    assert len(addresses) == 3
    assert all(address.startswith("data:") for address in addresses)
    assert not re.search(r"https?:|url\(|@import", re.sub(r"base64,[^\"]*", "", text))
    pictures = [address.partition("base64,")[2] for address in addresses if address.startswith("data:image")]
    assert base64.b64decode(pictures[0]) == buffer.getvalue()
    assert imread(io.BytesIO(base64.b64decode(pictures[1]))).shape[:2] == (144, 288)


def test_columns_of_numbers_stand_to_the_right(run):
    evaluation = Evaluation("test", 5, [Row("model", {"wer": Metric(0.2, 0.1, 0.3)}), Row("7 words", {})])
    (table,) = evaluation_tables(evaluation)
    text = write_report(run, "Report", [Section("s", [table])]).read_text(encoding="utf-8")
    assert re.findall(r"<th(?: [^>]*)?>", text) == ["<th>", '<th class="number">']
    assert '<td class="number">0.200 [0.100, 0.300]</td>' in text
    assert "<td>7 words</td>" in text


def test_many_metrics_are_several_tables_and_notes_one_of_their_own():
    names = ["wer", "cer", "mae", "rmse", "skill", "crps", "coverage_80", "coverage_95"]
    rows = [Row("model", {name: Metric(0.2, 0.1, 0.3) for name in names}, notes="a long remark")]
    *tables, notes = evaluation_tables(Evaluation("test", 5, rows))
    assert len(tables) > 1
    assert [head for table in tables for head in table.heads if head] == names
    assert all(table.rows[0][0] == "model" for table in tables)
    assert notes.rows == [["model", "a long remark"]]


def test_paragraphs_are_parted_by_empty_lines(run):
    text = write_report(run, "Report", [Section("s", ["one\n\ntwo\nstill two\n\n"])]).read_text(encoding="utf-8")
    assert re.findall(r"<p>([^<]*)</p>", text) == ["one", "two\nstill two"]


def test_a_ragged_table_is_refused_and_leaves_the_old_report(run):
    write_report(run, "Old", [])
    with pytest.raises(ValueError, match=r"as many cells as there are heads, 2\. Received: \['a'\]"):
        write_report(run, "New", [Section("s", [Table(["x", "y"], [["a"]])])])
    assert "<title>Old</title>" in (run.folder / "report.html").read_text(encoding="utf-8")


def test_learning_curves_draw_every_value_of_the_history():
    history = [
        {"epoch": 1, "steps": 9.0, "loss": 3.0, "gradient_norm": 1.0, "validation_loss": 4.0},
        {
            "epoch": 2,
            "steps": 9.0,
            "loss": 2.0,
            "gradient_norm": 0.5,
            "validation_loss": 3.5,
            "validation_cer": 0.5,
        },
    ]
    panels = {axes.get_title(): axes for axes in learning_curves(history).axes}
    assert list(panels) == ["loss", "cer", "gradient norm"]
    drawn = {line.get_label(): line.get_xydata().tolist() for line in panels["loss"].lines}
    assert drawn == {"training": [[1, 3], [2, 2]], "validation": [[1, 4], [2, 3.5]]}
    assert panels["cer"].lines[0].get_xydata().tolist() == [[2, 0.5]]
    with pytest.raises(ValueError, match="at least one epoch"):
        learning_curves([])


def test_bars_have_the_length_and_the_interval_of_the_metric():
    rows = [
        Row("model", {"wer": Metric(0.2, 0.1, 0.4)}),
        Row("no wer", {}),
        Row("$peer", {"wer": Metric(0.5)}),
    ]
    evaluation = Evaluation("test", 5, rows)
    axes = bars(evaluation, "wer").axes[0]
    assert [patch.get_width() for patch in axes.patches] == [0.2, 0.5]
    (segment,) = axes.collections[0].get_segments()
    np.testing.assert_allclose(segment[:, 0], [0.1, 0.4])
    bars(evaluation, "wer").savefig(io.BytesIO())  # a dollar is no formula
    with pytest.raises(ValueError, match=r"Expected one of: wer\. Received: 'cer'"):
        bars(evaluation, "cer")


def test_signs_that_the_font_has_not_are_drawn_without_a_warning():
    figure = Figure()
    figure.subplots().set_title("😀 日本 שלום हिन्दी")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "data:image/png;base64," in page("Signs", [Section("One", [Picture(figure, "signs")])])
