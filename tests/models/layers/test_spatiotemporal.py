"""What `SpatiotemporalLSTM` refuses, and how it starts; the rest is in `test_convolutional.py`."""

import numpy as np
import pytest

from models import SpatiotemporalLSTM

MAPS = np.zeros((2, 3, 4, 4, 1), np.float32)


@pytest.mark.parametrize(
    "options", [{"filters": 0}, {"depth": 0}, {"kernel_size": (3, 0)}, {"kernel_size": (3, 3, 3)}, {"depth": 1.5}]
)
def test_sizes_below_one_are_refused(options):
    with pytest.raises(ValueError, match=r"whole numbers of at least 1.*Received: filters="):
        SpatiotemporalLSTM(**{"filters": 2, "kernel_size": 3, **options})


def test_what_does_not_fit_is_refused():
    layer = SpatiotemporalLSTM(2, 3)
    layer(MAPS)
    with pytest.raises(ValueError, match=r"takes maps \(batch, time, 4, 4, 1\).*Received: shape \(2, 3, 5, 4, 1\)"):
        layer(np.zeros((2, 3, 5, 4, 1), np.float32))
    with pytest.raises(ValueError, match=r"5 tensors \(2, 4, 4, 2\).*Received"):
        layer(MAPS, initial_state=layer.get_initial_state(2)[:-1])
    with pytest.raises(ValueError, match=r"mask .* \(2, 3\).*Received: shape \(2, 4\)"):
        layer(MAPS, mask=np.ones((2, 4), bool))
    with pytest.raises(ValueError, match=r"sequences of maps.*Received: shape \(2, 4, 4, 1\)"):
        SpatiotemporalLSTM(2, 3)(MAPS[:, 0])


def test_forget_gates_start_open_and_no_two_kernels_alike():
    layer = SpatiotemporalLSTM(2, 3, depth=3)
    layer(MAPS)
    weights = {weight.name: weight.numpy() for weight in layer.weights}
    for depth in range(3):
        np.testing.assert_array_equal(weights[f"bias_{depth}"].reshape(7, 2).T, [[0, 1, 0, 0, 1, 0, 0]] * 2)
    assert np.all(weights["hidden_kernel_0"] != weights["hidden_kernel_1"])


def test_shapes_of_a_symbolic_call_are_those_of_a_real_one():
    for options in ({}, {"return_sequences": True, "return_state": True}):
        layer = SpatiotemporalLSTM(2, 3, **options)
        outputs = layer(MAPS)
        outputs = [output.shape for output in outputs] if isinstance(outputs, tuple) else outputs.shape
        expected = layer.compute_output_shape(MAPS.shape)
        assert outputs == (list(expected) if options else expected)
