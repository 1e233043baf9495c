"""What both tasks of video need: fixtures, each for its own corpus and configuration, and a run on other data."""

import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipelines.runs import Run


def fixtures_of(write_corpus: Callable[..., Path], tiny_configuration: Callable[..., Any]) -> tuple[Any, ...]:
    """Returns the fixtures `cache`, `make_corpus`, `configure`, `corpus`, `experiment` and `trained_run` of a task."""

    @pytest.fixture(autouse=True)
    def cache(session_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """One cache for all tests of this folder: the same few videos are decoded once."""
        monkeypatch.setenv("UNROLLED_CACHE", str(session_cache))
        return session_cache

    @pytest.fixture(scope="session")
    def make_corpus(save_clip: Callable[..., Path]) -> Callable[..., Path]:
        """`write_corpus`."""
        return partial(write_corpus, save_clip)

    @pytest.fixture(scope="session")
    def configure() -> Callable[..., Any]:
        """`tiny_configuration`."""
        return tiny_configuration

    @pytest.fixture(scope="session")
    def corpus(make_corpus: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The CSV of the videos."""
        return make_corpus(tmp_path_factory.mktemp("corpus") / "videos")

    @pytest.fixture(scope="session")
    def experiment(corpus: Path) -> Callable[..., Any]:
        """`tiny_configuration` of the corpus."""
        return partial(tiny_configuration, corpus)

    @pytest.fixture(scope="session")
    def trained_run(experiment: Callable[..., Any], train_tiny: Callable[..., Run], session_cache: Path) -> Run:
        """A finished run, trained on the corpus."""
        return train_tiny(experiment(), session_cache)

    return cache, make_corpus, configure, corpus, experiment, trained_run


def with_swapped_splits(run: Run, corpus: Path, folder: Path) -> Run:
    """Returns a copy of a run, `folder/run`, on a copy of its videos with training and test swapped."""
    copy = Run.open(shutil.copytree(run.folder, folder / "run"))
    path = shutil.copytree(corpus.parent, folder / "videos") / corpus.name
    swapped = {"train": "test", "test": "train"}
    path.write_text(re.sub(r"(train|test)$", lambda found: swapped[found[1]], corpus.read_text(), flags=re.MULTILINE))
    settings = copy.read_json("configuration.json")
    settings["data"]["path"] = str(path)
    copy.write_json("configuration.json", settings)
    return copy
