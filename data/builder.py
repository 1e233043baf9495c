"""What every builder of a data set has in common: the folder that it is prepared in, and how it is described."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from data.packages import cache_directory


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A TFDS builder whose data set is prepared in our cache directory unless `data_dir` names another folder.

    Args:
        data_dir: The folder. None: `tensorflow_datasets` in our cache directory.
        arguments: Of `tfds.core.GeneratorBasedBuilder`, such as `config`.
    """

    def __init__(self, *, data_dir: str | Path | None = None, **arguments: Any):
        super().__init__(data_dir=data_dir or cache_directory() / "tensorflow_datasets", **arguments)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # packages have their own verified cache
        return self._splits()

    def _splits(self) -> dict[str, Any]:
        """Returns the examples of each split, as `_generate_examples` yields them."""
        raise NotImplementedError

    def info_of(self, features: Mapping[str, Any], **about: Any) -> tfds.core.DatasetInfo:
        """Returns the `DatasetInfo` of the data set.

        Args:
            features: Of an example, by name.
            about: Description, homepage, citation, license, and other arguments of `DatasetInfo`.
        """
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features), **about)
