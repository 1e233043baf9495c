"""`BahdanauAttention` and `LuongAttention` against the papers in NumPy, against Keras, and as Keras layers."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from models.layers.attention import Attended, BahdanauAttention, LuongAttention, Memory

BATCH, TARGET, SOURCE, QUERY, FEATURES, UNITS = 4, 2, 5, 3, 3, 4
LENGTHS = np.array([5, 3, 1, 0])
MASK = np.arange(SOURCE) < LENGTHS[:, np.newaxis]  # (batch, source)
LAYERS = {
    "additive": lambda **options: BahdanauAttention(UNITS, **options),
    "dot": lambda **options: LuongAttention("dot", **options),
    "general": lambda **options: LuongAttention("general", **options),
}


@pytest.fixture(params=LAYERS)
def name(request):
    return request.param


@pytest.fixture
def query():
    return np.random.default_rng(1).normal(size=(BATCH, TARGET, QUERY)).astype(np.float32)


@pytest.fixture
def memory():
    return np.random.default_rng(2).normal(size=(BATCH, SOURCE, FEATURES)).astype(np.float32)


def built(name, **options):
    """A layer with the same weights every time."""
    layer = LAYERS[name](**options)
    layer.build((None, None, QUERY), (None, None, FEATURES))
    randomise(layer)
    return layer


def randomise(layer):
    random = np.random.default_rng(4)
    layer.set_weights([random.normal(size=weight.shape) for weight in layer.get_weights()])


def weighted_sum(attended):
    """A number on which every context and every weight has an influence of its own."""
    parts = [tf.reduce_sum(part * tf.cos(tf.range(part.shape[-1], dtype=part.dtype) + 1)) for part in attended]
    return tf.add_n(parts)


def gradients(layer, query, memory, **arguments):
    """Of `weighted_sum`, with respect to the query, the memory and every weight."""
    query, memory = tf.convert_to_tensor(query), tf.convert_to_tensor(memory)
    with tf.GradientTape() as tape:
        tape.watch([query, memory])
        loss = weighted_sum(layer(query, memory, **arguments))
    return tape.gradient(loss, [query, memory, *(weight.value for weight in layer.trainable_variables)])


def assert_all_close(ours, theirs, tolerance=1e-6):
    for tensor, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(tensor, other, rtol=tolerance, atol=tolerance)


def paper(layer, query, memory, lengths):
    """Bahdanau et al. 2015, appendix A.1.2, and Luong et al. 2015, equation 8, row by row and step by step."""

    def score(q, h):
        if isinstance(layer, LuongAttention):
            return q @ h if layer.kernel is None else q @ layer.kernel.numpy().T @ h
        w, u = layer.query_kernel.numpy().T, layer.memory_kernel.numpy().T
        return layer.scale.numpy() @ np.tanh(w @ q + u @ h)

    context = np.zeros((*query.shape[:2], memory.shape[2]))
    weights = np.zeros((*query.shape[:2], memory.shape[1]))
    for row, step in np.ndindex(*query.shape[:2]):
        true = memory[row, : lengths[row]]
        powers = np.exp([score(query[row, step], h) for h in true])
        for j, h in enumerate(true):
            weights[row, step, j] = powers[j] / powers.sum()
            context[row, step] += weights[row, step, j] * h
    return context, weights


# Mathematics


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["plain", "lengths"])
def test_equals_the_paper(name, query, memory, lengths):
    layer = built(name)
    attended = layer(query, memory, lengths=lengths)
    assert type(attended) is Attended
    expected = paper(layer, query, memory, np.full(BATCH, SOURCE) if lengths is None else lengths)
    assert_all_close(attended, expected, 1e-5)


def test_gradients_equal_finite_differences(name, query, memory):
    layer = built(name, dtype="float64")
    arrays = [query.astype(np.float64), memory.astype(np.float64), *layer.get_weights()]
    found = gradients(layer, *arrays[:2], lengths=LENGTHS)
    assert len(found) == 2 + {"additive": 3, "dot": 0, "general": 1}[name]
    lengths, change = tf.constant(LENGTHS), 1e-6

    @tf.function(autograph=False)
    def loss(query, memory):
        return weighted_sum(layer(query, memory, lengths=lengths))

    def moved(array, index, amount):
        before = array[index]
        array[index] = before + amount
        layer.set_weights(arrays[2:])
        value = float(loss(tf.constant(arrays[0]), tf.constant(arrays[1])))
        array[index] = before
        return value

    for array, gradient in zip(arrays, found, strict=True):
        expected = np.zeros_like(array)
        for index in np.ndindex(*array.shape):
            expected[index] = (moved(array, index, change) - moved(array, index, -change)) / (2 * change)
        assert np.abs(expected).max() > 1e-2
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


def test_weights_sum_to_one_over_true_lengths(name, query, memory):
    weights = built(name)(query, memory, lengths=LENGTHS).weights.numpy()
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=-1), np.repeat(LENGTHS[:, np.newaxis] > 0, TARGET, axis=1), rtol=1e-6)
    np.testing.assert_array_equal(weights != 0, np.repeat(MASK[:, np.newaxis], TARGET, axis=1))


def test_the_order_of_the_memory_does_not_matter(name, query, memory):
    """Steps and mask in another order: the same contexts, and the weights in that order."""
    layer, order = built(name), np.array([3, 0, 4, 2, 1])
    context, weights = layer(query, memory, memory_mask=MASK)
    assert_all_close(layer(query, memory[:, order], memory_mask=MASK[:, order]), (context, weights.numpy()[..., order]))


@pytest.mark.parametrize("name", ["additive", "dot", "general"])
def test_equals_keras(name, query, memory):
    """Keras scores without kernels: it gets the products. It knows no row of length zero, so that one is left out."""
    layer = built(name)
    if name == "additive":
        peer = keras.layers.AdditiveAttention()
        queries, keys = query @ layer.query_kernel.numpy(), memory @ layer.memory_kernel.numpy()
        peer.build([queries.shape, memory.shape, keys.shape])
        peer.set_weights([layer.scale.numpy()])
    else:
        peer, queries = keras.layers.Attention(), query
        keys = memory if name == "dot" else memory @ layer.kernel.numpy()
    full = LENGTHS > 0
    expected = peer(
        [tf.constant(array[full]) for array in (queries, memory, keys)],
        mask=[None, tf.constant(MASK[full])],
        return_attention_scores=True,
    )
    assert_all_close(layer(query[full], memory[full], lengths=LENGTHS[full]), expected, 1e-5)


# Steps


def test_a_step_equals_its_place_in_a_sequence(name, query, memory):
    layer = built(name)
    whole = layer(query, memory, lengths=LENGTHS)
    for step in range(TARGET):
        found = layer(query[:, step], memory, lengths=LENGTHS)
        assert found.context.shape == (BATCH, FEATURES)
        assert found.weights.shape == (BATCH, SOURCE)
        assert_all_close(found, [part[:, step] for part in whole])


def test_a_loop_over_a_prepared_memory_equals_a_sequence(name, query, memory):
    """In a graph, values and gradients: the memory and its keys are made once, outside of the loop."""
    layer = built(name)

    @tf.function(autograph=False)
    def decode(query, memory):
        with tf.GradientTape() as tape:
            tape.watch([query, memory])
            prepared = layer.prepare(memory, lengths=LENGTHS)
            steps = tf.map_fn(
                lambda step: layer.attend(step, prepared),
                tf.transpose(query, (1, 0, 2)),
                fn_output_signature=Attended(tf.float32, tf.float32),
            )
            attended = Attended(*(tf.transpose(part, (1, 0, 2)) for part in steps))
            loss = weighted_sum(attended)
        return attended, tape.gradient(loss, [query, memory, *(weight.value for weight in layer.trainable_variables)])

    attended, found = decode(tf.constant(query), tf.constant(memory))
    assert_all_close(attended, layer(query, memory, lengths=LENGTHS))
    assert_all_close(found, gradients(layer, query, memory, lengths=LENGTHS), 1e-5)


def test_rows_of_a_prepared_memory_can_be_repeated_for_a_beam(name, query, memory):
    layer, beams = built(name), 3
    prepared = layer.prepare(memory, lengths=LENGTHS)
    repeated = Memory(*(tf.repeat(field, beams, axis=0) for field in prepared))
    found = layer.attend(np.repeat(query[:, 0], beams, axis=0), repeated)
    assert_all_close(found, [np.repeat(part, beams, axis=0) for part in layer.attend(query[:, 0], prepared)])


# Padding


@pytest.mark.parametrize("junk", [1e3, np.nan, np.inf])
def test_padding_changes_no_result_and_no_gradient(name, query, memory, junk):
    layer = built(name)
    padded, padded_query = np.where(MASK[..., np.newaxis], memory, np.float32(junk)), query.copy()
    padded_query[LENGTHS == 0] = junk
    attended = layer(padded_query, padded, lengths=LENGTHS)
    found = gradients(layer, padded_query, padded, lengths=LENGTHS)
    total = [np.zeros(weight.shape) for weight in layer.trainable_variables]
    for row, length in enumerate(LENGTHS):
        assert not np.any(attended.weights[row, :, length:])
        assert not np.any(found[1][row, length:])
        if length == 0:
            continue
        alone = query[row : row + 1], memory[row : row + 1, :length]
        context, weights = layer(*alone)
        assert_all_close([attended.context[row], attended.weights[row, :, :length]], [context[0], weights[0]])
        query_gradient, memory_gradient, *parts = gradients(layer, *alone)
        assert_all_close([found[0][row], found[1][row, :length]], [query_gradient[0], memory_gradient[0]], 1e-5)
        total = [so_far + part for so_far, part in zip(total, parts, strict=True)]
    assert_all_close(found[2:], total, 1e-5)


def test_a_row_of_length_zero_is_zero(name, query, memory):
    layer = built(name)
    (empty,) = np.flatnonzero(LENGTHS == 0)
    for part in layer(query, memory, lengths=LENGTHS):
        np.testing.assert_array_equal(part[empty], 0)
    found = gradients(layer, query, memory, lengths=LENGTHS)
    assert all(np.isfinite(gradient).all() for gradient in found)
    np.testing.assert_array_equal(found[0][empty], 0)
    np.testing.assert_array_equal(found[1][empty], 0)


def test_nothing_on_the_way_is_infinite(name, query, memory):
    """A user who hunts for NaN with TensorFlow's own check is not stopped here."""
    layer = built(name)
    padded = np.where(MASK[..., np.newaxis], memory, np.float32(0))
    tf.debugging.enable_check_numerics()
    try:
        gradients(layer, query, padded, lengths=LENGTHS)
    finally:
        tf.debugging.disable_check_numerics()


def test_one_source_step_gets_all_the_weight_and_none_gets_none(name, query, memory):
    layer = built(name)
    context, weights = layer(query, memory[:, :1])
    # To the last bit on some processors only: others divide by an approximate reciprocal.
    np.testing.assert_allclose(weights, np.ones_like(weights), rtol=1e-6)
    np.testing.assert_allclose(context, np.repeat(memory[:, :1], TARGET, axis=1), rtol=1e-6)
    context, weights = layer(query, memory[:, :0], lengths=np.zeros(BATCH, int))
    assert weights.shape == (BATCH, TARGET, 0)
    np.testing.assert_array_equal(context, np.zeros((BATCH, TARGET, FEATURES)))
    assert all(not np.any(gradient) for gradient in gradients(layer, query, memory[:, :0]))


def test_lengths_and_masks_agree(name, query, memory):
    layer = built(name)
    expected = layer(query, memory, lengths=LENGTHS)
    for mask in (MASK, MASK.astype("int32"), MASK.tolist()):
        assert_all_close(layer(query, memory, memory_mask=mask), expected, 0)
    holes = np.array([1, 0, 1, 1, 0], bool) & np.ones_like(MASK)
    both = layer(query, memory, lengths=LENGTHS, memory_mask=holes)
    assert_all_close(both, layer(query, memory, memory_mask=MASK & holes), 0)
    assert np.abs(both.context - expected.context).max() > 0.1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_that_is_not_finite_stays_alone(name, query, memory, value):
    layer, others = built(name), [0, 2, 3]
    broken = memory.copy()
    broken[1, 1] = value
    found, clean = (layer(query, rows, lengths=LENGTHS) for rows in (broken, memory))
    assert not np.isfinite(found.context[1]).all()
    assert_all_close([part.numpy()[others] for part in found], [part.numpy()[others] for part in clean], 0)
    found, clean = (gradients(layer, query, rows, lengths=LENGTHS)[:2] for rows in (broken, memory))
    assert_all_close([part.numpy()[others] for part in found], [part.numpy()[others] for part in clean], 0)


# Numbers


def test_mixed_precision(name, query, memory):
    exact, mixed = built(name), built(name, dtype="mixed_bfloat16")
    assert all(weight.dtype == "float32" for weight in mixed.weights)
    attended = mixed(query, memory, lengths=LENGTHS)
    assert [part.dtype for part in attended] == [tf.bfloat16] * 2
    rounded = [tf.cast(part, tf.float32) for part in attended]
    assert_all_close(rounded, exact(query, memory, lengths=LENGTHS), 4e-2)
    expected = gradients(exact, query, memory, lengths=LENGTHS)
    for gradient, other in zip(gradients(mixed, query, memory, lengths=LENGTHS), expected, strict=True):
        assert gradient.dtype == tf.float32
        np.testing.assert_allclose(gradient, other, rtol=0.1, atol=0.06 * np.abs(other).max())


def test_the_softmax_of_mixed_precision_is_computed_in_float32(name, query, memory):
    """Asked of the graph: some kernels of a bfloat16 softmax compute in float32 anyway, others do not."""
    layer = built(name, dtype="mixed_bfloat16")
    graph = tf.function(layer, autograph=False).get_concrete_function(query, memory, LENGTHS).graph
    assert [operation.get_attr("T") for operation in graph.get_operations() if operation.type == "Softmax"] == [
        tf.float32
    ]


def test_large_scores_do_not_overflow():
    memory = np.array([[[1e4], [2e4], [3e4]]], "float32")
    weights = LuongAttention("dot")(np.full((1, 1), 1e4, "float32"), memory, lengths=np.array([2])).weights
    np.testing.assert_array_equal(weights, [[0, 1, 0]])


def test_xla(name, query, memory):
    layer = built(name)
    call = tf.function(lambda *arguments: layer(*arguments), jit_compile=True, autograph=False)
    assert_all_close(call(query, memory, LENGTHS), layer(query, memory, lengths=LENGTHS), 1e-5)


# Keras


def test_weights_of_equal_shape_start_different():
    layer = BahdanauAttention(UNITS)
    layer.build((None, QUERY), (None, None, FEATURES))
    assert np.abs(layer.query_kernel - layer.memory_kernel).max() > 0.01


@pytest.mark.parametrize("options", [{"units": UNITS}, {"score": "dot"}], ids=["additive", "dot"])
def test_configuration_round_trip(options):
    layer_class = BahdanauAttention if "units" in options else LuongAttention
    layer = layer_class(
        **options,
        kernel_initializer=keras.initializers.Orthogonal(seed=1),
        kernel_regularizer=keras.regularizers.L2(0.1),
        name="layer",
        dtype="mixed_bfloat16",
    )
    copy = keras.saving.deserialize_keras_object(json.loads(json.dumps(keras.saving.serialize_keras_object(layer))))
    assert type(copy) is layer_class
    assert copy.get_config() == layer.get_config()
    default = layer_class(1).get_config() if "units" in options else layer_class().get_config()
    changed = {*options, "kernel_initializer", "kernel_regularizer", "name", "dtype"}
    assert {key for key, value in layer.get_config().items() if value != default[key]} == changed


def make_model(name):
    inputs = {
        "query": keras.Input((None, QUERY), name="query"),
        "memory": keras.Input((None, FEATURES), name="memory"),
        "lengths": keras.Input((), dtype="int32", name="lengths"),
    }
    context, weights = LAYERS[name](name="attention")(inputs["query"], inputs["memory"], lengths=inputs["lengths"])
    model = keras.Model(inputs, {"output": keras.layers.Dense(2)(context), "weights": weights})
    randomise(model)
    return model


def test_files_bring_back_the_model(name, query, memory, tmp_path):
    model, inputs = make_model(name), {"query": query, "memory": memory, "lengths": LENGTHS}
    expected = model(inputs)
    np.testing.assert_allclose(
        expected["weights"], paper(model.get_layer("attention"), query, memory, LENGTHS)[1], 1e-4
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.get_layer("attention")) is type(model.get_layer("attention"))
    assert_all_close(loaded(inputs).values(), expected.values())
    model.save_weights(tmp_path / "model.weights.h5")
    rebuilt = keras.models.model_from_json(model.to_json())
    assert np.abs(rebuilt(inputs)["output"] - expected["output"]).max() > 1e-3
    rebuilt.load_weights(tmp_path / "model.weights.h5")
    assert_all_close(rebuilt(inputs).values(), expected.values())


def test_fit_moves_every_weight_and_the_exported_model_needs_no_xla(name, query, memory, tmp_path):
    model, inputs = make_model(name), {"query": query, "memory": memory, "lengths": LENGTHS}
    before = model.get_weights()
    model.compile("sgd", {"output": "mse", "weights": None})
    model.fit(inputs, {"output": np.ones((BATCH, TARGET, 2))}, verbose=0)
    assert all(np.all(weight != old) for weight, old in zip(model.get_weights(), before, strict=True))
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    short = {"query": query[:1, :1], "memory": memory[:1, :2], "lengths": np.array([1])}
    for batch in (inputs, short):
        batch = {**batch, "lengths": batch["lengths"].astype("int32")}
        assert_all_close(tf.nest.flatten(loaded.serve(batch)), tf.nest.flatten(model(batch)), 1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="as long as the memory"):
        loaded.serve({**batch, "lengths": np.array([3], "int32")})
    proto = saved_model_pb2.SavedModel.FromString((tmp_path / "exported" / "saved_model.pb").read_bytes())
    for function in proto.meta_graphs[0].graph_def.library.function:
        for attributes in (function.attr, *(node.attr for node in function.node_def)):
            assert not attributes["_XlaMustCompile"].b, function.signature.name


def test_masks_that_keras_attached_are_kept(name, query, memory):
    """The memory's hides its padding, the query's goes on with the contexts."""
    symbolic = keras.Input((None, QUERY)), keras.Input((None, FEATURES))
    layer, masking = LAYERS[name](), keras.layers.Masking(99.0)
    model = keras.Model(symbolic, list(layer(masking(symbolic[0]), masking(symbolic[1]))))
    randomise(layer)
    padded, padded_query = np.where(MASK[..., np.newaxis], memory, np.float32(99.0)), query.copy()
    padded_query[0, 1] = 99.0
    assert_all_close(model([query, padded]), layer(query, memory, lengths=LENGTHS))
    context = layer(masking(tf.constant(padded_query)), memory).context
    np.testing.assert_array_equal(context._keras_mask, np.any(padded_query != 99.0, axis=-1))


# Bad input


@pytest.mark.parametrize("units", [0, -1, 2.5, "4", True, None])
def test_wrong_units(units):
    with pytest.raises(ValueError, match=r"whole number of at least 1\. Received: units="):
        BahdanauAttention(units)


def test_wrong_score():
    with pytest.raises(ValueError, match=r"one of \('dot', 'general'\)\. Received: score='concat'"):
        LuongAttention("concat")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": np.zeros(3, "float32")}, r"\(batch, 3\) or.*Received: shape \(3,\), float32"),
        ({"query": np.zeros((2, 4), "float32")}, r"\(batch, 3\) or.*Received: shape \(2, 4\), float32"),
        ({"query": np.zeros((1, 3), "float32")}, r"each of the memory's, here 2.*Received: shape \(1, 3\), float32"),
        ({"query": np.zeros((2, 3), "int32")}, r"floating queries.*Received: shape \(2, 3\), int32"),
        ({"memory": np.zeros((2, 3), "float32")}, r"\(batch, source, 3\).*Received: shape \(2, 3\), float32"),
        ({"memory": np.zeros((2, 5, 4), "float32")}, r"\(batch, source, 3\).*Received: shape \(2, 5, 4\), float32"),
        ({"memory": np.zeros((2, 5, 3), "int32")}, r"floating memory.*Received: shape \(2, 5, 3\), int32"),
        ({"lengths": np.array([1, 2, 3])}, r"integers \(batch,\), here \(2,\).*Received: shape \(3,\), int64"),
        ({"lengths": np.array([[1], [2]])}, r"integers \(batch,\), here \(2,\).*Received: shape \(2, 1\), int64"),
        ({"lengths": np.array([1.0, 2.0])}, r"are integers.*Received: shape \(2,\), float32"),
        ({"memory_mask": np.ones((2, 4), bool)}, r"\(batch, source\), here \(2, 5\).*Received: shape \(2, 4\)"),
        ({"memory_mask": np.ones((2, 1, 5), bool)}, r"\(batch, source\), here \(2, 5\).*Received: shape \(2, 1, 5\)"),
    ],
    ids=[
        "query rank", "query units", "query batch", "query type", "memory rank", "features", "memory type",
        "lengths batch", "lengths rank", "lengths type", "mask length", "mask rank",
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(name, arguments, message):
    fits = {"query": np.zeros((2, QUERY), "float32"), "memory": np.zeros((2, SOURCE, FEATURES), "float32")}
    with pytest.raises(ValueError, match=message):
        built(name)(**{**fits, **arguments})


@pytest.mark.parametrize("lengths", [[1, 6], [-1, 5]])
@pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])
def test_lengths_beyond_the_memory_are_refused(name, lengths, in_graph):
    layer = built(name)
    prepare = tf.function(layer.prepare, autograph=False) if in_graph else layer.prepare
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?s)at most as long as the memory.*5.*Received:.*"):
        prepare(tf.zeros((2, SOURCE, FEATURES)), tf.constant(lengths))


def test_a_layer_is_built_for_queries_and_a_memory(name):
    for query, memory, message in (
        ((2, 3, 4, 5), (2, 5, 3), r"takes queries.*Received: shape \(2, 3, 4, 5\)"),
        ((2, None), (2, 5, 3), r"takes queries.*Received: shape \(2, None\)"),
        ((2, 3), (2, 3), r"takes a memory.*Received: shape \(2, 3\)"),
        ((2, 3), (2, 5, None), r"takes a memory.*Received: shape \(2, 5, None\)"),
    ):
        with pytest.raises(ValueError, match=message):
            LAYERS[name]().build(query, memory)


def test_a_dot_product_takes_equal_widths():
    with pytest.raises(ValueError, match=r'choose score="general".*Received: 3 units of the query, 4 features'):
        LuongAttention("dot").build((2, 3), (2, 5, 4))


def test_memories_are_prepared_by_a_built_layer(name, query, memory):
    with pytest.raises(ValueError, match=r"build\(query_shape, memory_shape\), first\. Received: built=False"):
        LAYERS[name]().prepare(memory)
    with pytest.raises(ValueError, match=r"what prepare\(memory, lengths\) returned\. Received: ndarray"):
        built(name).attend(query, memory)
