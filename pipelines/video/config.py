"""Presets of the video pipeline, those of all its tasks."""

from pipelines.tasks import TaskCommand
from pipelines.video.classification import config as classification
from pipelines.video.future import config as future

PRESETS: dict[str, TaskCommand] = {**future.PRESETS, **classification.PRESETS}
"""Named configurations, the default first. The tasks' own `config.py` say what each is."""
