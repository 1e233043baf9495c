"""The command line: `unrolled COMMAND …`, or `python -m pipelines COMMAND …`."""

import sys

from unrolled_installation import collect_garbage_seldom, lighten_keras, release

COMMANDS = {
    "train": "train a network on a built-in data set or on your own data",
    "evaluate": "evaluate a run and compare it with the baselines",
    "export": "export a run as a SavedModel",
    "results": "print the evaluation of a run as a Markdown table",
    "serve": "serve all exports over HTTP and WebSockets",
    "transcribe": "transcribe recordings",
    "forecast": "forecast the next values of a table",
    "classify": "classify the sentiment of texts",
    "generate": "continue a text",
    "tag": "tag the words of texts, or find their spans",
    "translate": "translate texts",
    "predict-video": "forecast the next frames of a video, or classify its clips",
}
OF_RUNS = ("evaluate", "export", "results")
HELP = ("-h", "--help", "help")
VERSION = ("-V", "--version")


def main() -> None:
    """Runs the command that the process's arguments name."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in HELP:
        print(usage())
    elif arguments[0] in VERSION:
        print(f"unrolled {release()}")
    else:
        lighten_keras()
        collect_garbage_seldom()
        from pipelines import errors  # after the help, which needs none of its libraries

        errors.main(lambda _: run(arguments[0], arguments[1:]))


def run(command: str, arguments: list[str]) -> None:
    """Runs a command.

    Raises:
        ConfigurationError: there is no such command.
    """
    from pipelines import commands
    from pipelines.configuration import ConfigurationError, did_you_mean

    if command not in COMMANDS:
        raise ConfigurationError(
            f"There is no command {command!r}. Expected one of: {', '.join(COMMANDS)}."
            f"{did_you_mean(command, COMMANDS)} Received: {command!r}"
        )
    if command == "serve":
        from serving.main import serve

        serve(arguments)
    elif command == "train":
        from pipelines.train import train

        train(arguments)
    elif command in OF_RUNS:
        getattr(commands, command)(arguments)
    else:
        commands.answer(command, arguments)


def usage() -> str:
    """Returns the list of commands."""
    lines = [f"  {name:<14} {meaning}" for name, meaning in COMMANDS.items()]
    return "\n".join(
        [
            "usage: unrolled COMMAND …",
            "",
            *lines,
            "",
            "`unrolled COMMAND --help` lists the options of a command, `unrolled train TASK --help` the presets and",
            "settings of a task. Exit codes: 0 success, 1 failure of the data or the run, 2 wrong usage or settings,",
            "130 interrupted.",
        ]
    )


if __name__ == "__main__":
    main()
