"""Exports a trained network as a SavedModel: `python -m pipelines.nlp.export [--run FOLDER]`."""

from pipelines import commands, tasks


def main(arguments: list[str]) -> None:
    tasks.call("nlp", "export", arguments)


if __name__ == "__main__":
    commands.main(main)
