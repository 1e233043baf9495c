"""A trained tagger, as it lies in a run folder, and its answers to sentences."""

from collections.abc import Sequence

import tensorflow as tf

from pipelines.nlp.tagged_files import Sentence
from pipelines.nlp.tagging.config import TaggingConfiguration
from pipelines.nlp.tagging.model import Tagger
from pipelines.nlp.tagging.serving import padded
from pipelines.nlp.texts import batches_by_length
from pipelines.preparation import trained_model
from pipelines.runs import Run


def build(configuration: TaggingConfiguration, vocabulary: Sequence[str], tags: Sequence[str]) -> Tagger:
    """Returns an untrained tagger, its weights made."""
    tagger = Tagger(configuration.network, vocabulary, tags, configuration.seed)
    tagger.tag_padded(tf.constant([["a"]]))
    return tagger


def load_model(run: Run) -> Tagger:
    """Returns the tagger of a finished run, with its trained weights.

    Raises:
        RunError: the run was not trained to its end, or its weights do not fit the tagger.
    """
    return trained_model(run, run.read_configuration(TaggingConfiguration), build)


def tag_sentences(tagger: Tagger, sentences: Sequence[Sentence]) -> list[list[str]]:
    """Returns the tags of the words of sentences."""
    answers: dict[int, list[str]] = {}
    for places in batches_by_length([each.words for each in sentences]):
        found = tagger.tag_padded(tf.constant(padded([sentences[place].words for place in places]))).numpy()
        for place, row in zip(places, found, strict=True):
            answers[place] = [tagger.tags[number] for number in row[: len(sentences[place].words)]]
    return [answers[place] for place in range(len(sentences))]
