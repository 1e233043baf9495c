"""Transcripts of the user's own recordings: normalised by their language, with a report of every change."""

import unicodedata
from collections import Counter
from typing import Any, Literal, NamedTuple

from data.languages import language_code
from data.spoken_text import KEPT, MIXED, NUMBERED, REMOVED, REPLACED, SPELLED, Change, spoken_text
from pipelines.hints import listed_problems
from pipelines.speech.audio_files import SpeechDataError

TRANSCRIPTS = "transcripts.json"  # the report of a run
EXAMPLES = 5  # of each kind of change on the screen
MAXIMUM_RECORDED = 1000  # different changes of each kind in the file

Normalisation = Literal["spoken", "punctuated", "off"]


class Problem(NamedTuple):
    """A transcript that cannot be spoken with certainty: where it stands, what of it, why, and the whole."""

    row: str
    written: str
    reason: str
    text: str


class Transcripts:
    """Normalises the transcripts of a list of recordings, and counts what it changes.

    Args:
        language: any name of a language; see `data.languages`. "": unknown, so that digits cannot be spoken.
        normalisation: "spoken": as `data.spoken_text` does; "punctuated": likewise, with case and punctuation; "off":
            as they are, in Unicode NFC, with single spaces.

    >>> transcripts = Transcripts("en")
    >>> transcripts.normalise("It costs 5€!", "list.csv, line 1")
    'it costs five euros'
    >>> transcripts.lines()
    ['Transcripts (en): 1 normalised.', '  spelled out: 1 (“5€” → “five euros”)']
    """

    def __init__(self, language: str = "", normalisation: Normalisation = "spoken") -> None:
        self.language, self.normalisation = language_code(language), normalisation
        self.problems: list[Problem] = []
        self.rows = 0
        self._changes: Counter[Change] = Counter()
        self._contexts: dict[Change, str] = {}  # the first of each

    def normalise(self, text: str, row: str) -> str:
        """Returns a transcript as it is learned; "" if it cannot be spoken with certainty, which `problems` tells."""
        self.rows += 1
        if self.normalisation == "off":
            text = " ".join(unicodedata.normalize("NFC", text).replace("\ufeff", "").split())
            self._record([Change(KEPT, character, context=text) for character in text if not _is_letter(character)])
            return text
        spoken = spoken_text(text, self.language, self.normalisation == "punctuated")
        self._record(spoken.changes)
        self.problems += [Problem(row, written, reason, text) for written, reason in spoken.problems]
        return "" if spoken.problems else spoken.text

    def refuse_problems(self, skip: bool = False) -> None:
        """Refuses transcripts that cannot be spoken with certainty, by row.

        Args:
            skip: leave them out instead; they are empty.

        Raises:
            SpeechDataError: without `skip`, there are some.
        """
        rows = len({problem.row for problem in self.problems})
        if not rows or skip:
            return
        language = "" if self.language else " Name their language: --data.language en."
        named = listed_problems(
            [(each.row, f"“{each.written}”, {each.reason}, in “{each.text}”") for each in self.problems]
        )
        raise SpeechDataError(
            f"{rows} of {self.rows} transcripts hold what cannot be spoken with certainty. Expected words.{language} "
            "Write them as they are said, leave those recordings out (--data.skip_unlearnable), or take all "
            f"transcripts as they are (--data.normalisation off).{named}\nReceived: "
            + ", ".join(f"“{written}”{_times(count)}" for written, count in self._written_problems()[:EXAMPLES])
        )

    def report(self) -> dict[str, Any]:
        """Returns the counts of all changes by kind, most frequent first, in the types that JSON has."""
        changes: dict[str, list[dict[str, Any]]] = {}
        for change, count in self._changes.most_common():
            of_kind = changes.setdefault(change.kind, [])
            if len(of_kind) < MAXIMUM_RECORDED:
                example = {"context": self._contexts[change]} if self._contexts[change] else {}
                of_kind.append({"written": change.written, "spoken": change.spoken, "count": count, **example})
        return {
            "language": self.language,
            "normalisation": self.normalisation,
            "transcripts": self.rows,
            "changes": changes,
            "left_out": [problem._asdict() for problem in self.problems[:MAXIMUM_RECORDED]],
        }

    def lines(self) -> list[str]:
        """Returns the report for the screen: each kind of change with its count and a few examples."""
        how = "taken as they are" if self.normalisation == "off" else "normalised"
        how += " with case and punctuation" if self.normalisation == "punctuated" else ""
        lines = [f"Transcripts ({self.language or 'of an unknown language'}): {self.rows} {how}."]
        for kind in (SPELLED, NUMBERED, REPLACED, REMOVED, KEPT, MIXED):
            found = [(change, count) for change, count in self._changes.most_common() if change.kind == kind]
            if found:
                total = sum(count for _, count in found)
                shown = ", ".join(self._shown(change, count) for change, count in found[:EXAMPLES])
                lines.append(f"  {kind}: {total} ({shown}{', …' if len(found) > EXAMPLES else ''})")
        if self.problems:
            named = ", ".join(f"“{written}”{_times(count)}" for written, count in self._written_problems()[:EXAMPLES])
            rows = len({problem.row for problem in self.problems})
            lines.append(f"  left out, not to be spoken with certainty: {rows} ({named})")
        return lines

    def _record(self, changes: list[Change]) -> None:
        for change in changes:
            counted = change._replace(context="")
            self._changes[counted] += 1
            self._contexts.setdefault(counted, change.context)

    def _shown(self, change: Change, count: int) -> str:
        spoken = f" → “{change.spoken}”" if change.spoken else ""
        context = f", as in “{self._contexts[change]}”" if self._contexts[change] else ""
        return f"“{change.written}”{spoken}{_times(count) if count > 1 else ''}{context}"

    def _written_problems(self) -> list[tuple[str, int]]:
        return Counter(problem.written for problem in self.problems).most_common()


def normalised(text: str, language: str | Transcripts, row: str) -> str:
    """Returns a transcript as it is learned.

    Args:
        text: as it is written.
        language: any name of a language, or what counts the changes of a whole list and refuses them together.
        row: where it stands, for messages.

    Raises:
        SpeechDataError: with a name of a language, the transcript cannot be spoken with certainty.
    """
    if isinstance(language, Transcripts):
        return language.normalise(text, row)
    transcripts = Transcripts(language)
    spoken = transcripts.normalise(text, row)
    for problem in transcripts.problems:
        raise SpeechDataError(
            f"{row}: “{problem.written}” cannot be spoken with certainty: {problem.reason}. Write it as it is said, "
            f"and name the language. Received: {text!r}"
        )
    return spoken


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LM" or character in " '\u200c\u200d"


def _times(count: int) -> str:
    return f" {count} times" if count > 1 else " once"
