"""Translates texts: `python -m pipelines.nlp.translate TEXT… [--file FILE] [--run FOLDER]`.

After `--` all is text, even what begins with a dash: `python -m pipelines.nlp.translate --run FOLDER -- "- Who?"`.
"""

import sys
from pathlib import Path

import numpy as np
import tyro
from matplotlib.figure import Figure
from pydantic import Field

from pipelines import commands, plots
from pipelines.configuration import ConfigurationError
from pipelines.counting import counted
from pipelines.nlp.text_files import decoded, lines_of, read_lines
from pipelines.nlp.texts import refuse_undecodable
from pipelines.nlp.translation import pictures
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.trained import load_translator, translate_texts
from pipelines.runs import Run
from pipelines.tasks import open_run

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
    texts = [] if options.file is None else read_lines(options.file)
    for text in options.text:
        texts += lines_of(decoded(sys.stdin.buffer.read(), "the input")) if text == STANDARD_INPUT else [text]
    if not any(text.strip() for text in texts):
        received = "an empty text" if texts else "no text"
        raise ConfigurationError(
            'There is nothing to translate. Expected a text, make translate TEXT="In the beginning.", or a file, '
            f'ARGS="--file sentences.txt". Received: {received if options.file is None else f"{options.file}, empty"}'
        )
    refuse_undecodable(texts)
    return texts


def refuse_outputs(options: TranslationOptions) -> None:
    """Refuses, before any work, files to write that are something else, or whose folder is not there.

    Raises:
        ConfigurationError: there is such a file.
    """
    taken = {} if options.file is None else {options.file.resolve(): "--file"}
    for name, path in (("--output", options.output), ("--attention", options.attention)):
        if path is None:
            continue
        if other := taken.get(path.resolve()):
            raise ConfigurationError(
                f"{name} would overwrite {other}. Expected a file of its own. Give it another name. Received: {path}"
            )
        if path.is_dir() or not path.parent.is_dir():
            what = "is a folder" if path.is_dir() else "stands in a folder that does not exist"
            raise ConfigurationError(
                f"The file of {name} {what}. Expected a file in a folder that is there. Correct the path, or make the "
                f"folder. Received: {path}"
            )
        if path.exists():
            raise ConfigurationError(
                f"The file of {name} is there, and is not overwritten. Expected a new one. Move it, or give {name} "
                f"another name. Received: {path}"
            )
        taken[path.resolve()] = name


def main(arguments: list[str]) -> None:
    options = commands.run_options(TranslationOptions, "nlp", "translate", arguments, __doc__ or "")
    run = open_run("nlp", "translation", "translation", options.run)
    texts = given_texts(options)
    refuse_outputs(options)
    translations, scores = translate(run, texts, options.beam_width)
    lines = [
        f"{score:.2f}\t{translation}" if options.scores else translation
        for score, translation in zip(scores, translations, strict=True)
    ]
    written = []
    if options.output is not None:
        options.output.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        written.append(str(options.output))
    else:
        print("\n".join(lines))
    if options.attention is not None:
        plots.save(attention(run, texts[0], translations[0]), options.attention)
        written.append(str(options.attention))
    # Beside the translations, so that these can be piped.
    print(f"Translated {counted(len(texts), 'text')} with {run.folder}", file=sys.stderr)
    if written:
        print(f"Wrote {', '.join(written)}", file=sys.stderr)
    print("Next: make export-nlp, to serve this model", file=sys.stderr)


if __name__ == "__main__":
    commands.main(main)
