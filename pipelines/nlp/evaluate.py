"""Evaluates a trained network beside the baselines: `python -m pipelines.nlp.evaluate [--run FOLDER]`."""

from pipelines import commands, tasks


def main(arguments: list[str]) -> None:
    tasks.call("nlp", "evaluate", arguments)


if __name__ == "__main__":
    commands.main(main)
