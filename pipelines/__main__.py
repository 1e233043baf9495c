"""The command line: `unrolled COMMAND …`, or `python -m pipelines COMMAND …`."""

import sys

COMMANDS = {
    "train": "train a network on embedded data or on your own",
    "evaluate": "evaluate a run beside the baselines",
    "export": "write a run as a SavedModel for a server",
    "results": "print the evaluation of a run as a Markdown table",
    "serve": "answer requests for every export, over HTTP and WebSockets",
    "transcribe": "print the words of recordings",
    "forecast": "print what comes after a table",
    "classify": "print the sentiment of texts",
    "generate": "continue a text",
    "tag": "print the words of texts with their tags, or the spans",
    "translate": "print the translation of texts",
    "predict-video": "write the frames that come next, or print what a clip shows",
}
OF_RUNS = ("train", "evaluate", "export", "results")
HELP = ("-h", "--help")


def main() -> None:
    """Runs the command that the process's arguments name."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in HELP:
        print(usage())
        return
    from pipelines import commands  # after the help, which should not wait for TensorFlow

    commands.main(lambda _: run(arguments[0], arguments[1:]))


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
            "unrolled train TASK --help lists presets and settings; unrolled COMMAND --help lists the options.",
        ]
    )


if __name__ == "__main__":
    main()
