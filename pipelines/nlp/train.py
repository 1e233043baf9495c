"""Trains a network of the NLP pipeline: `python -m pipelines.nlp.train [PRESET] [--training.epochs 3 …]`."""

from pipelines import commands, tasks
from pipelines.nlp.config import PRESETS


def main(arguments: list[str]) -> None:
    tasks.train("nlp", PRESETS, arguments, __doc__ or "")


if __name__ == "__main__":
    commands.main(main)
