"""A small model of every task, from the data of the tasks' own tests, exported."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from pipelines.configuration import Configuration
from pipelines.devices import device_model, write_devices
from pipelines.nlp.language_model.config import PRESETS as WRITERS
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.tagging.config import TaggingConfiguration
from pipelines.nlp.translation.config import PRESETS as TRANSLATORS
from pipelines.runs import Run
from pipelines.series.config import SeriesConfiguration
from pipelines.tasks import all_tasks
from tests.pipelines.conftest import unlearned
from tests.pipelines.nlp.sentiment.conftest import opinions
from tests.pipelines.nlp.sentiment.conftest import write as write_opinions
from tests.pipelines.nlp.tagging.conftest import sentences
from tests.pipelines.nlp.tagging.conftest import write as write_tags
from tests.pipelines.nlp.translation.conftest import spoken_numbers
from tests.pipelines.series.conftest import series_frame, table_configuration
from tests.pipelines.series.conftest import write as write_table
from tests.pipelines.speech.conftest import tiny_configuration as speech
from tests.pipelines.speech.conftest import write_corpus as write_recordings
from tests.pipelines.video.clip_classes.conftest import tiny_configuration as clip_classes
from tests.pipelines.video.clip_classes.conftest import write_corpus as write_clips
from tests.pipelines.video.conftest import save_grey
from tests.pipelines.video.next_frames.conftest import tiny_configuration as next_frames
from tests.pipelines.video.next_frames.conftest import write_corpus as write_films

REPOSITORY = Path(__file__).parents[2]
QUICK: dict[str, Any] = {"epochs": 2, "learning_rate": 0.02, "weight_average_decay": 0.0}
UNLEARNED = ("waves", "tagging", "writer", "drifts")
"""Models whose answers are only compared."""


def export_all(folder: Path) -> Path:
    """Exports a small model of every task, trained where tests ask what it knows, and returns their folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNROLLED_CACHE", str(folder / "cache"))
        for preset, configuration in _configurations(folder / "data"):
            task = next(each for each in all_tasks() if type(configuration) is type(next(iter(each.presets.values()))))
            run = Run.create(task.pipeline, preset, configuration, folder / "runs")
            train = task.part("train")
            with unlearned(train) if preset in UNLEARNED else nullcontext():
                train.train(run, configuration)
            export = task.part("export").export_run(run, folder / "exports")
            if preset == "tones":
                write_devices(export, device_model(task, run, ("web",)), ("web",))
    return folder / "exports"


def _configurations(folder: Path) -> Iterator[tuple[str, Configuration]]:
    """Yields the name of each model, and how it is trained."""
    folder.mkdir()
    heard = write_recordings(folder / "tones")
    # Of one direction, so that it streams.
    yield "tones", speech(heard).replace(network={"bidirectional": False, "units": 16}, training={"epochs": 2})
    waves = table_configuration(write_table(folder / "waves.csv", series_frame()))
    network: dict[str, Any] = {"units": 8, "members": 1, "decoder_units": 8}
    yield (
        "waves",
        SeriesConfiguration().replace(
            data=waves.model_dump(), network=network, training={"epochs": 1, "learning_rate": 0.01}, steps_per_epoch=40
        ),
    )
    data: dict[str, Any] = {"source": "own", "text": "review", "label": "stars", "rating": "score"}
    data["path"] = str(write_opinions(folder / "opinions.csv", opinions()))
    network = {"units": 8, "embedding": 8, "pieces": 50, "members": 1, "minimum_count": 1, "word_dropout": 0.1}
    yield "sentiment", SentimentConfiguration().replace(data=data, network=network, training=QUICK)
    data = {"source": "own", "path": str(write_tags(folder / "names.conll", sentences())), "batch_size": 16}
    network = {"units": 8, "embedding": 16, "pieces": 100}
    yield "tagging", TaggingConfiguration().replace(data=data, network=network, training=QUICK)
    for name, lines in zip(("en.txt", "es.txt"), spoken_numbers(600), strict=True):
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    data = {"source_path": str(folder / "en.txt"), "target_path": str(folder / "es.txt"), "batch_tokens": 300}
    network = {"units": 32, "encoder_layers": 1, "decoder_layers": 1, "attention_units": 16}
    network |= {"dropout": 0.0, "compiled": False}
    yield (
        "translation",
        TRANSLATORS["own-translation"].replace(
            data=data | {"similarity": 1},
            subwords={"size": 330},
            network=network,
            search={"beam_width": 2},
            training=QUICK,
        ),
    )
    text = "".join((REPOSITORY / name).read_text(encoding="utf-8") for name in ("README.md", "LICENSE"))
    (folder / "text.txt").write_text(text, encoding="utf-8")
    network = {"units": 16, "width": 12, "contexts": 64, "dropout": 0.0, "context_dropout": 0.0}
    yield (
        "writer",
        WRITERS["own-language-model"].replace(
            data={"path": str(folder / "text.txt"), "batch_size": 4, "window": 16},
            vocabulary={"size": 400},
            network=network,
            training={"epochs": 1, "learning_rate": 0.01},
        ),
    )
    yield "directions", clip_classes(write_clips(save_grey, folder / "directions")).replace(training={"epochs": 1})
    yield "drifts", next_frames(write_films(save_grey, folder / "drifts"))
