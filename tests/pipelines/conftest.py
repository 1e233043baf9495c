"""What the tests of all pipelines share: a process in which an exported model is all there is."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Whoever imports Keras or a package of ours in this process fails.
BEFORE = """
import json, sys
from importlib.machinery import ModuleSpec

class Blocker:
    def find_spec(self, name, path=None, target=None):
        # TensorFlow asks where Keras is without importing it, hence a module that fails when it is loaded.
        if name.partition(".")[0] in ("keras", "tf_keras", "models", "data", "pipelines"):
            return ModuleSpec(name, self, origin="/nowhere/" + name)

    def create_module(self, spec):
        raise ImportError(spec.name + " cannot be imported here")

    def exec_module(self, module):
        raise AssertionError

sys.meta_path.insert(0, Blocker())
for name in ("keras", "pipelines"):
    try:
        __import__(name)
        raise AssertionError("the blocker does not block")
    except ImportError:
        pass
import tensorflow as tf

tf.config.optimizer.set_jit(False)
signatures = tf.saved_model.load(sys.argv[1]).signatures

def ask(name, inputs):
    specification = signatures[name].structured_input_signature[1]
    values = {key: tf.convert_to_tensor(value, specification[key].dtype) for key, value in inputs.items()}
    return signatures[name](**values)

def decoded(value):
    return [decoded(part) for part in value] if isinstance(value, list) else value.decode()

def plain(tensors):
    values = {key: (value.dtype == tf.string, value.numpy().tolist()) for key, value in tensors.items()}
    return {key: decoded(value) if is_text else value for key, (is_text, value) in values.items()}

request = json.load(sys.stdin)
"""
AFTER = """
assert "keras" not in sys.modules
print("ANSWER" + json.dumps(answer))
"""


@pytest.fixture(scope="session")
def answer_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """A function that asks an exported model in a process that has neither Keras nor this repository.

    Its `request` is a pair, the name of a signature and its inputs; or whatever a `program` makes `answer` of, with
    `signatures`, `ask` and `plain`.
    """
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    def answer(model: Path, request: Any, program: str = "answer = plain(ask(*request))") -> Any:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [sys.executable, "-c", BEFORE + program + AFTER, str(model)]
        asked = json.dumps(request)
        done = subprocess.run(command, cwd=elsewhere, env=environment, input=asked, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.partition("ANSWER")[2])

    return answer
