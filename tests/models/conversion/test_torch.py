"""Converted weights: PyTorch computes the same outputs, states and gradients, and a round trip changes nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import models
from models.conversion import from_torch, to_torch

BATCH, TIME, FEATURES, UNITS = 3, 7, 4, 5
KINDS = {
    "SimpleRNN": ("SimpleRNN", {}),
    "SimpleRNN, relu": ("SimpleRNN", {"activation": "relu"}),
    "LSTM": ("LSTM", {}),
    "GRU": ("GRU", {}),
    "LSTM, no bias": ("LSTM", {"use_bias": False}),
    "GRU, no bias": ("GRU", {"use_bias": False}),
    "LSTM, projection": ("LSTM", {"projection": 2}),
}
PARTS = ("forward_layer", "backward_layer")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=["one direction", "two directions"])
def bidirectional(request):
    return request.param == "two directions"


def make(kind, bidirectional=False, depth=2, namespace=models, built=True):
    """A stack of layers none of whose weights is zero."""
    name, options = KINDS[kind]
    width = options.get("projection", UNITS) * (1 + bidirectional)
    layers = [
        getattr(namespace, name)(UNITS, return_sequences=True, return_state=True, **options) for _ in range(depth)
    ]
    if bidirectional:
        layers = [keras.layers.Bidirectional(layer) for layer in layers]
    random = np.random.default_rng(3)
    inputs = FEATURES
    for layer in layers if built else []:
        layer.build((BATCH, TIME, inputs))
        layer.set_weights([random.normal(scale=0.5, size=weight.shape) for weight in layer.get_weights()])
        inputs = width
    return layers


def make_module(torch, kind, bidirectional, depth):
    name, options = KINDS[kind]
    return getattr(torch.nn, name.removeprefix("Simple"))(
        FEATURES,
        UNITS,
        num_layers=depth,
        bidirectional=bidirectional,
        bias=options.get("use_bias", True),
        batch_first=True,
        **({"nonlinearity": options["activation"]} if "activation" in options else {}),
        **({"proj_size": options["projection"]} if "projection" in options else {}),
    )


def importance(shape):
    """What each output counts in the loss."""
    return np.random.default_rng(11).normal(size=shape).astype(np.float32)


def run(layers, inputs):
    """Outputs, last states as PyTorch orders them, and the gradients of inputs and weights of a loss of the outputs."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs, states = inputs, []
        for layer in layers:
            outputs, *last = layer(outputs)
            fields = len(last) // (2 if isinstance(layer, keras.layers.Bidirectional) else 1)
            states += [last[first : first + fields] for first in range(0, len(last), fields)]
        loss = tf.reduce_sum(outputs * importance(outputs.shape))
    weights = [[weight.value for weight in layer.trainable_variables] for layer in layers]
    gradient, weight_gradients = tape.gradient(loss, [inputs, weights])
    states = [np.stack(field) for field in zip(*states, strict=True)]  # (layers · directions, batch, units) each
    return outputs.numpy(), states, gradient.numpy(), [[g.numpy() for g in group] for group in weight_gradients]


def run_module(torch, module, inputs):
    inputs = torch.from_numpy(inputs).requires_grad_()
    outputs, states = module(inputs)
    states = states if isinstance(states, tuple) else (states,)
    (outputs * torch.from_numpy(importance(outputs.shape))).sum().backward()
    states = [state.detach().numpy() for state in states]
    gradients = {name: weight.grad.numpy() for name, weight in module.named_parameters()}
    return outputs.detach().numpy(), states, inputs.grad.numpy(), gradients


@pytest.fixture
def inputs():
    return np.random.default_rng(7).normal(size=(BATCH, TIME, FEATURES)).astype(np.float32)


def assert_equal_runs(torch, layers, module, inputs, kind):
    outputs, states, gradient, weight_gradients = run(layers, tf.constant(inputs))
    outputs_there, states_there, gradient_there, weight_gradients_there = run_module(torch, module, inputs)
    np.testing.assert_allclose(outputs, outputs_there, atol=1e-5)
    for field, field_there in zip(states, states_there, strict=True):
        np.testing.assert_allclose(field, field_there, atol=1e-5)
    np.testing.assert_allclose(gradient, gradient_there, atol=1e-5, rtol=1e-5)
    # Gradients go the way of the weights, but that a bias which is added to another has that one's gradient.
    for layer, group in zip(layers, weight_gradients, strict=True):
        layer.set_weights(group)
    converted = to_torch(layers)
    if not kind.startswith("GRU"):
        converted |= {name: converted[name.replace("_hh", "_ih")] for name in converted if name.startswith("bias_hh")}
    assert converted.keys() == weight_gradients_there.keys()
    for name, expected in weight_gradients_there.items():
        np.testing.assert_allclose(converted[name], expected, atol=2e-5, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("namespace", [models, keras.layers], ids=["ours", "keras"])
def test_torch_computes_what_the_layers_compute(kind, bidirectional, namespace, inputs):
    torch = pytest.importorskip("torch")
    if namespace is keras.layers and kind == "LSTM, projection":
        pytest.skip("Keras has no projection")
    layers, module = make(kind, bidirectional, namespace=namespace), make_module(torch, kind, bidirectional, depth=2)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in to_torch(layers).items()})
    assert_equal_runs(torch, layers, module, inputs, kind)


@pytest.mark.parametrize("built", [True, False], ids=["built", "not built"])
def test_the_layers_compute_what_torch_computes(kind, bidirectional, built, inputs):
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    module = make_module(torch, kind, bidirectional, depth=3)
    layers = make(kind, bidirectional, depth=3, built=built)
    from_torch(layers, module.state_dict())
    assert_equal_runs(torch, layers, module, inputs, kind)


@pytest.mark.parametrize("depth", [1, 3])
def test_round_trip_from_layers_is_the_identity(kind, bidirectional, depth):
    source, copy = make(kind, bidirectional, depth), make(kind, bidirectional, depth, built=False)
    from_torch(copy, to_torch(source))
    for layer, other in zip(source, copy, strict=True):
        for weight, expected in zip(other.get_weights(), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, expected)


def test_round_trip_from_torch_keeps_all_but_how_one_bias_is_shared(kind, bidirectional):
    layers = make(kind, bidirectional)
    random = np.random.default_rng(9)
    state = {name: random.normal(size=array.shape).astype(np.float32) for name, array in to_torch(layers).items()}
    from_torch(layers, state)
    back = to_torch(layers)
    assert list(back) == list(state)
    if not kind.startswith("GRU"):
        for there in (state, back):
            for name in [name for name in there if name.startswith("bias_hh")]:
                there[name.replace("_hh", "_ih")] = there[name.replace("_hh", "_ih")] + there.pop(name)
    for name, expected in state.items():
        np.testing.assert_array_equal(back[name], expected)


def test_arrays_are_copies_that_torch_can_take(kind):
    layers = make(kind)
    before = [layer.get_weights() for layer in layers]
    for array in to_torch(layers).values():
        assert array.flags.c_contiguous and array.dtype == np.float32
        array += 1
    for layer, weights in zip(layers, before, strict=True):
        for weight, expected in zip(layer.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(weight, expected)


def built(layer, inputs=FEATURES):
    layer.build((None, None, inputs))
    return layer


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (lambda: models.GRU(5, reset_after=False), "`reset_after` True was expected of `GRU`.* Received: False"),
        (lambda: models.LSTM(5, activation="relu"), '`activation` "tanh" was expected of `LSTM`.*relu'),
        (lambda: models.SimpleRNN(5, activation="gelu"), '`activation` "tanh" or "relu" was expected.*gelu'),
        (lambda: models.GRU(5, recurrent_activation="hard_sigmoid"), '`recurrent_activation` "sigmoid" was.*hard_sig'),
        (lambda: models.LSTM(5, go_backwards=True), "`go_backwards` False.* Received: True"),
        (lambda: keras.layers.Bidirectional(models.LSTM(5), merge_mode="sum"), "`merge_mode` \"concat\".* 'sum'"),
        (lambda: keras.layers.Dense(5), "Only `SimpleRNN`, `LSTM` and `GRU`.* Received: <Dense"),
        (lambda: [built(models.GRU(5, name="twice"), 5)] * 2, "layers that differ were expected.*more than once"),
        (lambda: [], "at least one layer was expected.* Received: no layer"),
        (lambda: [models.LSTM(5), models.LSTM(6)], r"of one kind.* Received: LSTM\(5, .*, LSTM\(6, "),
        (lambda: [models.LSTM(5), models.GRU(5)], r"of one kind.* Received: LSTM\(5, .*, GRU\(5, "),
        (lambda: [models.GRU(5), models.GRU(5, use_bias=False)], "of one kind.*use_bias=True.*use_bias=False"),
        (lambda: [models.GRU(5), keras.layers.Bidirectional(models.GRU(5))], "of one kind.*Bidirectional"),
        (lambda: models.LSTM(5, peepholes=True), r"projection alone.* Received: \{'peepholes': True\}"),
        (lambda: models.LSTM(5, zoneout=0.1, projection=2), r"projection alone.* Received: \{'zoneout': 0\.1"),
        (lambda: [models.LSTM(5, projection=2), models.LSTM(5)], r"of one kind.* Received: LSTM\(5, .*projection=2"),
        (lambda: [built(models.GRU(5)), built(models.GRU(5))], "5 inputs were expected after the first.* Received: 4"),
    ],
)
def test_layers_that_torch_does_not_have_are_refused_both_ways(layers, message):
    with pytest.raises(ValueError, match=message):
        to_torch(layers())
    with pytest.raises(ValueError, match=message):
        from_torch(layers(), {})


class Peephole(models.LSTM):
    def build(self, shape):
        super().build(shape)
        self.peephole = self.add_weight(shape=(self.units,), name="peephole")


def test_a_layer_with_more_weights_is_refused():
    with pytest.raises(ValueError, match=r"no further weights.* Received: .*'peephole'"):
        to_torch(built(Peephole(5)))
    with pytest.raises(ValueError, match=r"no further weights.* Received: .*'peephole'"):
        from_torch(Peephole(5), to_torch(built(models.LSTM(5))))


def test_a_layer_without_weights_is_refused():
    with pytest.raises(ValueError, match=r"Build it, or call it on data, first. Received: LSTM\(5, "):
        to_torch(models.LSTM(5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("bias_hh_l0"), r"Missing: \['bias_hh_l0'\]. Not expected: \[\]"),
        (
            lambda state: [state.update({f"rnn.{name}": state.pop(name)}) for name in list(state)],
            r"names without the prefix of a larger module\. Missing: .*Not expected: \['rnn\.bias_hh_l0'",
        ),
        (lambda state: state.pop("weight_ih_l0"), r"Missing: \['weight_ih_l0'\]"),
        (lambda state: state.update(weight_hr_l0=np.zeros((2, 5))), r"Not expected: \['weight_hr_l0'\]"),
        (lambda state: state.update(weight_ih_l1=np.zeros((2, 5))), r"Not expected: \['weight_ih_l1'\]"),
        (
            lambda state: state.update(weight_hh_l0=state["weight_hh_l0"].T),
            r"shape of `weight_hh_l0`.*: \(20, 5\) was expected.* Received: \(5, 20\) for LSTM\(5",
        ),
        (lambda state: state.update(weight_ih_l0=np.zeros(20)), r"`weight_ih_l0`.* Received: \(20,\)"),
        (lambda state: state.update(bias_ih_l0=np.zeros((20, 1))), r"`bias_ih_l0`.*: \(20,\) was expected"),
    ],
)
@pytest.mark.parametrize("is_built", [True, False], ids=["built", "not built"])
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(change, message, is_built):
    layer = built(models.LSTM(5))
    before = layer.get_weights()
    state = to_torch(layer)
    change(state)
    layer = layer if is_built else models.LSTM(5)
    with pytest.raises(ValueError, match=message):
        from_torch(layer, state)
    if is_built:
        for weight, expected in zip(layer.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weight, expected)
    else:
        assert not layer.built


def test_torch_tensors_of_any_kind_are_taken():
    torch = pytest.importorskip("torch")
    module = torch.nn.GRU(FEATURES, UNITS)
    from_torch(layer := models.GRU(UNITS), dict(module.named_parameters()))
    np.testing.assert_array_equal(layer.get_weights()[0], models_weight(module))
    module = module.bfloat16()
    from_torch(layer := models.GRU(UNITS), module.state_dict())
    np.testing.assert_array_equal(layer.get_weights()[0], models_weight(module))


def models_weight(module):
    """The input kernel of a GRU in Keras's order, of which PyTorch has the first two gates the other way round."""
    reset, update, candidate = np.split(module.weight_ih_l0.detach().float().numpy(), 3)
    return np.concatenate([update, reset, candidate]).T


def test_inputs_of_another_size_are_refused_by_a_built_layer():
    with pytest.raises(ValueError, match=r"`weight_ih_l0`.*: \(20, 3\) was expected.* Received: \(20, 4\)"):
        from_torch(built(models.LSTM(5), inputs=3), to_torch(built(models.LSTM(5))))
