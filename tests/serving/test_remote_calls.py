"""TensorFlow Serving's gRPC client asks the server as it would ask TensorFlow Serving."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

import unrolled
from pipelines.runs import RunError


@pytest.fixture(scope="module")
def stub(exports: Path, start: Callable[..., Any]) -> Iterator[Any]:
    """TensorFlow Serving's own client."""
    _, server = start(exports, grpc_port=0, rows=8)
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request(
    name: str = "tiny", signature: str = "", version: int | None = None, outputs: Sequence[str] = (), **inputs: Any
) -> Any:
    asked = predict_pb2.PredictRequest(output_filter=outputs)
    asked.model_spec.name, asked.model_spec.signature_name = name, signature
    if version is not None:
        asked.model_spec.version.value = version
    for key, value in inputs.items():
        asked.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return asked


FLOATS = np.array([1.0, 2.5], np.float32)


def test_calls_are_answered(stub: Any, writer: Any) -> None:
    answer = stub.Predict(request(value=FLOATS))
    assert tf.make_ndarray(answer.outputs["twice"]).tolist() == [2.0, 5.0]
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("tiny", 1)
    texts = {"text": ["é", "b"], "counts": np.array([[1, 2], [3, 4]], np.int32), "good": [True, False]}
    answer = stub.Predict(request(signature="echo", version=1, **texts))
    assert tf.make_ndarray(answer.outputs["text"]).tolist() == ["é".encode(), b"b"]
    assert tf.make_ndarray(answer.outputs["sum"]).tolist() == [3, 7]
    answer = stub.Predict(request(signature="echo", outputs=["sum"], **texts))
    assert {name: tf.make_ndarray(each).tolist() for name, each in answer.outputs.items()} == {"sum": [3, 7]}
    answer = stub.Predict(request("nlp-writer", text=["In the"]))
    expected = writer.score("In the").log_probability
    assert tf.make_ndarray(answer.outputs["log_probability"])[0] == pytest.approx(expected, rel=1e-5)


def test_metadata_are_those_of_the_export(stub: Any) -> None:
    asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    asked.model_spec.name = "tiny"
    definitions = get_model_metadata_pb2.SignatureDefMap()
    stub.GetModelMetadata(asked).metadata["signature_def"].Unpack(definitions)
    assert definitions.signature_def["echo"].inputs["counts"].dtype == tf.int32.as_datatype_enum


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (request("none", value=FLOATS), "NOT_FOUND", "no model of this name"),
        (request(version=7, value=FLOATS), "NOT_FOUND", "Expected 1. Received: '7'"),
        (request(signature="nothing", value=FLOATS), "INVALID_ARGUMENT", "signature_name: expected one of"),
        (request(other=FLOATS), "INVALID_ARGUMENT", "inputs: expected each of value. Received: other"),
        (
            request(outputs=["twice", "sum"], value=FLOATS),
            "INVALID_ARGUMENT",
            "output_filter: expected some of twice. Received: sum",
        ),
        (request(value=[1, 2]), "INVALID_ARGUMENT", "value: has another type or shape. Expected float32"),
        (request(value=FLOATS[:, np.newaxis]), "INVALID_ARGUMENT", "Received: float32 of shape (2, 1)"),
        (request(value=1e6 * FLOATS), "INVALID_ARGUMENT", "value: expected below 1000"),
        (request(value=np.zeros(9, np.float32)), "RESOURCE_EXHAUSTED", "Expected 8 rows at most"),
    ],
)
def test_bad_calls_are_refused_in_words(stub: Any, asked: Any, code: str, message: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        stub.Predict(asked)
    assert refused.value.code().name == code and message in refused.value.details()
    assert stub.Predict(request(value=FLOATS)).outputs.keys() == {"twice"}, "others are served"


@pytest.mark.parametrize("method", ["Classify", "Regress", "MultiInference"])
def test_other_calls_are_refused_in_words(stub: Any, method: str, caplog: pytest.LogCaptureFixture) -> None:
    kinds = {"Classify": classification_pb2.ClassificationRequest, "Regress": regression_pb2.RegressionRequest}
    with pytest.raises(grpc.RpcError) as refused:
        getattr(stub, method)(kinds.get(method, inference_pb2.MultiInferenceRequest)(), 5)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert refused.value.details().startswith("Expected Predict or GetModelMetadata.") and not caplog.records


def test_a_client_of_rest_that_asks_grpc_is_told_so(exports: Path, start: Callable[..., Any]) -> None:
    _, server = start(exports, grpc_port=0)
    with pytest.raises(RunError, match=r"cannot be reached: what answers is not HTTP, as at the port of gRPC"):
        unrolled.connect(f"http://127.0.0.1:{server.grpc_port}", "tiny")
