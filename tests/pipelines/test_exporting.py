import keras
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from pipelines.configuration import Configuration
from pipelines.evaluation import Evaluation, Metric, Row
from pipelines.exporting import WarmupRequest, export, staged
from pipelines.model_cards import card
from pipelines.runs import Run


class Tagger(tf.Module):
    """A tiny model with all that exports have: Keras layers, dropout, a table, text out, explicit state."""

    def __init__(self):
        super().__init__()
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Bidirectional(keras.layers.GRU(3, dropout=0.5, return_sequences=True))]
        self.network = keras.Sequential([keras.Input((None, 2)), *layers, keras.layers.Dense(2)])
        initializer = tf.lookup.KeyValueTensorInitializer(tf.constant([0, 1], tf.int64), ["no", "ěšč"])
        self.labels = tf.lookup.StaticHashTable(initializer, "")

    @tf.function(input_signature=[tf.TensorSpec([None, None, 2], tf.float32, name="audio")])
    def tag(self, audio):
        logits = self.network(audio, training=False)[:, -1]  # (batch, labels)
        return {"label": self.labels.lookup(tf.argmax(logits, axis=-1)), "logits": logits}

    @tf.function(input_signature=[])
    def initial_state(self):
        return {"total": tf.zeros([1])}

    @tf.function(input_signature=[tf.TensorSpec([1], name="total"), tf.TensorSpec([1], name="value")])
    def step(self, total, value):
        return {"total": total + value}

    def signatures(self):
        functions = {"serving_default": self.tag, "initial_state": self.initial_state, "step": self.step}
        return {name: function.get_concrete_function() for name, function in functions.items()}


AUDIO = np.random.default_rng(0).normal(size=(2, 4, 2)).astype("float32")
REQUESTS = [
    WarmupRequest("serving_default", {"audio": AUDIO}),
    WarmupRequest("initial_state"),
    WarmupRequest("step", {"value": [1.0]}),
]


@pytest.fixture(scope="module")
def tagger():
    return Tagger()


@pytest.fixture(scope="module")
def exported(tagger, tmp_path_factory):
    return export(tagger, tagger.signatures(), "tagger", "# Card\nč", REQUESTS, tmp_path_factory.mktemp("exports"))


@pytest.mark.slow
def test_answers_where_neither_keras_nor_our_code_is(exported, tagger, answer_elsewhere):
    answer = answer_elsewhere(exported, ("serving_default", {"audio": AUDIO.tolist()}))
    expected = tagger.tag(AUDIO)
    np.testing.assert_allclose(answer["logits"], expected["logits"], atol=1e-6)
    assert answer["label"] == [label.decode() for label in expected["label"].numpy()]


def test_a_keras_model_itself_is_exported(tmp_path, answer_elsewhere):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    specification = tf.TensorSpec([None, 3], tf.float32, name="values")
    signature = tf.function(lambda values: {"y": model(values)}).get_concrete_function(specification)
    # Keras does not track this state for TensorFlow; a sampling signature needs it nevertheless.
    sample = tf.function(lambda values: {"y": model(values, training=True)}).get_concrete_function(specification)
    values = np.ones((2, 3), "float32")
    requests = [WarmupRequest(name, {"values": values}) for name in ("serving_default", "sample")]
    path = export(model, {"serving_default": signature, "sample": sample}, "m", "# M", requests, tmp_path / "e")
    answer = answer_elsewhere(path, ("serving_default", {"values": values.tolist()}))
    np.testing.assert_allclose(answer["y"], model(values), atol=1e-6)


def test_a_custom_gradient_leaves_nothing_to_warn_of(tmp_path, caplog):
    @tf.custom_gradient
    def square(x):
        return x * x, lambda gradient: 2 * x * gradient

    specification = tf.TensorSpec([1], tf.float32, name="x")
    signature = tf.function(lambda x: {"y": square(x)}).get_concrete_function(specification)
    request = WarmupRequest("serving_default", {"x": [1.0]})
    path = export(tf.Module(), {"serving_default": signature}, "m", "# M", [request], tmp_path)
    loaded, x = tf.saved_model.load(path), tf.constant([3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = loaded.signatures["serving_default"](x=x)["y"]
    assert y.numpy() == [9.0]
    assert tape.gradient(y, x).numpy() == [6.0]
    assert [record.getMessage() for record in caplog.records if record.levelname != "INFO"] == []


def test_warmup_requests_parse_back_to_what_was_asked(exported):
    path = exported / "assets.extra" / "tf_serving_warmup_requests"
    logs = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))
    ]
    assert [log.WhichOneof("log_type") for log in logs] == ["predict_log"] * 3
    requests = [log.predict_log.request for log in logs]
    assert [(each.model_spec.name, each.model_spec.signature_name) for each in requests] == [
        ("tagger", "serving_default"),
        ("tagger", "initial_state"),
        ("tagger", "step"),
    ]
    assert list(requests[0].inputs) == ["audio"]
    np.testing.assert_array_equal(tf.make_ndarray(requests[0].inputs["audio"]), AUDIO)
    assert not requests[1].inputs
    assert tf.make_ndarray(requests[2].inputs["total"]) == [0.0], "as initial_state answered"


def test_folder_is_as_a_server_expects_it(exported):
    assert exported.name == "1"
    assert (exported / "model_card.md").read_text(encoding="utf-8") == "# Card\nč"
    files = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    assert {"saved_model.pb", "variables/variables.index", "model_card.md"} <= files
    assert {path.name for path in exported.parent.iterdir()} == {"1", "models.config", "batching.config"}
    configuration = text_format.Parse(
        (exported.parent / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    (model,) = configuration.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("tagger", "/models/tagger", "tensorflow")


@pytest.mark.parametrize("padded", [True, False])
def test_a_server_pads_only_what_comes_with_its_lengths(padded, tmp_path):
    inputs = {"audio": tf.TensorSpec([None, None], name="audio")}
    request = {"audio": [[1.0]]}
    if padded:
        inputs["lengths"], request["lengths"] = tf.TensorSpec([None], tf.int32, "lengths"), [1]
    function = tf.function(lambda audio, lengths=0: {"sum": audio[:, 0] + tf.cast(lengths, tf.float32)})
    signatures = {"serving_default": function.get_concrete_function(**inputs)}
    path = export(tf.Module(), signatures, "m", "", [WarmupRequest("serving_default", request)], tmp_path)
    assert ("pad_variable_length_inputs: true" in (path.parent / "batching.config").read_text()) == padded


def test_versions_count_up_past_gaps_and_other_files(tagger, tmp_path):
    for name in ("2", "9", "10", "notes", ".partial-1"):
        (tmp_path / "tagger" / name).mkdir(parents=True)
        (tmp_path / "tagger" / name / "file").touch()
    signatures = {"serving_default": tagger.signatures()["initial_state"]}
    request = WarmupRequest("serving_default", {})
    path = export(tagger, signatures, "tagger", "", [request], tmp_path)
    assert path == tmp_path / "tagger" / "11"


def test_a_version_appears_when_all_that_belongs_to_it_is_written(tagger, tmp_path):
    signatures = {"serving_default": tagger.signatures()["initial_state"]}
    request = WarmupRequest("serving_default", {})
    with pytest.raises(RuntimeError, match="a converter"), staged(tmp_path) as (staging, _):
        export(tagger, signatures, "tagger", "", [request], staging)
        raise RuntimeError("a converter fails")
    assert not list(tmp_path.iterdir())
    (tmp_path / "tagger" / "1").mkdir(parents=True)
    with staged(tmp_path) as (staging, publish):
        export(tagger, signatures, "tagger", "", [request], staging)
        path = publish(staging / "tagger" / "1")
    assert path == tmp_path / "tagger" / "2" and (path / "saved_model.pb").exists()
    assert {each.name for each in path.parent.iterdir()} == {"1", "2", "models.config", "batching.config"}
    assert [each.name for each in tmp_path.iterdir()] == ["tagger"]


def test_a_version_taken_in_the_meantime_is_passed_over(tagger, tmp_path, monkeypatch):
    signatures = {"serving_default": tagger.signatures()["initial_state"]}
    save = tf.saved_model.save

    def save_slowly(*arguments, **options):
        save(*arguments, **options)
        # Our look at the folder came before the other export.
        monkeypatch.setattr("pathlib.Path.iterdir", lambda folder: iter(()))
        (tmp_path / "tagger" / "1").mkdir()
        (tmp_path / "tagger" / "1" / "saved_model.pb").touch()

    monkeypatch.setattr(tf.saved_model, "save", save_slowly)
    path = export(tagger, signatures, "tagger", "", [WarmupRequest("serving_default", {})], tmp_path)
    assert path == tmp_path / "tagger" / "2"


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([], r"between 1 and 1000.*Received: 0"),
        (REQUESTS[:2], r"request of each signature.*Received: none of step"),
        ([WarmupRequest("nothing", {})], r"Received: nothing with \[\]"),
        (
            [WarmupRequest("step", {"total": [0.0]})],
            r"step with \['total', 'value'\].*Received: step with \['total'\]",
        ),
        (
            [WarmupRequest("step", {"total": [0.0], "value": ["a"]})],
            r"'value' does not fit.*float32 of shape \(1,\)",
        ),
        ([WarmupRequest("step", {"total": [0.0], "value": [1.0, 2.0]})], r"'value' does not fit"),
    ],
)
def test_wrong_warmup_requests_are_refused_and_nothing_is_left(tagger, tmp_path, requests, message):
    with pytest.raises(ValueError, match=message):
        export(tagger, tagger.signatures(), "tagger", "", requests, tmp_path)
    assert list((tmp_path / "tagger").iterdir()) == []


def test_what_a_server_cannot_run_is_refused(tmp_path):
    request = [WarmupRequest("serving_default", {"x": [1.0]})]
    compiled = tf.function(lambda x: x * x, jit_compile=True)
    python = lambda x: tf.numpy_function(np.square, [x], tf.float32)  # noqa: E731
    branch = lambda x: tf.cond(x[0] > 0, lambda: compiled(x), lambda: x)  # noqa: E731
    for function, received in (
        (compiled, "compiled by XLA"),
        (branch, "compiled by XLA"),
        (python, "PyFunc"),
    ):
        signature = tf.function(lambda x, function=function: {"y": function(x)})
        signature = signature.get_concrete_function(tf.TensorSpec([1], tf.float32, name="x"))
        with pytest.raises(ValueError, match=f"cannot be served.*Received: .*{received}"):
            export(tf.Module(), {"serving_default": signature}, "m", "", request, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_names_are_checked(tagger, tmp_path):
    with pytest.raises(ValueError, match=r"letters, digits.*Received: '\.\./m'"):
        export(tagger, tagger.signatures(), "../m", "", REQUESTS, tmp_path)
    with pytest.raises(ValueError, match=r"serving_default.*Received: \['step'\]"):
        export(tagger, {"step": tagger.signatures()["step"]}, "m", "", REQUESTS, tmp_path)


def test_what_tensorflow_cannot_write_is_said_as_any_file_that_cannot_be_written(tagger, tmp_path, monkeypatch):
    def refused(*_, **__):
        raise tf.errors.PermissionDeniedError(None, None, "Read-only file system")

    monkeypatch.setattr(tf.saved_model, "save", refused)
    with pytest.raises(OSError, match=r"could not be written to .*e/tagger: Read-only"):
        export(tagger, tagger.signatures(), "tagger", "# Card", REQUESTS, tmp_path / "e")
    assert not any((tmp_path / "e" / "tagger").iterdir())


def test_cells_with_bars_stay_cells_of_a_table(tmp_path):
    run = Run.create("speech", "small", Configuration(), tmp_path)
    run.write_json("configuration.json", {"seed": 3})
    before = card(run, "Title", "\nAbout.\n", "Data.", "sentences", "Limits.")
    assert before.startswith(f"# Title, preset small\n\nFrom the run {run.folder.name}, seed 3.\n\nAbout.\n\n## Data")
    assert "## Metrics\n\nNot evaluated. Run `unrolled evaluate speech` before" in before
    row = Row("model", {"bleu": Metric(20.0, 19.0, 21.0)}, notes="nrefs:1|case:mixed")
    run.write_json("evaluation.json", Evaluation("test", 3, [row]).to_json())
    after = card(run, "Title", "About.", "Data.", "sentences", "Limits.")
    assert "test split, 3 sentences, 95 % intervals" in after and after.endswith("\n\n## Limits\n\nLimits.\n")
    assert r"| model | 20.00 [19.00, 21.00] | nrefs:1\|case:mixed |" in after
