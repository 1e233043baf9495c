"""The layers of `models`, and those of `keras.layers`: one code for both, so that they do the same work."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import models
from benchmarks.sides import Call
from benchmarks.workload import (
    EXPORTED,
    FORWARD,
    GATES,
    LEARNING_RATE,
    PREDICT,
    PREDICTED_BATCHES,
    TRAINING,
    USES,
    Workload,
)
from models.conversion import to_onnx

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def open_side(name: str) -> "TensorFlowLayers":
    return TensorFlowLayers({"models": models, "keras": keras.layers}[name])


class TensorFlowLayers:
    """Layers by name, each in a plain graph and compiled as a whole by XLA.

    Users get what `model.fit` and `model.predict` choose, `jit_compile="auto"`, which depends on the layer. Ours can
    also be told to compile its loop at inference.
    """

    def __init__(self, layers: ModuleType) -> None:
        self.layers = layers

    def about(self) -> dict[str, str]:
        threads = tf.config.threading
        return {
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "threads": f"{threads.get_intra_op_parallelism_threads() or 'one a core'} (TensorFlow's default)",
        }

    def variants(self, workload: Workload) -> Mapping[str, Callable[[], Call]]:
        if workload.kind in USES:
            return {"model": partial(self._build_use, workload)}
        variants = {"graph": partial(self._build, workload), "XLA": partial(self._build, workload, jit_compile=True)}
        if self.layers is models and workload.kind == FORWARD and workload.layer in GATES:
            variants["compiled loop"] = partial(self._build, workload, compiled_loop=True)
        if self._users_get_xla(workload):
            variants = {"XLA": variants.pop("XLA"), **variants}
        return variants

    def _layer(self, workload: Workload, compiled_loop: bool = False) -> Any:
        keras.utils.set_random_seed(0)
        create = getattr(self.layers, workload.layer if self.layers is models else workload.layer.removeprefix("Min"))
        create = partial(create, jit_compile=True) if compiled_loop else create
        return create(workload.case.units, return_sequences=True, return_state=True, dtype=POLICIES[workload.precision])

    def _users_get_xla(self, workload: Workload) -> bool:
        sequences = keras.Input((workload.case.time, workload.case.inputs))
        model = keras.Model(sequences, self._layer(workload)(sequences))
        model.compile(loss=None)
        return bool(model.jit_compile)

    def _build_use(self, workload: Workload) -> Call:
        case = workload.case
        create = getattr(self.layers, workload.layer)
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((None, case.inputs)), create(case.units, return_sequences=True)])
        sequences = np.random.default_rng(0).normal(size=(case.batch, case.time, case.inputs)).astype(np.float32)
        if workload.kind == PREDICT:
            model.compile(loss=None)
            every = np.tile(sequences, (PREDICTED_BATCHES, 1, 1))
            return partial(model.predict, every, batch_size=case.batch, verbose=0)
        with TemporaryDirectory() as folder:
            if workload.kind == EXPORTED:
                model.export(folder, verbose=False)
                exported = tf.saved_model.load(folder)
                return lambda: exported.serve(tf.constant(sequences))  # it owns the variables
            import onnxruntime  # an extra, which the other kinds of work do without

            file = Path(folder) / "model.onnx"
            model(sequences)  # Keras converts what has been called
            if self.layers is models:
                to_onnx(model, file)
            else:
                model.export(file, format="onnx", verbose=False)
            session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        return partial(session.run, None, {session.get_inputs()[0].name: sequences})

    def _build(self, workload: Workload, jit_compile: bool = False, compiled_loop: bool = False) -> Call:
        layer, case = self._layer(workload, compiled_loop), workload.case
        sequences = tf.random.normal((case.batch, workload.steps, case.inputs))
        function = partial(tf.function, jit_compile=jit_compile, autograph=False)
        if workload.kind == TRAINING:
            layer.build(sequences.shape)
            return partial(function(partial(_training_step, layer)), sequences)
        if workload.kind == FORWARD:
            return partial(function(layer), sequences)
        state = [tf.cast(value, layer.compute_dtype) for value in layer(sequences)[1:]]
        step = function(lambda now, state: layer(now, initial_state=state))

        def stream() -> None:
            state[:] = step(sequences, state)[1:]

        return stream


def _training_step(layer: Any, sequences: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the loss and the gradient of the inputs; the weights are updated."""
    weights = [weight.value for weight in layer.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch(sequences)
        outputs = layer(sequences, training=True)[0]  # (batch, time, units)
        loss = tf.reduce_mean(tf.square(tf.cast(outputs, tf.float32)))
    input_gradient, *gradients = tape.gradient(loss, [sequences, *weights])
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.assign_sub(LEARNING_RATE * gradient)
    return loss, input_gradient
