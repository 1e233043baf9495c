"""Continues a text, or writes one from nothing.

What begins with a dash is written after `--`: `unrolled generate --seed 3 -- "- first item"`.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import tyro
from pydantic import Field

from pipelines import commands
from pipelines.configuration import ConfigurationError
from pipelines.nlp.language_model.options import SamplingConfiguration
from pipelines.nlp.text_files import decoded
from pipelines.nlp.texts import refuse_undecodable

if TYPE_CHECKING:
    from pipelines.nlp.language_model.predictor import Predictor

STANDARD_INPUT = ("-",)


class Options(commands.AnswerOptions, SamplingConfiguration):
    """Options of the command."""

    prompt: Annotated[tuple[str, ...], tyro.conf.Positional] = Field(
        (), description="beginning of the text; - for standard input"
    )
    beam: int = Field(0, ge=0, le=64, description="width of a beam search for the most probable text; 0: sample")


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Prints the prompt and what follows it, as soon as it is drawn."""
    if options.beam and (drawing := drawing_options(options)):
        raise ConfigurationError(
            "A beam finds the most probable text and draws nothing. Leave out --beam, or "
            f"{', '.join(drawing)}. Received: --beam {options.beam} and {', '.join(drawing)}"
        )
    prompt = prompt_of(options)
    predictor = load()
    found: dict[str, object] = {"prompt": prompt}
    if options.format == "text":
        print(prompt, end="", flush=True)
    if options.beam:
        best = predictor.most_probable(prompt, length=options.length, beam=options.beam)[0]
        found |= {"continuation": best.text, "log_probability": best.log_probability}
    elif options.format == "json":
        found["continuation"] = predictor.continuations([prompt], sampling_of(options))[0]
    else:
        for piece in predictor.pieces(prompt, sampling_of(options)):
            print(piece, end="", flush=True)
    if options.format == "json":
        commands.print_answers([found])
    else:
        print(found.get("continuation", ""))


def prompt_of(options: Options) -> str:
    """Returns the prompt: the arguments, or standard input without the end of its last line.

    Raises:
        ConfigurationError: it is not UTF-8.
        TextDataError: standard input holds no text.
    """
    if options.prompt == STANDARD_INPUT:
        return decoded(sys.stdin.buffer.read(), "the input").removesuffix("\n")
    prompt = " ".join(options.prompt)
    refuse_undecodable([prompt])
    return prompt


def sampling_of(options: Options) -> SamplingConfiguration:
    """Returns the options that steer the draws."""
    return SamplingConfiguration(**{name: getattr(options, name) for name in SamplingConfiguration.model_fields})


def drawing_options(options: Options) -> list[str]:
    """Returns the options that steer the draws and differ from their defaults."""
    default = SamplingConfiguration(length=options.length)
    return [f"--{name}" for name, value in default if getattr(options, name) != value]
