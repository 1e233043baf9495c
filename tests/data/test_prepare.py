"""`data.prepare`: once, whole, whoever else is at it."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

import data
from data.speech_corpus import SpeechCorpus

BEEP = np.array([0, -32768, 32767, -1], np.int16)


class TinyCorpus(SpeechCorpus, skip_registration=True):
    """One beep."""

    VERSION = tfds.core.Version("1.0.0")
    prepared = 0
    fails = False

    def _info(self):
        return self.corpus_info(8000, description="One beep.")

    def _split_generators(self, dl_manager):
        type(self).prepared += 1
        self.info.metadata.update(counted=3)
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        yield "beep", {"audio": BEEP, "text": "beep", "transcript": "Beep!", "key": "beep"}
        if self.fails:
            raise OSError("the power is off")


@pytest.fixture
def corpus(monkeypatch):
    monkeypatch.setattr(TinyCorpus, "prepared", 0)
    monkeypatch.setattr(TinyCorpus, "fails", False)
    return TinyCorpus


def test_default_folder_is_in_the_cache(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path))
    builder = data.prepare(corpus())
    assert tmp_path / "tensorflow_datasets" in builder.data_path.parents
    (example,) = builder.as_dataset(split="train").as_numpy_iterator()
    np.testing.assert_array_equal(example["audio"], BEEP, strict=True)


def test_a_builder_made_before_another_process_prepared(corpus, tmp_path):
    first, second = corpus(data_dir=tmp_path), corpus(data_dir=tmp_path)  # neither finds anything
    data.prepare(first)
    assert data.prepare(second).info.splits["train"].num_examples == 1
    assert second.info.metadata["counted"] == 3
    assert corpus.prepared == 1


def test_failure_and_kill_leave_nothing(corpus, tmp_path):
    builder = corpus(data_dir=tmp_path)
    killed = builder.data_path.parent / f"{builder.data_path.name}.incomplete.ABC"  # as a killed process leaves it
    killed.mkdir(parents=True)
    corpus.fails = True
    with pytest.raises(OSError, match="the power is off"):
        data.prepare(builder)
    assert [path.name for path in builder.data_path.parent.iterdir() if not path.name.startswith(".")] == []
    corpus.fails = False
    assert data.prepare(corpus(data_dir=tmp_path)).info.splits["train"].num_examples == 1
