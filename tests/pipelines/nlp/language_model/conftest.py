"""A small text and a language model that has learned it in seconds, for the tests of the language model."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.nlp.language_model.config import PRESETS, LanguageModelConfiguration
from pipelines.nlp.language_model.model import LanguageModel, load_model
from pipelines.nlp.subwords import Subwords
from pipelines.runs import Run

REPOSITORY = Path(__file__).parents[4]


@pytest.fixture(scope="session")
def text_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real text, some thousand words: what the project says about itself."""
    path = tmp_path_factory.mktemp("text") / "project.txt"
    names = ("README.md", "CONTRIBUTING.md", "LICENSE")
    path.write_text("".join((REPOSITORY / name).read_text(encoding="utf-8") for name in names), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def experiment(text_file: Path) -> Callable[..., LanguageModelConfiguration]:
    """A function that returns a configuration which learns the text in seconds, with some changes."""

    def changed(**changes: object) -> LanguageModelConfiguration:
        configuration = PRESETS["own-language-model"].replace(
            data={"path": str(text_file), "batch_size": 4, "window": 16},
            vocabulary={"size": 400},
            network={"units": 16, "width": 12, "contexts": 64, "dropout": 0.0, "context_dropout": 0.0},
            training={"epochs": 2, "learning_rate": 0.01},
        )
        return configuration.replace(**changes)

    return changed


@pytest.fixture(scope="session")
def trained_run(experiment: Callable[..., LanguageModelConfiguration], train_tiny: Callable[..., Run]) -> Run:
    """A finished run, trained on the text."""
    return train_tiny(experiment())


@pytest.fixture(scope="session")
def language_model(trained_run: Run) -> tuple[LanguageModel, Subwords]:
    """The model of that run, and its vocabulary."""
    model = load_model(trained_run)
    return model, model.subwords
