"""Continues a text, or writes one from nothing.

A text that begins with a dash goes after `--`: `unrolled generate --seed 3 -- "- first item"`.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import tyro
from pydantic import Field

from pipelines import commands
from pipelines.configuration import ConfigurationError
from pipelines.nlp.language_model.network import MOST_SAMPLES, WIDEST_BEAM, SamplingConfiguration
from pipelines.nlp.text_files import decoded
from pipelines.nlp.texts import refuse_undecodable

if TYPE_CHECKING:
    from pipelines.nlp.language_model.predictor import Predictor

STANDARD_INPUT = ("-",)
BETWEEN = "\n---\n\n"  # texts that are printed


class Options(commands.AnswerOptions, SamplingConfiguration):
    """Options of the command."""

    prompt: Annotated[tuple[str, ...], tyro.conf.Positional] = Field(
        (), description="beginning of the text; - for standard input"
    )
    beam: int = Field(
        0, ge=0, le=WIDEST_BEAM, description="width of a beam search for the most probable text; 0: sample"
    )
    samples: int = Field(
        1, ge=1, le=MOST_SAMPLES, description="number of texts, with consecutive seeds; with a beam its best ones"
    )
    stop: tuple[str, ...] = Field((), description=r"strings before which a text ends; \n for the end of a line")


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Prints the prompt and what follows it, as soon as it is drawn; of several texts one after the other."""
    from pipelines.nlp.language_model.predictor import until  # and TensorFlow, which --help does without

    refuse_contradictions(options)
    prompt, stop = prompt_of(options), [text.replace("\\n", "\n") for text in options.stop]
    predictor = load()
    found: Iterable[tuple[dict[str, object], Iterator[str]]]
    if options.beam:
        best = predictor.most_probable(prompt, length=options.length, beam=options.beam)[: options.samples]
        found = [({"log_probability": each.log_probability}, until([each.text], stop)) for each in best]
    else:
        several = sampling_of(options).seeded(options.samples)
        found = (({"seed": each.seed}, predictor.pieces(prompt, each, stop)) for each in several)
    for number, (values, pieces) in enumerate(found):
        if options.format == "json":
            commands.print_answers([{"prompt": prompt, "continuation": "".join(pieces), **values}])
            continue
        print(BETWEEN * (number > 0) + prompt, end="", flush=True)
        for piece in pieces:
            print(piece, end="", flush=True)
        print()


def refuse_contradictions(options: Options) -> None:
    """Refuses options that do not go together.

    Raises:
        ConfigurationError: there are such options.
    """
    if options.beam and (drawing := drawing_options(options)):
        raise ConfigurationError(
            "A beam finds the most probable text and draws nothing. Leave out --beam, or "
            f"{', '.join(drawing)}. Received: --beam {options.beam} and {', '.join(drawing)}"
        )
    if options.beam and options.samples > options.beam:
        raise ConfigurationError(
            "A beam has no more texts than candidates. Expected --beam of --samples at least. Raise it. "
            f"Received: --beam {options.beam} and --samples {options.samples}"
        )
    if "" in options.stop:
        raise ConfigurationError(
            "--stop: an empty string would end every text at once. Expected characters. Leave it out. Received: ''"
        )


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
