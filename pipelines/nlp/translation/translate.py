"""Translates texts, or the rows of a file.

Everything after `--` is text, even if it begins with a dash: `unrolled translate --run FOLDER -- "- Who?"`.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from data.files import plain_suffix
from pipelines import commands, hints
from pipelines.configuration import ConfigurationError
from pipelines.hints import counted, listed
from pipelines.json_lines import LINES
from pipelines.nlp.answered_files import WRITTEN
from pipelines.nlp.given_texts import TextOptions, refuse_outputs

if TYPE_CHECKING:
    from pipelines.nlp.translation.predictor import Predictor, Translation


class Options(TextOptions):
    """Options of the translation."""

    keep: tuple[str, ...] = Field((), description="terms that stay as they are")
    placeholders: bool = Field(
        True, description="placeholders, tags, addresses, paths and numbers of two digits or more stay as they are"
    )
    scores: bool = Field(False, description="print the score before each translation (JSON always has it)")
    attention: Path | None = Field(
        None, description="file for a picture of the attention for the first text, such as attention.png"
    )
    beam_width: int = Field(0, ge=0, description="hypotheses kept at each step; 0: as in the configuration")
    n_best: int = Field(
        1,
        ge=1,
        description="different translations of each text, the best first, behind its number and their scores",
    )


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Prints the translation of each text, or writes them into a file."""
    from pipelines.nlp.translation.predictor import EXAMPLE  # and TensorFlow, which --help does without

    is_table = options.output is not None and plain_suffix(options.output) in set(WRITTEN) - set(LINES)
    if options.output is not None and (options.columns_of_file() or (options.file and is_table)):
        answer_rows(options, load)
        return
    if is_table:
        raise ConfigurationError(
            "Texts are answered a line each, and no table is made of them. Expected --output to end in .txt or .jsonl. "
            f"Rename it, or give a file, --file. Received: {options.output}"
        )
    texts = options.texts(hints.answer(*EXAMPLE))
    refuse_outputs(options.file, {"--output": options.output, "--attention": options.attention})
    predictor = load()
    if options.n_best > 1:
        width, kept = options.beam_width or None, (list(options.keep), options.placeholders)
        found = predictor.alternatives_all(texts, options.n_best, width, *kept)
    else:
        found = [[each] for each in translated(texts, options, predictor)]
    lines = lines_of(texts, found, options)
    _report_unused(set(options.keep) - _used(options.keep, texts))
    written = []
    if options.output is not None:
        options.output.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        written.append(str(options.output))
    else:
        print("\n".join(lines))
    if options.attention is not None:
        from pipelines import plots
        from pipelines.nlp.translation.report import attention_picture

        plots.save(attention_picture(predictor.attention(texts[0], found[0][0].text)), options.attention)
        written.append(str(options.attention))
    commands.report_done(f"Translated {counted(len(texts), 'text')}")
    if written:
        commands.report_done(f"Wrote {', '.join(written)}")


def translated(texts: Sequence[str], options: Options, predictor: "Predictor") -> "list[Translation]":
    """Returns the translation of each text as the options want it."""
    return predictor.translate_all(texts, options.beam_width or None, options.keep, options.placeholders)


def answer_rows(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Writes the rows of a table with their translations.

    Raises:
        ConfigurationError: more is asked for than such a file holds.
    """
    if options.n_best > 1 or options.attention is not None:
        raise ConfigurationError(
            "A table gets one translation for each row, and no picture. Expected neither --n_best nor --attention. "
            f"Leave them out, or give lines. Received: --n_best {options.n_best}, --attention {options.attention}"
        )

    unused = set(options.keep)

    def added(texts: list[str]) -> list[dict[str, object]]:
        unused.difference_update(_used(unused, texts))
        found = translated(texts, options, predictor)
        return [{"translation": each.text, "score": round(each.score, 4)} for each in found]

    predictor = load()
    options.answer_rows(added, "Translated")
    _report_unused(unused)


def _used(terms: Iterable[str], texts: Sequence[str]) -> set[str]:
    """Returns the terms to keep that some text holds."""
    from pipelines.nlp.translation.kept import plain, to_keep

    read = [plain(text) for text in texts]
    return {term for term in terms if any(to_keep(text, [plain(term)], False) for text in read)}


def _report_unused(terms: set[str]) -> None:
    if terms:
        commands.report_done(f"Note: no text holds these terms to keep, as whole words: {listed(sorted(terms))}")


def lines_of(texts: Sequence[str], found: "Sequence[Sequence[Translation]]", options: Options) -> list[str]:
    """Returns a line for each translation, in the format that the options name; JSON has one for each text.

    Of several translations, each line begins with the number of its text, from 1.
    """
    if options.format == "json" or (options.output is not None and plain_suffix(options.output) in LINES):
        return [json.dumps(_object(text, each), ensure_ascii=False) for text, each in zip(texts, found, strict=True)]
    if options.n_best > 1:
        numbered = [(number, each) for number, several in enumerate(found, 1) for each in several]
        return [f"{number}\t{each.score:.2f}\t{each.text}" for number, each in numbered]
    return [f"{each.score:.2f}\t{each.text}" if options.scores else each.text for each, *_ in found]


def _object(text: str, found: "Sequence[Translation]") -> dict[str, object]:
    best = {"source": text, "translation": found[0].text, "score": found[0].score}
    others = [{"translation": each.text, "score": each.score} for each in found[1:]]
    return {**best, "alternatives": others} if others else best
