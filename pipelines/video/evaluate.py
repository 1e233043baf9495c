"""Evaluates a trained network beside the baselines: `python -m pipelines.video.evaluate [--run FOLDER]`."""

from pipelines import commands, tasks


def main(arguments: list[str]) -> None:
    tasks.call("video", "evaluate", arguments)


if __name__ == "__main__":
    commands.main(main)
