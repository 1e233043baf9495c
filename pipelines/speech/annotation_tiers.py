"""What annotation tools write of a recording, in tiers: TextGrid (Praat, forced aligners) and EAF (ELAN)."""

import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pipelines.speech.audio_files import SpeechDataError
from pipelines.subtitles import Cue

_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<!\S)(-?\d\S*)(?!\S)')  # all that counts in a TextGrid, long or short
_SILENCES = {"sil", "sp", "silent", "silence", "<sil>", "<silence>", "<eps>", "<p>", "<p:>", "#", "-"}
_UNKNOWN = {"spn", "<spn>", "<unk>", "<oov>", "<usb>", "sounding"}  # speech that nobody could understand
_SOUNDS = re.compile(r"phone|\bmau|segments", re.IGNORECASE)  # names of tiers
_WORDS = re.compile(r"\bwords?\b|\bort", re.IGNORECASE)


class Tier(NamedTuple):
    """A tier: its name, often the speaker's; whether its pieces are single words; and the pieces.

    Silences that have a name, as aligners write them, are left out. A word that is not known has no text.
    """

    name: str
    of_words: bool
    cues: list[Cue]


def tiers_of(content: str, ending: str, where: str) -> list[Tier]:
    """Returns the tiers of speech: none of sounds, and those of single words only if there are no others.

    Args:
        content: of the file.
        ending: of its name, one of `READERS`.
        where: its name, for messages.

    Raises:
        SpeechDataError: the file is damaged.
    """
    try:
        read = [
            (name, [cue._replace(text=known_word(cue.text)) for cue in cues if not is_silence(cue.text)])
            for name, cues in READERS[ending](content)
        ]
        found = [Tier(name, bool(_WORDS.search(name)), cues) for name, cues in read if any(cue.text for cue in cues)]
    except (ElementTree.ParseError, IndexError, KeyError, TypeError, ValueError) as error:
        raise SpeechDataError(
            f"{where} cannot be read. Expected a whole file of Praat (TextGrid) or ELAN (EAF). Save it again. "
            f"Received: {type(error).__name__} {error}"
        ) from None
    spoken = [tier for tier in found if not _SOUNDS.search(tier.name)]
    return [tier for tier in spoken if not tier.of_words] or spoken


def is_silence(text: str) -> bool:
    """Returns whether a text stands for a silence, as aligners write it."""
    return text.lower() in _SILENCES


def known_word(text: str) -> str:
    """Returns a text, "" if it stands for a word that nobody could understand."""
    return "" if text.lower() in _UNKNOWN else text


def _text_grid(content: str) -> Iterator[tuple[str, list[Cue]]]:
    tokens = [float(number) if number else text.replace('""', '"') for text, number in _TOKEN.findall(content)]
    place = 5  # behind two names, begin, end and the number of tiers
    for _ in range(int(tokens[4])):
        kind, name, _, _, size = tokens[place : place + 5]
        place, width = place + 5, 3 if kind == "IntervalTier" else 2  # begin, end, text; or a point and its mark
        rows = [tokens[start : start + width] for start in range(place, place + width * int(size), width)]
        place += width * int(size)
        if kind == "IntervalTier":
            cues = [Cue(float(begin), float(end), str(text).strip()) for begin, end, text in rows]
            yield str(name), [cue for cue in cues if cue.text]


def _eaf(content: str) -> Iterator[tuple[str, list[Cue]]]:
    root = ElementTree.fromstring(content)
    slots = {slot.get("TIME_SLOT_ID"): float(slot.get("TIME_VALUE", "nan")) / 1000 for slot in root.iter("TIME_SLOT")}
    for tier in root.iter("TIER"):
        if tier.get("PARENT_REF"):  # says something about another tier
            continue
        cues: list[Cue] = []
        for each in tier.iter("ALIGNABLE_ANNOTATION"):
            begin, end = slots[each.get("TIME_SLOT_REF1")], slots[each.get("TIME_SLOT_REF2")]
            cue = Cue(begin, end, "".join(each.itertext()).strip())
            if cues and math.isnan(begin + cues[-1].end):  # nobody has set the time between them
                cue = Cue(cues[-1].start, end, f"{cues.pop().text} {cue.text}".strip())
            cues.append(cue)
        name = tier.get("PARTICIPANT") or tier.get("TIER_ID") or ""
        yield name, [cue for cue in cues if cue.text and cue.end > cue.start]


READERS: dict[str, Callable[[str], Iterator[tuple[str, list[Cue]]]]] = {".textgrid": _text_grid, ".eaf": _eaf}
"""What reads a file, by the ending of its name in small letters."""
