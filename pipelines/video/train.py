"""Trains a network of the video pipeline: `python -m pipelines.video.train [PRESET] [--training.epochs 3 …]`."""

from pipelines import commands, tasks
from pipelines.video.config import PRESETS


def main(arguments: list[str]) -> None:
    tasks.train("video", PRESETS, arguments, __doc__ or "")


if __name__ == "__main__":
    commands.main(main)
