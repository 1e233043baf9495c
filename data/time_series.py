"""What every data set of time series here has in common: its features, and the folder that it is prepared in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from data.builder import Builder
from data.packages import Package


class Measurements(NamedTuple):
    """One series as its source has it, gaps and all: times in seconds since 1970 UTC, values (time, columns)."""

    name: str
    times: np.ndarray
    values: np.ndarray


class TimeSeries(Builder, skip_registration=True):  # type: ignore[call-arg]
    """A TFDS builder of time series, prepared in our cache directory unless `data_dir` names another.

    An example is one whole series: `name`, `times` (int64 [time], seconds since 1970 UTC, ascending) and `values`
    (float64 [time, columns], NaN where missing). `info.metadata["columns"]` names the columns. There is one split,
    `series`: series are split by time, which is the loader's matter.
    """

    def series_info(self, columns: tuple[str, ...], **about: Any) -> tfds.core.DatasetInfo:
        """Returns the `DatasetInfo` of time series.

        Args:
            columns: Names of the columns, in their order.
            about: Description, homepage, citation and license.
        """
        features = {
            "name": tfds.features.Text(),
            "times": tfds.features.Tensor(shape=(None,), dtype=np.int64, encoding=tfds.features.Encoding.BYTES),
            "values": tfds.features.Tensor(
                shape=(None, len(columns)), dtype=np.float64, encoding=tfds.features.Encoding.BYTES
            ),
        }
        return self.info_of(features, metadata=tfds.core.MetadataDict(columns=list(columns)), **about)

    def _generate_examples(self, measurements: list[Measurements]) -> Iterator[tuple[str, dict[str, Any]]]:
        for series in measurements:
            yield series.name, series._asdict()


def locate(folder: Path, package: Package, file_name: str) -> Path:
    """Returns the file of that name in an unpacked package, wherever the package puts it."""
    found = sorted(folder.rglob(file_name))
    if len(found) != 1:
        raise FileNotFoundError(
            f"The package {package.name} should hold one {file_name}. Remove {folder} and try again. "
            f"Received: {len(found)} files of that name"
        )
    return found[0]
