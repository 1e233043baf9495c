"""The texts that a user gives to a command: as arguments, in a file, or on standard input."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import tyro
from pydantic import Field

from data.files import plain_suffix
from pipelines import hints
from pipelines.commands import AnswerOptions, print_answers, report_done
from pipelines.configuration import ConfigurationError
from pipelines.hints import counted, listed
from pipelines.json_lines import LINES
from pipelines.nlp.answered_files import TEXT, answer_file, is_table, rows_of_file, text_of
from pipelines.nlp.text_files import decoded, lines_of
from pipelines.nlp.texts import refuse_undecodable

STANDARD_INPUT = "-"


class TextPredictor(Protocol):
    """A predictor that answers texts; one whose run knows the columns of a table has them as its `columns`."""

    def answers(self, texts: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Returns the answers as JSON holds them."""


Predictor = TypeVar("Predictor", bound=TextPredictor)


class TextOptions(AnswerOptions):
    """Options of a command that asks a model about texts."""

    text: tyro.conf.Positional[tuple[str, ...]] = Field(
        (), description="texts, each in quotes; - for the lines of standard input"
    )
    file: Path | None = Field(None, description="file of texts, one per line, or a table; also compressed")
    column: tuple[str, ...] = Field((), description="columns of the texts in a table; by default those of the training")
    output: Path | None = Field(None, description="file for the answers; printed by default")

    def answer(
        self,
        load: Callable[[], Predictor],
        example: tuple[str, str, str],
        done: str,
        show: Callable[[list[str], Predictor], None],
        added: Callable[[Predictor, list[str]], Sequence[Mapping[str, Any]]] | None = None,
    ) -> tuple[list[str], Predictor]:
        """Prints what a predictor answers to the texts, or writes it into the output beside the rows of the file.

        Args:
            load: returns the predictor.
            example: the predictor's `EXAMPLE`, for messages.
            done: what is done with a text, such as "Tagged", for the last line.
            show: prints the answers to texts, where the format is text.
            added: returns the columns that each text of a file gets. Default: the answers.

        Returns:
            The texts whose answers were printed, and the predictor.
        """
        if self.output is not None:
            predictor = load()
            rows = partial(added, predictor) if added else predictor.answers
            self.answer_rows(rows, done, getattr(predictor, "columns", (TEXT,)))
            return [], predictor
        known = load() if self.columns_of_file() else None  # which knows the columns of a table
        texts = self.texts(hints.answer(*example), getattr(known, "columns", (TEXT,)))
        predictor = known or load()
        if self.format == "json":
            pairs = zip(texts, predictor.answers(texts), strict=True)
            print_answers({"text": text, **found} for text, found in pairs)
        else:
            show(texts, predictor)
        report_done(f"{done} {counted(len(texts), 'text')}")
        return texts, predictor

    def texts(self, example: str, columns: Sequence[str] = (TEXT,)) -> list[str]:
        """Returns the arguments, of which `-` stands for the lines of standard input, or the texts of the file.

        Blank ones are kept and answered like any other, so that the number of a text is that of its line.

        Args:
            example: a command with a text, for messages.
            columns: of the texts in a table, unless others are named.

        Raises:
            ConfigurationError: there is no text, there are both arguments and a file, or a text is not UTF-8.
            TextDataError: the file cannot be read.
        """
        columns, file = self.columns_of_file(columns), self.file
        if file is not None and self.text:
            raise ConfigurationError(
                "Both texts and a file of texts are given. Expected one of them. Leave the other out. "
                f"Received: {len(self.text)} texts and {file}"
            )
        texts: list[str] = []
        if file is not None:
            texts = [text_of(row, columns or (TEXT,), where) for where, row in rows_of_file(file, columns)]
        for text in self.text:
            texts += lines_of(decoded(sys.stdin.buffer.read(), "the input")) if text == STANDARD_INPUT else [text]
        if not texts:
            received = f"{file}, which is empty" if file else "empty standard input" if self.text else "no text"
            raise ConfigurationError(
                f"There is no text. Expected a text, {example}, a file, --file sentences.txt, or - for standard input. "
                f"Give one of them. Received: {received}"
            )
        refuse_undecodable(texts)
        if blank := [str(number) for number, text in enumerate(texts, start=1) if not text.strip()]:
            report_done(f"Note: {counted(len(blank), 'blank text')} of {len(texts)}, answered as well: {listed(blank)}")
        return texts

    def answer_rows(
        self, answer: Callable[[list[str]], Sequence[Mapping[str, Any]]], done: str, columns: Sequence[str] = (TEXT,)
    ) -> None:
        """Writes the rows of the file with what is answered to their texts into the output, as `answer_file` does.

        Reports what was `done`, such as "Tagged".

        Raises:
            ConfigurationError: no file is given, or the output would replace one.
        """
        if self.file is None or self.output is None or self.text:
            raise ConfigurationError(
                "--output writes the answers beside the rows of a file. Expected --file FILE and no other text. "
                f"Name it, or leave --output out. Received: --file {self.file} and {len(self.text)} texts"
            )
        refuse_outputs(self.file, {"--output": self.output})
        if self.format == "json" and plain_suffix(self.output) not in LINES:
            raise ConfigurationError(
                f"The name of the output states its format. Expected one that ends in {' or '.join(LINES)} for "
                f"JSON. Rename it, or leave --format json out. Received: --output {self.output}"
            )
        found = answer_file(self.file, self.output, self.columns_of_file(columns), answer)
        if found.blank:
            report_done(f"Note: {counted(found.blank, 'row')} without text: kept, without an answer")
        report_done(f"{done} {counted(found.rows - found.blank, 'text')}")
        report_done(f"Wrote {self.output}")

    def columns_of_file(self, columns: Sequence[str] = (TEXT,)) -> tuple[str, ...]:
        """Returns the columns of the file's texts, if it is a table, else none."""
        if self.file is None and self.column:
            raise ConfigurationError(
                "--column names a column of a file. Expected --file FILE. Name it, or leave --column out. Received: "
                f"--column {' '.join(self.column)}"
            )
        if self.file is None or not (self.column or is_table(self.file)):
            return ()
        return self.column or tuple(columns)


def refuse_outputs(given: Path | None, outputs: Mapping[str, Path | None]) -> None:
    """Refuses, before any work, files to write that are something else, or whose folder is not there.

    Raises:
        ConfigurationError: there is such a file.
    """
    taken = {} if given is None else {given.resolve(): "--file"}
    for name, path in outputs.items():
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
