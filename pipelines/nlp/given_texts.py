"""The texts that a user gives to a command: as arguments, in a file, or on standard input."""

import sys
from collections.abc import Sequence
from pathlib import Path

import tyro
from pydantic import Field

from pipelines.commands import AnswerOptions, report_done
from pipelines.configuration import ConfigurationError
from pipelines.counting import counted
from pipelines.nlp.text_files import decoded, lines_of, read_lines
from pipelines.nlp.texts import listed, refuse_undecodable

STANDARD_INPUT = "-"


class TextOptions(AnswerOptions):
    """Options of a command that asks a model about texts."""

    text: tyro.conf.Positional[tuple[str, ...]] = Field(
        (), description="texts, each in quotes; - for the lines of standard input"
    )
    file: Path | None = Field(None, description="file of texts, one a line, also gzipped")

    def texts(self, example: str) -> list[str]:
        """Returns the texts, as `given_texts` does."""
        return given_texts(self.text, self.file, example)


def given_texts(arguments: Sequence[str], file: Path | None, example: str) -> list[str]:
    """Returns the arguments, of which `-` stands for the lines of standard input, or the lines of a file.

    Blank ones are kept and answered like any other, so that the number of a text is that of its line.

    Args:
        arguments: texts, or none if there is a file.
        file: a text a line, also gzipped.
        example: a command with a text, for messages.

    Raises:
        ConfigurationError: there is no text, there are both arguments and a file, or a text is not UTF-8.
        TextDataError: the file cannot be read.

    Example:
        >>> given_texts(["One.", "Two."], None, 'unrolled classify "A good one!"')
        ['One.', 'Two.']
    """
    if file is not None and arguments:
        raise ConfigurationError(
            "Both texts and a file of texts are given. Expected one of them. Leave the other out. "
            f"Received: {len(arguments)} texts and {file}"
        )
    texts = [] if file is None else read_lines(file)
    for text in arguments:
        texts += lines_of(decoded(sys.stdin.buffer.read(), "the input")) if text == STANDARD_INPUT else [text]
    if not texts:
        received = f"{file}, which is empty" if file else "empty standard input" if arguments else "no text"
        raise ConfigurationError(
            f"There is no text. Expected a text, {example}, a file, --file sentences.txt, or - for standard input. "
            f"Give one of them. Received: {received}"
        )
    refuse_undecodable(texts)
    if blank := [str(number) for number, text in enumerate(texts, start=1) if not text.strip()]:
        report_done(f"Note: {counted(len(blank), 'blank text')} of {len(texts)}, answered as well: {listed(blank)}")
    return texts
