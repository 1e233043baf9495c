"""Models as LiteRT, formerly TensorFlow Lite, for phones and microcontrollers."""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from models.conversion.signature import signature_of
from models.layers.recurrent import whole_layers


def to_litert(
    model: keras.Layer,
    path: str | Path,
    int8: bool = False,
    examples: Iterable[Sequence[Any]] | None = None,
    **shapes: Sequence[int | None],
) -> None:
    """Writes a model, or layer, as a LiteRT file of builtin operators alone.

    The file reads any number of steps where the model does: `Interpreter.resize_tensor_input` sets it. `MinGRU` and
    `MinLSTM` need a known number. A layer with `unroll=True` has no loop. Dropout is left out.

    Args:
        model: a model, or a layer that is built. To stream, make the state an input and an output of the model.
        path: the file.
        int8: hold the weights in eight bits, which makes the file about a quarter as large; outputs change in the
            second or third digit.
        examples: with `int8`, lists of arrays, one for each input, by which the ranges of activations are found, so
            that integers alone are computed where LiteRT can; for models without a loop, of layers with `unroll=True`;
            default: activations stay float32.
        **shapes: of inputs by their names, where another than the model's own is wanted; one row at a time otherwise.

    Raises:
        ValueError: a stateful layer, whose state a file cannot keep; a model that LiteRT cannot run for any number of
            steps; `examples` without `int8`, or for a model
            with a loop.
    """
    if examples is not None and not int8:
        raise ValueError("Examples serve to find the ranges of int8: pass int8=True, or none. Received: int8=False.")
    function, signature = signature_of(model, shapes)
    signature = [
        tf.TensorSpec((1, *spec.shape[1:]) if spec.shape[0] is None else spec.shape, spec.dtype, name=spec.name)
        for spec in signature
    ]
    content = litert_of(function, signature, int8, examples)
    _check(content, signature)
    Path(path).write_bytes(content)


def litert_of(
    function: Callable[..., Any],
    signature: Sequence[tf.TensorSpec],
    int8: bool = False,
    examples: Iterable[Sequence[Any]] | None = None,
) -> bytes:
    """Returns a function as a LiteRT file of builtin operators alone.

    Args:
        function: of one tensor for each of the signature. What it returns in a dictionary has these names in the file.
        signature: shapes, types and names of the tensors.
        int8: as of `to_litert`.
        examples: as of `to_litert`.

    Raises:
        ValueError: `examples` for a function with a loop.
    """
    with whole_layers(lambda *_: None):  # the loop, of which every operation is known
        traced = tf.function(function, autograph=False).get_concrete_function(*signature)
    # The weights as constants, which LiteRT's loops can read; loops stay loops.
    frozen = convert_variables_to_constants_v2(traced, lower_control_flow=False)
    if not isinstance(traced.structured_outputs, dict):
        return _converted(tf.lite.TFLiteConverter.from_concrete_functions([frozen]), frozen, signature, int8, examples)
    names = sorted(traced.structured_outputs)

    def named(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(zip(names, tf.nest.flatten(frozen(*tensors)), strict=True))

    with tempfile.TemporaryDirectory() as folder:  # LiteRT takes names from a SavedModel alone
        concrete = tf.function(named, autograph=False).get_concrete_function(*signature)
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(tf.Module(), folder, signatures={"serving_default": concrete}, options=options)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serving_default"])
        return _converted(converter, frozen, signature, int8, examples)


def _converted(
    converter: Any,
    frozen: Any,
    signature: Sequence[tf.TensorSpec],
    int8: bool,
    examples: Iterable[Sequence[Any]] | None,
) -> bytes:
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if examples is not None:
            if any("While" in operation.type for operation in frozen.graph.get_operations()):
                raise ValueError(
                    "LiteRT finds no ranges of activations within a loop. Give the layers `unroll=True` and the model "
                    "a known number of steps, or leave out the examples. Received: examples for a model with a loop."
                )
            lists = [
                [tf.cast(array, spec.dtype) for array, spec in zip(row, signature, strict=True)] for row in examples
            ]
            converter.representative_dataset = lambda: iter(lists)
    content: bytes = converter.convert()
    return content


def _check(content: bytes, signature: Sequence[tf.TensorSpec]) -> None:
    """Runs a file that reads any number of steps on two: LiteRT converts some loops that it cannot run."""
    if all(spec.shape.is_fully_defined() for spec in signature):
        return
    try:
        interpreter = tf.lite.Interpreter(model_content=content)
        for place in interpreter.get_input_details():
            interpreter.resize_tensor_input(place["index"], [2 if n < 0 else n for n in place["shape_signature"]])
        interpreter.allocate_tensors()
        interpreter.invoke()
    except RuntimeError as error:
        wanted = ", ".join(f"{spec.name}=(1, steps, …)" for spec in signature)
        raise ValueError(
            "LiteRT runs this model for a known number of steps only, as it does MinGRU and MinLSTM. Name the shapes: "
            f"to_litert(model, path, {wanted}). Received: {error}"
        ) from error
