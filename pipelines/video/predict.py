"""Says what comes next in a video, or what it shows: `python -m pipelines.video.predict VIDEO [--run FOLDER]`."""

from pipelines import commands, tasks


def main(arguments: list[str]) -> None:
    tasks.call("video", "predict", arguments)


if __name__ == "__main__":
    commands.main(main)
