"""Trains a tagger."""

from functools import partial

import tensorflow as tf

from pipelines.hints import listed
from pipelines.nlp.splits import report_splits
from pipelines.nlp.tagging import data
from pipelines.nlp.tagging.config import TaggingConfiguration
from pipelines.nlp.tagging.model import Tagger, build
from pipelines.nlp.tagging.predictor import Predictor
from pipelines.nlp.tagging.scoring import metrics, tallies
from pipelines.nlp.tagging.serving import signatures
from pipelines.nlp.words import learn_vocabulary
from pipelines.preparation import Prepared, prepared
from pipelines.rows import mean_of_batch
from pipelines.runs import Run
from pipelines.served import Served
from pipelines.training import fit


def train(run: Run, configuration: TaggingConfiguration) -> None:
    """Trains the tagger of a run, or resumes where it stopped, and writes everything into the run's folder."""
    sets, tagger = prepared(run, configuration, prepare)
    learned, predictor = data.numbered(sets, tagger.words), Predictor(run, Served(signatures(tagger)))
    batches = partial(data.training_batches, learned, configuration.data.batch_size, configuration.seed)
    functions = partial(batch_loss, tagger), batches, partial(validate, predictor, sets)
    fit(run, tagger, *functions, configuration.training, maximise="accuracy", seed=configuration.seed)
    run.finish()


def prepare(configuration: TaggingConfiguration) -> Prepared[data.Sets, Tagger]:
    """Returns the sentences and an untrained tagger that knows their words, and prints what it learns from."""
    sets, network = data.load(configuration.data), configuration.network
    report_splits(f"Learning {len(sets.tags)} tags, {listed(sets.tags)}, from sentences", sets.splits, sets.notes)
    words = [word for sentence in sets.splits["train"] for word in sentence.words]
    vocabulary = learn_vocabulary(words, network.vocabulary, network.minimum_count)
    description = {"vocabulary": vocabulary, "tags": sets.tags}
    return Prepared(
        sets, build(configuration, **description), description, learned=data.identities(sets.splits["train"])
    )


def batch_loss(tagger: Tagger, batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
    """Returns the mean cross-entropy of the words that have a tag, in nats."""
    logits = tagger(batch["numbers"], batch["lengths"], training=training)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(batch["tags"], 0), logits)  # (batch, time)
    return mean_of_batch(each, tf.cast(batch["tags"] >= 0, each.dtype))


def validate(predictor: Predictor, sets: data.Sets) -> dict[str, float]:
    """Returns the accuracy of the validation split and, where tags are those of spans, the F1 of the spans."""
    sentences = sets.splits["validation"]
    tally = tallies(sentences, predictor.tags_of(sentences), set(), sets.tags)
    return {name: metric.value for name, metric in metrics(tally).items() if name != "unseen_accuracy"}
