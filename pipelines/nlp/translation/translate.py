"""Prints the translations of texts.

Everything after `--` is text, even what begins with a dash: `unrolled translate --run FOLDER -- "- Who?"`.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from pipelines import commands, hints
from pipelines.configuration import ConfigurationError
from pipelines.counting import counted
from pipelines.nlp.given_texts import TextOptions

if TYPE_CHECKING:
    from pipelines.nlp.translation.predictor import Predictor, Translation


class Options(TextOptions):
    """Options of the translation."""

    output: Path | None = Field(None, description="file for the translations, one a line; printed by default")
    scores: bool = Field(False, description="print the score before each translation (JSON always has it)")
    attention: Path | None = Field(
        None, description="file for a picture of the attention for the first text, such as attention.png"
    )
    beam_width: int = Field(0, ge=0, description="hypotheses kept at each step; 0: as in the configuration")


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Prints the translation of each text, or writes them into a file."""
    from pipelines import plots
    from pipelines.nlp.translation import pictures
    from pipelines.nlp.translation.predictor import EXAMPLE  # and TensorFlow, which --help does without

    texts = options.texts(hints.answer(*EXAMPLE))
    refuse_outputs(options)
    predictor = load()
    translations = predictor.translate_all(texts, options.beam_width or None)
    lines = lines_of(texts, translations, options)
    written = []
    if options.output is not None:
        options.output.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        written.append(str(options.output))
    else:
        print("\n".join(lines))
    if options.attention is not None:
        plots.save(pictures.attention(predictor.attention(texts[0], translations[0].text)), options.attention)
        written.append(str(options.attention))
    commands.report_done(f"Translated {counted(len(texts), 'text')}")
    if written:
        commands.report_done(f"Wrote {', '.join(written)}")


def lines_of(texts: Sequence[str], translations: "Sequence[Translation]", options: Options) -> list[str]:
    """Returns a line for each text, in the format that the options name."""
    if options.format == "json":
        objects = [
            {"source": text, "translation": each.text, "score": each.score}
            for text, each in zip(texts, translations, strict=True)
        ]
        return [json.dumps(each, ensure_ascii=False) for each in objects]
    return [f"{each.score:.2f}\t{each.text}" if options.scores else each.text for each in translations]


def refuse_outputs(options: Options) -> None:
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
            what = "is a folder" if path.is_dir() else "is in a folder that does not exist"
            raise ConfigurationError(
                f"The file of {name} {what}. Expected a file in a folder that exists. Correct the path, or make the "
                f"folder. Received: {path}"
            )
        if path.exists():
            raise ConfigurationError(
                f"The file of {name} exists, and is not overwritten. Expected a new one. Move it, or give {name} "
                f"another name. Received: {path}"
            )
        taken[path.resolve()] = name
