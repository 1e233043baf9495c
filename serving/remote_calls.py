"""TensorFlow Serving's gRPC: `Predict` and `GetModelMetadata`, asked as its clients ask."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.any_pb2 import Any as AnyMessage
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from serving.errors import RequestError
from serving.exports import Exports, Model
from serving.guard import Guard, in_words
from serving.messages import Arrays, check_limits
from serving.options import ServeOptions

CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
Answer = Callable[[Model, str, Arrays], Awaitable[Arrays]]


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers calls.

    Args:
        options: how the server runs.
        exports: what is asked.
        guard: knows the token.
        answer: asks a signature.
    """

    def __init__(self, options: ServeOptions, exports: Exports, guard: Guard, answer: Answer) -> None:
        self._options, self._exports, self._guard, self._answer = options, exports, guard, answer

    async def Predict(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """Returns what a signature answers."""
        return await self._guarded(self._predict, request, context)

    async def GetModelMetadata(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """Returns the types and shapes of a model's signatures."""
        return await self._guarded(self._metadata, request, context)

    async def Classify(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """Refuses a call for models that take `tf.Example`."""
        expected = "Expected Predict or GetModelMetadata. Ask Predict."
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{expected} Received: {type(request).__name__}")

    Regress = MultiInference = Classify

    async def _predict(self, request: Any) -> Any:
        model = self._model(request.model_spec)
        signature = model.signature(request.model_spec.signature_name)
        known = model.definitions[signature].outputs.keys()
        wanted = set(request.output_filter) or known
        if unknown := sorted(wanted - known):
            raise RequestError(
                f"output_filter: expected some of {', '.join(sorted(known))}. Received: {', '.join(unknown)}"
            )
        inputs = await asyncio.to_thread(self._inputs, request, model.served.inputs(signature))
        answer = await self._answer(model, signature, inputs)
        response = predict_pb2.PredictResponse()
        _name(response.model_spec, model, signature)
        for name in wanted:
            response.outputs[name].CopyFrom(tf.make_tensor_proto(answer[name]))
        return response

    async def _metadata(self, request: Any) -> Any:
        model = self._model(request.model_spec)
        if list(request.metadata_field) not in ([], ["signature_def"]):
            fields = ", ".join(request.metadata_field)
            raise RequestError(f"metadata_field: expected signature_def. Received: {fields}")
        definitions = get_model_metadata_pb2.SignatureDefMap()
        for name, definition in model.definitions.items():
            definitions.signature_def[name].CopyFrom(definition)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        _name(response.model_spec, model)
        packed = AnyMessage()
        packed.Pack(definitions)
        response.metadata["signature_def"].CopyFrom(packed)
        return response

    def _model(self, specification: Any) -> Model:
        version = str(specification.version.value) if specification.HasField("version") else None
        return self._exports.model(specification.name, version)

    def _inputs(self, request: Any, kinds: Any) -> Arrays:
        if request.inputs.keys() != kinds.keys():
            raise RequestError(
                f"inputs: expected each of {', '.join(sorted(kinds))}. Received: {', '.join(sorted(request.inputs))}"
            )
        arrays = {name: _array(name, tensor, kinds[name]) for name, tensor in request.inputs.items()}
        check_limits(arrays, kinds, self._options.limits)
        return arrays

    async def _guarded(self, handler: Callable[[Any], Awaitable[Any]], request: Any, context: Any) -> Any:
        try:
            header = dict(context.invocation_metadata() or ()).get("authorization", "")
            self._guard.check_token(header)
            return await handler(request)
        except Exception as error:
            refusal = in_words(error)
        await context.abort(CODES.get(refusal.status, grpc.StatusCode.INTERNAL), str(refusal))


def _array(name: str, tensor: Any, kind: tf.TensorSpec) -> np.ndarray:
    expected = f"Expected {kind.dtype.name} of shape {tuple(kind.shape)}, None: any size"
    try:
        array = tf.make_ndarray(tensor)
    except (TypeError, ValueError) as error:
        raise RequestError(f"{name}: is no tensor. {expected}. Received: {error}") from None
    if tensor.dtype != kind.dtype.as_datatype_enum or not kind.shape.is_compatible_with(array.shape):
        received = f"{tf.as_dtype(tensor.dtype).name} of shape {array.shape}"
        raise RequestError(f"{name}: has another type or shape. {expected}. Received: {received}")
    return array


def _name(specification: Any, model: Model, signature: str = "") -> None:
    specification.name, specification.signature_name = model.name, signature
    specification.version.value = model.version


async def started(service: PredictionService, options: ServeOptions) -> tuple[grpc.aio.Server, int]:
    """Returns a server of a service, and its port."""
    size = options.body_bytes
    lengths = [("grpc.max_receive_message_length", size), ("grpc.max_send_message_length", -1)]
    server = grpc.aio.server(options=lengths, maximum_concurrent_rpcs=options.concurrency)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    address = f"{options.host}:{options.grpc_port}"
    if options.certificate and options.key:
        pair = options.key.read_bytes(), options.certificate.read_bytes()
        port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port(address)
    await server.start()
    return server, port
