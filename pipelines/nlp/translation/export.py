"""Exports a translator as a SavedModel."""

from pathlib import Path

from pipelines.exporting import WarmupRequest, export_signatures
from pipelines.model_cards import card, documented
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.model import OLD_DESCRIPTION, load_model
from pipelines.nlp.translation.serving import signatures
from pipelines.nlp.translation.sources import DataConfiguration
from pipelines.runs import Run

WARMUP = "This is a sentence."
LICENCES = {
    "bible_verses": "World English Bible and Reina-Valera 1909, Debian packages sword-text-web and sword-text-sparv "
    "(both public domain)",
    "king_james_verses": "King James Version and Reina-Valera 1909, Debian packages sword-text-kjv and "
    "sword-text-sparv (both public domain; in the United Kingdom the former is under Crown copyright)",
    "modern_pairs": "GNOME Help, Debian package gnome-user-docs (CC-BY-SA-3.0), and the dialogue of Fish Fillets, "
    "Debian package fillets-ng-data (GPL-2)",
}


def export_run(run: Run, folder: Path | str = "exports") -> Path:
    """Writes `exports/nlp-<preset>/<version>/` and returns it."""
    translator, search = load_model(run), run.read_configuration(TranslationConfiguration).search
    warmup = [
        WarmupRequest("serving_default", {"text": [WARMUP]}),
        WarmupRequest("beam_search", {"text": [WARMUP], "beam_width": [search.beam_width]}),
        WarmupRequest("attention", {"text": [WARMUP]}),
    ]
    return export_signatures(
        run, translator, signatures(translator, search), model_card(run), warmup, folder, (OLD_DESCRIPTION,)
    )


def model_card(run: Run) -> str:
    """What a user of the exported model must know: input, data, licence, metrics, limits."""
    configuration = run.read_configuration(TranslationConfiguration)
    source, target = configuration.data.languages
    search = configuration.search
    about = f"""
It translates sentences from {source} to {target}. The search keeps {search.beam_width} hypotheses at each step. A
score is (log P + {search.coverage_penalty:g} c) / ((5 + n) / 6)^{search.length_exponent:g}, with n the subwords of
the translation and its end, and c the sum of the logarithms of how much of each source subword the attention has
covered, at most 1.

{documented(signatures)}
"""
    limits = """
It knows the language of its training texts: it translates other subjects and styles badly, and
fluently wrong. Names and numbers may be changed. Nobody has checked its translations; do not rely on one.
"""
    return card(run, "Translation", about, f"{described(configuration.data)}.", "sentences", limits)


def described(configuration: DataConfiguration) -> str:
    """Names the data and its licence."""
    if configuration.source in LICENCES:
        return "; ".join(LICENCES[name] for name in (configuration.source, *configuration.more))
    if configuration.source == "dataset":
        return f"The public data set {configuration.dataset}, under its own licence"
    paths = (configuration.path, configuration.source_path, configuration.target_path)
    return f"The user's own pairs ({', '.join(Path(path).name for path in paths if path)})"
