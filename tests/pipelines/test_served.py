"""Signatures answer alike in memory and from a SavedModel, whole and as a stream."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines.configuration import ConfigurationError
from pipelines.exporting import WarmupRequest, export
from pipelines.served import STREAMS, Served, Signature, Stream, required


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Served, Served]:
    """A running weighted sum, in memory and exported."""
    owner = tf.Module()
    owner.weight = tf.Variable(2.0)
    number = tf.TensorSpec([None], tf.float32)
    signatures = {
        "serving_default": Signature(lambda value: {"sum": tf.reduce_sum(owner.weight * value)}, {"value": number}),
        "initial_state": Signature(lambda streams: {"total": tf.zeros(tf.shape(streams))}, STREAMS),
        "step": Signature(
            lambda value, total: {"sum": total + owner.weight * value, "total": total + owner.weight * value},
            {"value": number, "total": number},
        ),
    }
    concrete = {name: each.concrete() for name, each in signatures.items()}
    value = {"value": [1.0]}
    warmup = [WarmupRequest("serving_default", value), WarmupRequest("initial_state", {"streams": [0]})]
    warmup.append(WarmupRequest("step", value))
    folder = export(owner, concrete, "sum", "# Sum", warmup, tmp_path_factory.mktemp("exports"))
    return Served(signatures), Served.exported(Path(folder))


def test_memory_and_export_answer_alike(both: tuple[Served, Served]) -> None:
    for served in both:
        assert "step" in served and "nothing" not in served
        assert served.inputs("step")["total"].dtype == tf.float32
        assert served("serving_default", value=[1, 2.5])["sum"] == np.float32(7.0)


def test_a_stream_keeps_its_state_and_hides_it(both: tuple[Served, Served]) -> None:
    for served in both:
        stream = Stream(served)
        answers = [stream.step(value=[value]) for value in (1.0, 2.0, 4.0)]
        assert [answer["sum"].tolist() for answer in answers] == [[2.0], [6.0], [14.0]]
        assert all(answer.keys() == {"sum"} for answer in answers)


def test_inputs_go_by_their_names_and_what_does_not_fit_is_refused() -> None:
    number = tf.TensorSpec([None], tf.float32)

    def less(second: tf.Tensor, first: tf.Tensor, **rest: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"second": second, "less": first - second, "first": first, "last": rest["last"], "again": rest["again"]}

    inputs = {name: number for name in ("second", "first", "last", "again")}
    served = Served({"serving_default": Signature(less, inputs)})
    values = {"again": [5.0], "first": [3.0], "second": [1.0], "last": [4.0]}
    expected = {**values, "less": [2.0]}
    assert {name: value.tolist() for name, value in served("serving_default", **values).items()} == expected
    with pytest.raises(TypeError, match="last"):
        served("serving_default", **{name: value for name, value in values.items() if name != "last"})
    with pytest.raises(TypeError, match="first"):
        served("serving_default", **{**values, "first": [[3.0]]})


def test_earlier_exports_that_take_scalars_are_asked_alike() -> None:
    """Before 0.2 was finished, `initial_state` took the size of a batch, and options were scalars."""
    number, scalar = tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.int32)
    signatures = {
        "initial_state": Signature(lambda batch: {"total": tf.zeros([batch])}, {"batch": scalar}),
        "step": Signature(
            lambda factor, total: {"total": total + tf.cast(factor, tf.float32)}, {"factor": scalar, "total": number}
        ),
    }
    stream = Stream(Served(signatures))
    assert stream.step(factor=[3]) == {} and np.asarray(stream._state["total"]).tolist() == [3.0]


def test_a_graph_refuses_in_our_words() -> None:
    def half(value: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"half": required(value, value % 2 == 0, "value: expected even numbers. Received:", value) // 2}

    served = Served({"serving_default": Signature(half, {"value": tf.TensorSpec([None], tf.int32)})})
    assert served("serving_default", value=[4])["half"].tolist() == [2]
    with pytest.raises(ConfigurationError, match=r"^value: expected even numbers\. Received: \[4 3\]$"):
        served("serving_default", value=[4, 3])
