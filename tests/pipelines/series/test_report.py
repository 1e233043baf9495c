"""The page: which forecasts are shown, and sentences about prices that follow from the numbers."""

import numpy as np
import pytest

from pipelines.configuration import Configuration
from pipelines.evaluation import Evaluation, Row
from pipelines.runs import Run
from pipelines.series import pictures
from pipelines.series.backtest import Forecasts, Task
from pipelines.series.calendar import DAY, Clock
from pipelines.series.data import Sets
from pipelines.series.regular import Columns, Repair, Series
from pipelines.series.report import Details, about_prices, best_middle_worst, comparisons, write_series_report
from pipelines.series.scoring import losses, metrics

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
NORMAL = np.array([-1.96, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.96])
STEPS, START, HORIZON = 640, 120, 3


def details_of(knowledge: float = 0.0, width: float = 1.0, log_returns: bool = True) -> Details:
    """A random walk, and a model that knows a part of its next moves."""
    moves = np.random.default_rng(0).normal(0, 0.01, STEPS)
    levels = np.exp(moves.cumsum())[:, np.newaxis]
    values = (moves if log_returns else np.log(levels[:, 0]))[:, np.newaxis].astype(np.float32)
    series = Series("ACME", 86_400 * np.arange(STEPS), values, np.ones((STEPS, 1), bool), levels)
    repairs = [Repair("ACME", "close", "gap filled", 2, "1970-01-05")]
    sets = Sets([series], Columns(("close",)), Clock(DAY, "clock"), [80], [START], repairs)
    task = Task(sets, [0], "test", 0, HORIZON, LEVELS, 5, log_returns)
    origins = task.origins()
    base = np.zeros((len(origins.step), 1)) if log_returns else values[origins.step].astype(float)
    scale = 0.01 * np.sqrt(np.arange(1, HORIZON + 1))[:, np.newaxis]
    still = np.repeat(base, HORIZON, axis=1)
    known = still + knowledge * (origins.truth - still)
    said = {
        "model": Forecasts(known[..., np.newaxis] + width * scale * NORMAL, known),
        "last value": Forecasts(still[..., np.newaxis] + scale * NORMAL, still),
    }
    found = {
        name: losses(one, origins.truth, LEVELS, np.ones(len(origins.step)), log_returns) for name, one in said.items()
    }
    return Details(task, origins, said, found)


def evaluation_of(details: Details) -> Evaluation:
    naive = details.losses["last value"]
    rows = [Row(name, metrics(found, naive, details.origins)) for name, found in details.losses.items()]
    return Evaluation("test", len(details.origins.step), rows)


def about(**changes: float) -> str:
    details = details_of(**changes)
    return about_prices(evaluation_of(details), details)


def test_a_model_that_knows_nothing_is_said_to_know_nothing() -> None:
    details = details_of()
    noise = np.random.default_rng(1).normal(0, 1e-4, details.origins.truth.shape)
    model = details.forecasts["model"]
    details.forecasts["model"] = Forecasts(model.quantiles + noise[..., np.newaxis], noise)
    ones = np.ones(len(noise))
    details.losses["model"] = losses(details.forecasts["model"], details.origins.truth, LEVELS, ones, True)
    text = about_prices(evaluation_of(details), details)
    assert "On these 518 days the model's point forecast does not differ significantly from the last price" in text
    assert "no better than a coin" in text
    assert "Its ranges are reliable" in text
    assert "It predicts how far prices may move, not in which direction." in text


def test_a_model_that_knows_something_is_said_to_be_better() -> None:
    text = about(knowledge=0.3)
    assert "is better than the last price" in text
    assert "100.0 % of all cases" in text
    assert "better than a coin" in text
    assert "distribution is significantly better than that of the best baseline, last value" in text
    assert "not in which direction" not in text


def test_a_model_that_is_wrong_is_said_to_be_worse() -> None:
    text = about(knowledge=-0.3)
    assert "is worse than the last price" in text
    assert "worse than a coin" in text
    assert "not in which direction" in text


@pytest.mark.parametrize(
    ("width", "words"), [(0.5, "too narrow (50 %, 80 %, 95 %)"), (2.0, "too wide (50 %, 80 %, 95 %)")]
)
def test_ranges_that_do_not_hold_are_said_to_be_wrong(width: float, words: str) -> None:
    text = about(width=width)
    assert f"Its ranges are {words}." in text
    assert "good for" not in text


def test_the_sentence_says_who_always_says_up() -> None:
    details = details_of()
    rises = (details.origins.truth[:, 0] > 0).mean()
    assert f"A constant forecast of “up” would be right in {100 * rises:.1f} %" in about(knowledge=0.3)


def test_shown_are_the_best_the_middle_and_the_worst() -> None:
    crps = np.array([[3.0, 3.0], [1.0, 1.0], [0.0, np.nan], [9.0, 9.0], [2.0, 2.5]])
    assert best_middle_worst(crps) == {"best": 1, "middle": 0, "worst": 3}
    assert best_middle_worst(np.full((2, 2), np.nan)) == {"best": 0, "middle": 1, "worst": 1}


def test_the_table_of_tests_names_the_better_one() -> None:
    table = comparisons(details_of(knowledge=0.3))
    assert [row[0] for row in table.rows] == ["last value"]
    assert all(str(cell).startswith("model better, p") for cell in table.rows[0][1:])
    assert len(table.heads) == 5


def test_calibration_picture_lies_where_the_shares_are() -> None:
    details = details_of(width=0.5)
    axes = pictures.calibration(details.origins.truth, details.forecasts["model"], LEVELS).axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    nominal, observed = lines["all steps"].get_data()
    assert np.array(nominal) == pytest.approx([0.95, 0.8, 0.5])
    quantiles, truth = details.forecasts["model"].quantiles, details.origins.truth
    for place, share in enumerate(np.array(observed)):
        inside = (quantiles[..., place] <= truth) & (truth <= quantiles[..., -1 - place])
        assert share == pytest.approx(inside.mean())
    assert (np.array(observed) < np.array(nominal)).all()  # too narrow lies below


def test_histogram_is_flat_for_the_true_distribution_and_high_outside_for_a_narrow_one() -> None:
    for width, flat in ((1.0, True), (0.3, False)):
        details = details_of(width=width)
        figure = pictures.probability_histogram(details.origins.truth, details.forecasts["model"], LEVELS)
        bars = [patch for patch in figure.axes[0].patches]
        heights, widths = (np.array([getattr(bar, f"get_{side}")() for bar in bars]) for side in ("height", "width"))
        assert heights @ widths == pytest.approx(1)
        assert widths == pytest.approx(np.diff([0, *LEVELS, 1]))
        assert (heights[[0, -1]].max() < 2) == flat


@pytest.mark.slow
def test_the_page_holds_everything(tmp_path_factory: pytest.TempPathFactory) -> None:
    for log_returns in (True, False):
        run = Run.create("series", "stock", Configuration(), tmp_path_factory.mktemp("runs"))
        run.append_history({"epoch": 1, "loss": 1.0})
        details = details_of(0.2, log_returns=log_returns)
        write_series_report(run, evaluation_of(details), details)
        page = (run.folder / "report.html").read_text(encoding="utf-8")
        for head in (
            "Results",
            "beyond chance",
            "Error by horizon",
            "Some forecasts",
            "reliable",
            "Repairs",
            "Training",
        ):
            assert head in page
        assert "gap filled" in page
        assert page.count("data:image/png;base64") == 6
        assert ("the last price" in page) == log_returns
        assert (run.folder / "forecasts.png").stat().st_size > 10_000


def test_fans_show_what_was_said_and_what_came() -> None:
    details = details_of(log_returns=False)
    number = 7
    figure = pictures.fans(details.task, details.origins, details.forecasts["model"], {"one": number})
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].get_lines()}
    assert np.array(lines["truth"]) == pytest.approx(details.origins.truth[number])
    assert np.array(lines["median"]) == pytest.approx(details.forecasts["model"].mean[number])
