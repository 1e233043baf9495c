"""Signatures answer alike in memory and from a SavedModel, whole and as a stream."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines.exporting import WarmupRequest, export
from pipelines.served import Served, Signature, Stream


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Served, Served]:
    """A running weighted sum, in memory and exported."""
    owner = tf.Module()
    owner.weight = tf.Variable(2.0)
    number = tf.TensorSpec([None], tf.float32)
    signatures = {
        "serving_default": Signature(lambda value: {"sum": tf.reduce_sum(owner.weight * value)}, {"value": number}),
        "initial_state": Signature(lambda batch: {"total": tf.zeros([batch])}, {"batch": tf.TensorSpec([], tf.int32)}),
        "step": Signature(
            lambda value, total: {"sum": total + owner.weight * value, "total": total + owner.weight * value},
            {"value": number, "total": number},
        ),
    }
    concrete = {name: each.concrete() for name, each in signatures.items()}
    warmup = [WarmupRequest("serving_default", {"value": [1.0]})]
    folder = export(owner, concrete, "sum", "# Sum", warmup, tmp_path_factory.mktemp("exports"))
    return Served(signatures), Served.exported(Path(folder))


def test_memory_and_export_answer_alike(both: tuple[Served, Served]) -> None:
    for served in both:
        assert "step" in served and "nothing" not in served
        assert served.inputs("step")["total"].dtype == tf.float32
        assert served("serving_default", value=[1, 2.5])["sum"] == np.float32(7.0)


def test_a_stream_keeps_its_state_and_hides_it(both: tuple[Served, Served]) -> None:
    for served in both:
        stream = Stream(served, batch=1)
        answers = [stream.step(value=[value]) for value in (1.0, 2.0, 4.0)]
        assert [answer["sum"].tolist() for answer in answers] == [[2.0], [6.0], [14.0]]
        assert all(answer.keys() == {"sum"} for answer in answers)
