"""What a converter reads: a function of tensors alone, and their shapes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf


def signature_of(
    model: keras.Layer, shapes: Mapping[str, Sequence[int | None]]
) -> tuple[Callable[..., Any], list[tf.TensorSpec]]:
    """Returns a model's inference as a function of one tensor for each input, and these tensors' specifications.

    Args:
        model: a model, or a layer that is built.
        shapes: of inputs, by name, in place of the model's own.

    Raises:
        ValueError: a stateful layer, a model that is not built, or a name that no input has.
    """
    stateful = [layer.name for layer in model._flatten_layers() if getattr(layer, "stateful", False)]
    if stateful:
        raise ValueError(
            "A file keeps no state from call to call. Make the state an input and an output of the model: call the "
            f"layer with `initial_state` and `return_state=True`. Received: stateful=True of {', '.join(stateful)}."
        )
    if not model.built:
        raise ValueError(f"A model is built before it is converted: call it on data first. Received: {model.name}.")
    own = getattr(model, "inputs", None)
    if own is None:  # A layer: one tensor, of the shape that it was built for.
        (shape,) = (
            model.get_build_config()["shapes_dict"].values()
            if "shapes_dict" in model.get_build_config()
            else (model.get_build_config()["input_shape"],)
        )
        own = [keras.KerasTensor((None, None, *shape[2:]), model.compute_dtype, name="inputs")]
    names = [tensor.name for tensor in own]
    if unknown := shapes.keys() - set(names):
        raise ValueError(f"No input has such a name: {names} were expected. Received: {sorted(unknown)}.")
    signature = [tf.TensorSpec(shapes.get(tensor.name, tensor.shape), tensor.dtype, name=tensor.name) for tensor in own]
    structure = getattr(model, "_inputs_struct", None)

    def function(*tensors: tf.Tensor) -> Any:
        given = tensors[0] if structure is None else keras.tree.pack_sequence_as(structure, list(tensors))
        return keras.tree.flatten(model(given, training=False))

    return function, signature
