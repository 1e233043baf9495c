"""Recurrent networks for sequences: layers, trained models that answer, and trainings.

    import unrolled

    recogniser = unrolled.load("speech")              # the latest run; or the folder of a run or an export
    recogniser.transcribe("recording.wav").text

    run = unrolled.train("series", preset="own", data={"path": "measurements.csv"})
    unrolled.load(run.folder).forecast(frame)         # pandas in, pandas out

The layers need TensorFlow, Keras and NumPy alone; a task needs its extra, such as `pip install 'unrolled[speech]'`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled_installation import check_packages, quieten_tensorflow, release

check_packages("models", "data", "pipelines", "serving")
quieten_tensorflow()

from models import (  # noqa: E402  (another `models` is reported first)
    GRU,
    LSTM,
    BahdanauAttention,
    ConvLSTM2D,
    LuongAttention,
    MinGRU,
    MinLSTM,
    SimpleRNN,
    SpatiotemporalLSTM,
    Stack,
)

if TYPE_CHECKING:
    from pipelines.runs import Run

__version__ = release()
__all__ = [
    "GRU",
    "LSTM",
    "BahdanauAttention",
    "ConvLSTM2D",
    "LuongAttention",
    "MinGRU",
    "MinLSTM",
    "SimpleRNN",
    "SpatiotemporalLSTM",
    "Stack",
    "connect",
    "load",
    "tasks",
    "train",
]


def load(source: str | Path) -> Any:
    """Returns the predictor of a trained model. It stays ready, and answers batches.

    A predictor gives the same answers from a run and from its export. Its method is the task's verb: `transcribe`
    (speech), `forecast` (series), `classify` (sentiment, clip-classes), `generate` (language-model), `tag` (tagging),
    `translate` (translation), `predict` (next-frames). Where the model streams, `stream()` returns an object with
    `feed` and `finish`.

    Args:
        source: the name of a task, for its latest run; the folder of a run; or that of an export, where
            `exports/NAME` is its newest version.

    Raises:
        ConfigurationError: there is neither a task nor a folder of that name.
        RunError: there is no trained model.

    Example:
        >>> load("speach")
        Traceback (most recent call last):
        ...
        pipelines.configuration.ConfigurationError: There is neither a task nor a folder 'speach'. ... 'speech'? ...
    """
    from pipelines import predictors

    return predictors.load(source)


def connect(url: str, model: str = "", token: str = "") -> Any:
    """Returns the predictor of a model that `unrolled serve` serves: the same methods as `load` returns, streams too.

    Args:
        url: of the server, `http://127.0.0.1:8501`; or of a model on it, `http://127.0.0.1:8501/NAME`; behind a proxy
            also `https://HOST/PATH/v1/models/NAME`.
        model: its name. Default: the only one.
        token: that the server asks for, if it does. Default: the environment variable `UNROLLED_TOKEN`.

    Raises:
        ConfigurationError: the token fits no header.
        RunError: the server cannot be reached, refuses the token, or has no such model.

    Example::

        unrolled.connect("http://127.0.0.1:8501", "nlp-sentiment").classify("A quiet film that stays with you.")
    """
    from serving import client

    return client.connect(url, model, token)


def train(
    task: str,
    preset: str | None = None,
    *,
    initialise: "str | Path | Run | None" = None,
    resume: "str | Path | Run | None" = None,
    evaluate: bool = False,
    **settings: Any,
) -> "Run":
    """Trains a model and returns its run; `load(run.folder)` returns its predictor.

    Args:
        task: a name of `tasks()`, such as `series`.
        preset: one of the task's presets. Default: its first.
        initialise: a run, or its folder, whose weights the training starts from.
        resume: an unfinished run, or its folder, to continue; it keeps its settings.
        evaluate: evaluate the run afterwards, into `evaluation.json` and `report.html` of its folder.
        settings: changes of the preset; a dictionary changes the named settings of a part:
            `data={"path": "a.csv"}, training={"epochs": 3}, seed=1`. For series, `data` may be a data frame, or
            hold one as `frame`; the run keeps it, and can be resumed, moved and evaluated.

    Raises:
        ConfigurationError: there is no such task, preset or setting, or a value is out of range.
        RunError: the run cannot be written, or the run to start from does not fit.

    Example::

        run = unrolled.train("series", preset="own", data={"frame": frame, "targets": "load"})
        unrolled.load(run.folder).forecast(frame)
    """
    from pipelines import train as training

    return training.train_run(task, preset, initialise, resume, evaluate, settings)


def tasks() -> list[str]:
    """Returns the names of the tasks.

    Example:
        >>> "series" in tasks()
        True
    """
    from pipelines.tasks import all_tasks

    return [task.name for task in all_tasks()]
