"""How a command ends: errors that a user can fix are messages, the others tracebacks, each with its exit code."""

import os
import re
import select
import sys
import traceback
from collections.abc import Callable

from pipelines.configuration import ConfigurationError

OURS = ("pipelines", "data", "models", "serving", "unrolled", "unrolled_installation")
_OUR_ERROR_IN_A_GRAPH = re.compile(
    # TensorFlow puts the traceback of Python code that a graph has run into its own error's message.
    rf"^(?:{'|'.join(OURS)})\.[\w.]+: (?P<message>.+?)(?=\n\s*\n|\n\s*\[\[|\Z)",
    re.MULTILINE | re.DOTALL,
)
# AutoGraph does so where a graph is made: the lines of code, the last of which raised, then the error.
_OUR_ERROR_IN_USER_CODE = re.compile(
    rf'^in user code:\n.*File "[^"\n]*\b(?:{"|".join(OURS)})\b[^"\n]*", (?:(?!File ").)*\n    \w+: '
    r"(?P<message>.+Received: .*)$",
    re.DOTALL,
)

# What `pipelines.served.required` refuses, in the words of TensorFlow's assertion.
_REFUSED_BY_A_GRAPH = re.compile(
    r"assertion failed: \[(?P<message>.*?)\] (?P<received>\[.*?\])(?=\n|\s*\[\[|$)", re.DOTALL
)


def main(command: Callable[[list[str]], None]) -> None:
    """Runs a command with the process's arguments; an error that a user can fix is a message, not a traceback.

    It exits with 2 for wrong usage or settings, with 1 for what else fails, and with 130 if the user stops it.
    """
    try:
        command(sys.argv[1:])
    except KeyboardInterrupt as stopped:
        print(" ".join(["\nStopped.", *stopped.args]), file=sys.stderr)
        raise SystemExit(130) from None
    except (Exception, SystemExit) as error:
        if reader_has_left(error):
            raise SystemExit(141) from None  # as of programs that SIGPIPE ends: the command may be half done
        if isinstance(error, SystemExit):
            raise
        message = message_for_user(error)
        if message is None:
            raise
        print(f"Error: {message}", file=sys.stderr)
        raise SystemExit(2 if isinstance(error, ConfigurationError) else 1) from None


def reader_has_left(error: BaseException) -> bool:
    """Whether an error tells that nobody reads standard output any more; what remains to be written is dropped."""
    if isinstance(error, SystemExit):
        return isinstance(error.__context__, BrokenPipeError)  # rich has dropped it
    if not isinstance(error, BrokenPipeError):
        return False
    output = select.poll()
    output.register(sys.stdout.fileno(), select.POLLOUT)
    has_left = any(event & select.POLLERR for _, event in output.poll(0))  # else another pipe is broken
    if has_left:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return has_left


def refused_by_graph(error: Exception) -> str | None:
    """Returns what a graph that `pipelines.served.required` guards refused, in its author's words; None: nothing.

    Example:
        >>> refused_by_graph(ValueError("assertion failed: [x: expected 1. Received:] [2]"))
        'x: expected 1. Received: [2]'
    """
    found = _REFUSED_BY_A_GRAPH.search(str(error))
    return f"{found['message']} {found['received']}" if found else None


def message_for_user(error: Exception) -> str | None:
    """Returns what to tell the user; None for an error in the program, which needs its traceback.

    For the user are: errors of our own classes; any error that our code raised with a message that ends as all
    of ours do, with `Received: …`; both also from within a TensorFlow graph; and what the operating system
    refuses, such as a full disk or a folder without permission.

    Example:
        >>> from pipelines.configuration import ConfigurationError
        >>> message_for_user(ConfigurationError("Give one. Received: none"))
        'Give one. Received: none'
        >>> message_for_user(ValueError("math domain error")) is None
        True
    """
    message = str(error)
    if found := _OUR_ERROR_IN_USER_CODE.search(message):
        return found["message"].strip()
    if type(error).__module__.partition(".")[0] in OURS:
        return message
    if isinstance(error, OSError):
        return (
            f"{message}. Expected a file or folder that can be read or written, and room on the disk. Make room, or "
            f"correct the path or its permissions, then type the command again. Received: {type(error).__name__}"
        )
    if found := _OUR_ERROR_IN_A_GRAPH.search(message):
        return found["message"].strip()
    raised_in = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    is_ours = bool(raised_in) and raised_in[-1].partition(".")[0] in OURS
    return message if is_ours and "Received: " in message else None
