"""Runs Keras's own tests of recurrent layers, from the installed wheel, with the layers of `models` in Keras's place.

    python keras_suite.py REPORT FILE…

FILE is a test file of `keras.src.layers.rnn`, such as `lstm_test.py`. REPORT is written as JSON: the outcome of each
test, and how often it ran which loop over time. The layers are replaced for a whole process: hence a program.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import keras
import pytest

import models
from models.layers import convolutional, fused, recurrent
from unrolled_installation import collect_garbage_seldom

LAYERS = ("SimpleRNN", "LSTM", "GRU", "ConvLSTM2D")

# What cannot apply, by name, with the reason.
DESELECTED = {
    "test_torch_cudnn_dispatch_fires": "spies on a kernel of Keras's PyTorch backend",
    "test_torch_cudnn_bidirectional_gru_dispatch_fires": "spies on a kernel of Keras's PyTorch backend",
}


class Report:
    """Plugin of pytest that collects each test's outcome and counts its loops over time."""

    def __init__(self):
        self.tests = {}
        self.loops = Counter()

    def replace_layers(self):
        for name in LAYERS:
            theirs = getattr(keras.layers, name)
            theirs.inner_loop = self.counted(theirs.inner_loop, lambda layer: f"Keras's {type(layer).__name__}")
            for namespace in (keras.layers, keras.src.layers):
                setattr(namespace, name, getattr(models, name))
        for module, scan in ((recurrent, "scan"), (convolutional, "convolutional_scan")):
            counted = self.counted(getattr(module, scan), lambda recurrence: type(recurrence).__name__)
            setattr(module, scan, counted)
        # Small LSTMs in eager calls are one operation, which is another way to run the same recurrence.
        fused.fused_lstm = self.counted(fused.fused_lstm, lambda _: type(fused.RECURRENCE).__name__)

    def counted(self, function, name):
        """The function, each call of which is counted under the name of its first argument."""

        def counting(first, *arguments, **options):
            self.loops[name(first)] += 1
            return function(first, *arguments, **options)

        return counting

    def pytest_collection_modifyitems(self, items):
        unknown = DESELECTED.keys() - {item.originalname for item in items}
        if unknown:
            raise pytest.UsageError(f"Tests are deselected that Keras no longer has. Received: {sorted(unknown)}.")
        items[:] = [item for item in items if item.originalname not in DESELECTED]

    def pytest_runtest_setup(self):
        self.loops = Counter()

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or not report.passed:
            file = Path(report.fspath).name
            self.tests[report.nodeid] = {"file": file, "outcome": report.outcome, "loops": self.loops}


def main():
    path, *files = sys.argv[1:]
    collect_garbage_seldom()
    report = Report()
    report.replace_layers()
    folder = Path(keras.__file__).parent
    # Keras's tests run under no configuration of ours.
    options = ["-c", "/dev/null", "--rootdir", str(folder), "-p", "no:cacheprovider"]
    status = pytest.main([*options, *(str(folder / "src" / "layers" / "rnn" / file) for file in files)], [report])
    Path(path).write_text(json.dumps(report.tests))
    sys.exit(status)


if __name__ == "__main__":
    main()
