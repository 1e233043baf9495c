"""Short phrases of the kind that telephones and menus speak, composed from a few word lists."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from num2words import num2words

from data.splits import stable_fraction
from data.transcripts import normalise


def _listed(words: str) -> list[str]:
    return words.split(",")


WEEKDAYS = _listed("Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday")
MONTHS = _listed("January,February,March,April,May,June,July,August,September,October,November,December")
SPELLING_WORDS = _listed(
    "alpha,bravo,charlie,delta,echo,foxtrot,golf,hotel,india,juliet,kilo,lima,mike,november,oscar,papa,quebec,"
    "romeo,sierra,tango,uniform,victor,whiskey,x-ray,yankee,zulu"
)
SYMBOLS = _listed(
    "pound,star,hash,plus,minus,equals,dash,slash,dot,comma,colon,semicolon,percent,ampersand,tilde,underscore,"
    "open bracket,close bracket,question mark,exclamation mark,at sign,dollar sign,quotation mark,space"
)
UNITS = _listed("seconds,minutes,hours,days,weeks,dollars,cents,messages,calls,callers,users,people")
VERBS = _listed(
    "hear,delete,save,change,record,forward,cancel,review,transfer,lock,unlock,mute,decrease,increase,erase,skip,"
    "repeat,accept,reject,answer"
)
THINGS = _listed(
    "message,call,greeting,recording,password,extension,conference,mailbox,volume,number,directory,line,name,"
    "folder,account,code,channel,appointment,order,invoice"
)
PLACES = _listed("sales,billing,support,reception,the office,the manager,the warehouse,an agent,the help desk,bookings")
STATES = _listed("busy,ready,locked,full,open,closed,active,empty,saved,not available,invalid,complete,in use")
TIMES = ("at", "until", "before", "after")
MINUTES = ("A M", "P M", "thirty", "fifteen", "forty five", "o'clock")
COMMANDS = ("press", "dial", "enter", "choose", "say")
WHICH = ("this", "the", "your", "another", "that")
BEINGS = ("is", "is now", "was", "is currently", "will be")
REQUESTS = ("enter", "say", "record", "check", "choose", "spell")
ENDINGS = ("", " now", ", then press pound", " after the tone", " and hang up")
KEYS = ("star", "pound")
KINDS = ("new", "old", "urgent", "saved", "missed")

Choice = TypeVar("Choice")


def compose_phrases(count: int) -> list[str]:
    """Return `count` phrases; the first ones are the same for every count, in every run.

    >>> compose_phrases(3) == compose_phrases(5)[:3]
    True
    """
    return [_compose(index) for index in range(count)]


def _compose(index: int) -> str:
    draws = 0

    def fraction() -> float:
        nonlocal draws
        draws += 1
        return stable_fraction(f"phrase {index} {draws}")

    def choose(options: Sequence[Choice]) -> Choice:
        return options[int(fraction() * len(options))]

    def number(limit: int, least: int = 0, ordinal: bool = False) -> str:
        # Every order of magnitude is equally likely: small numbers are spoken most.
        value = least - 1 + int((limit - least + 1) ** fraction())
        return normalise(num2words(value, to="ordinal" if ordinal else "cardinal", lang="en"), "en")

    def letter() -> str:
        return choose("ABCDEFGHIJKLMNOPQRSTUVWXYZ")

    def times(least: int, most: int) -> range:
        return range(least + int((most - least + 1) * fraction()))

    def digit() -> str:
        return number(10)

    templates: list[Callable[[], str]] = [
        lambda: number(100),
        lambda: number(10_000),
        lambda: number(100, least=1, ordinal=True),
        lambda: " ".join(digit() for _ in times(2, 7)),
        letter,
        lambda: " ".join(letter() for _ in times(2, 4)),
        lambda: choose(SPELLING_WORDS),
        lambda: " ".join(choose(SPELLING_WORDS) for _ in times(2, 4)),
        lambda: choose(SYMBOLS),
        lambda: choose(WEEKDAYS + MONTHS),
        lambda: f"{choose(WEEKDAYS)}, {choose(MONTHS)} {number(32, least=1, ordinal=True)}",
        lambda: f"{choose(TIMES)} {number(13, least=1)} {choose(MINUTES)}",
        lambda: f"{number(1000)} {choose(UNITS)}",
        lambda: choose(VERBS + THINGS + STATES + UNITS),
        lambda: f"{choose(COMMANDS)} {digit()}",
        lambda: f"{choose(COMMANDS)} {digit()} to {choose(VERBS)} {choose(WHICH)} {choose(THINGS)}.",
        lambda: f"To {choose(VERBS)} {choose(WHICH)} {choose(THINGS)}, press {choose((digit(), *KEYS))}.",
        lambda: f"For {choose(PLACES)}, press {digit()}, or stay on the line.",
        lambda: f"The {choose(THINGS)} {choose(BEINGS)} {choose(STATES)}.",
        lambda: f"Please {choose(REQUESTS)} {choose(WHICH)} {choose(THINGS)}{choose(ENDINGS)}.",
        lambda: f"You have {number(100)} {choose(KINDS)} {choose(THINGS)}s.",
    ]
    return choose(templates)()
