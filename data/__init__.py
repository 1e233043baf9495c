"""The data sets, one TensorFlow Datasets builder each, with its licence, source, splits and checksums; users' files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from data.packages import exclusive_lock

if TYPE_CHECKING:  # slow to import; a caller with a builder has imported it already
    import tensorflow_datasets as tfds

    Builder = TypeVar("Builder", bound=tfds.core.DatasetBuilder)


def prepare(builder: Builder) -> Builder:
    """Returns the builder with its data set downloaded and prepared, ready for `as_dataset`.

    The prepared folder appears at once and whole; a second process that wants the same data set waits
    for the first.

    Args:
        builder: Any TFDS builder, ours or public.
    """
    folder = Path(builder.data_path)
    with exclusive_lock(folder.parent / f".{folder.name}.lock"):
        if folder.exists():  # maybe prepared by another process since the builder was made
            builder.info.read_from_directory(folder)
        else:
            for abandoned in folder.parent.glob(f"{folder.name}.incomplete*"):  # of a killed process
                shutil.rmtree(abandoned, ignore_errors=True)
            builder.download_and_prepare()
    return builder
