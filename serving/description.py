"""What can be asked, as OpenAPI 3.1: a path for each model, a schema for each signature."""

from collections.abc import Iterable, Mapping
from typing import Any

from tensorflow.core.framework import types_pb2

from serving.exports import Model

_NUMBERS = {"DT_FLOAT", "DT_DOUBLE", "DT_HALF", "DT_BFLOAT16"}


def description(models: Iterable[Model]) -> dict[str, Any]:
    """Returns the description of a server with some models."""
    paths: dict[str, Any] = {
        "/v1/models": {"get": _operation("The models that are served")},
        "/healthz": {"get": _operation("Whether the process lives")},
        "/readyz": {"get": _operation("Whether there is a model of every export")},
        "/metrics": {"get": _operation("Metrics for Prometheus")},
    }
    for model in models:
        place = f"/v1/models/{model.name}"
        paths[place] = {"get": _operation("The states of its versions")}
        paths[f"{place}/metadata"] = {"get": _operation("Types and shapes of its signatures")}
        paths[f"{place}/card"] = {"get": _operation("Its model card")}
        requests = [_request(name, each) for name, each in sorted(model.definitions.items())]
        predict = _operation("Asks a signature") | {"description": model.card()}
        predict["requestBody"] = {"required": True, "content": {"application/json": {"schema": {"oneOf": requests}}}}
        paths[f"{place}:predict"] = {"post": predict}
    return {"openapi": "3.1.0", "info": {"title": "Unrolled", "version": "1"}, "paths": paths}


def _request(name: str, definition: Any) -> dict[str, Any]:
    inputs = {key: _schema(each) for key, each in sorted(definition.inputs.items())}
    columns = {"type": "object", "properties": inputs, "required": sorted(inputs), "additionalProperties": False}
    signature = {"const": name, "default": "serving_default"}
    required = ["inputs"] if name == "serving_default" else ["inputs", "signature_name"]
    return {"type": "object", "properties": {"signature_name": signature, "inputs": columns}, "required": required}


def _schema(tensor: Any) -> Mapping[str, Any]:
    kind = types_pb2.DataType.Name(tensor.dtype)
    encoded = {"type": "object", "properties": {"b64": {"type": "string"}}, "required": ["b64"]}
    if kind == "DT_STRING":
        schema: dict[str, Any] = {"anyOf": [{"type": "string"}, encoded]}
    else:
        schema = {"type": "boolean" if kind == "DT_BOOL" else "number" if kind in _NUMBERS else "integer"}
    for dimension in reversed(tensor.tensor_shape.dim):
        size = {} if dimension.size < 0 else {"minItems": dimension.size, "maxItems": dimension.size}
        schema = {"type": "array", "items": schema, **size}
    return schema


def _operation(summary: str) -> dict[str, Any]:
    answers = {"200": {"description": "The answer"}, "4XX": {"description": 'What is wrong, {"error": "…"}'}}
    return {"summary": summary, "responses": answers}
