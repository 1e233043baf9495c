"""Translates texts: `python -m pipelines.nlp.translate TEXT… [--file FILE] [--run FOLDER]`."""

import sys
from pathlib import Path

import numpy as np
import tyro
from matplotlib.figure import Figure
from pydantic import Field

from pipelines import commands
from pipelines.configuration import ConfigurationError
from pipelines.nlp.text_files import read_lines
from pipelines.nlp.translation import pictures
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.trained import load_translator, translate_texts
from pipelines.runs import Run
from pipelines.tasks import latest_run

STANDARD_INPUT = "-"


class TranslationOptions(commands.RunOptions):
    """Options of the translation."""

    text: tyro.conf.Positional[tuple[str, ...]] = Field((), description="texts; one that is - stands for the input")
    file: Path | None = Field(None, description="file of texts, one a line, also gzipped")
    output: Path | None = Field(None, description="file for the translations, one a line; printed by default")
    scores: bool = Field(False, description="print the score before each translation")
    attention: Path | None = Field(None, description="picture, such as attention.png, of what was looked at")
    beam_width: int = Field(0, ge=0, description="beginnings that are followed at once; 0: as configured")


def translate(run: Run, texts: list[str], beam_width: int = 0) -> tuple[list[str], np.ndarray]:
    """Returns what a run's translator makes of texts, and the scores; of a text without words nothing."""
    search = run.read_configuration(TranslationConfiguration).search
    search = search.replace(beam_width=beam_width) if beam_width else search
    return translate_texts(load_translator(run), texts, search)


def attention(run: Run, text: str, translation: str) -> Figure:
    """Draws what a run's translator looked at while it translated a text."""
    return pictures.attention(pictures.Attention(load_translator(run), text, translation))


def given_texts(options: TranslationOptions) -> list[str]:
    """Returns the texts to translate: those named, the lines of the input, or those of the file.

    Raises:
        ConfigurationError: there are none, or a file and texts.
    """
    if options.file is not None and options.text:
        raise ConfigurationError(
            "Texts and a file of texts are two things to translate. Expected one of them. Leave the other out. "
            f"Received: {len(options.text)} texts and {options.file}"
        )
    if options.file is not None:
        return read_lines(options.file)
    texts: list[str] = []
    for text in options.text:
        texts += sys.stdin.read().splitlines() if text == STANDARD_INPUT else [text]
    if not any(text.strip() for text in texts):
        raise ConfigurationError(
            'There is nothing to translate. Expected a text, make translate TEXT="In the beginning.", or a file, '
            f'ARGS="--file sentences.txt". Received: {"an empty text" if texts else "no text"}'
        )
    return texts


def main(arguments: list[str]) -> None:
    options = commands.run_options(TranslationOptions, "nlp", "translate", arguments, __doc__ or "")
    texts = given_texts(options)
    run = latest_run("nlp", "translation", "translation") if options.run is None else Run.open(options.run)
    translations, scores = translate(run, texts, options.beam_width)
    lines = [
        f"{score:.2f}\t{translation}" if options.scores else translation
        for score, translation in zip(scores, translations, strict=True)
    ]
    written = []
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        written.append(str(options.output))
    else:
        print("\n".join(lines))
    if options.attention is not None:
        attention(run, texts[0], translations[0]).savefig(options.attention, dpi=120)
        written.append(str(options.attention))
    # Beside the translations, so that these can be piped.
    print(f"Translated {len(texts)} texts with {run.folder}", file=sys.stderr)
    if written:
        print(f"Wrote {', '.join(written)}", file=sys.stderr)
    print("Next: make export-nlp, to serve this model", file=sys.stderr)


if __name__ == "__main__":
    commands.main(main)
