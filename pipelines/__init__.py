"""The four applications, one package each, and the little that they share: the modules of this folder."""

import sys
from pathlib import Path

from pipelines.start import import_tensorflow, refuse_old_command
from unrolled_installation import check_libraries, check_packages

refuse_old_command(sys.orig_argv)
check_packages("models", "data")
check_libraries(
    [
        "babel",
        "h5py",
        "matplotlib",
        "num2words",
        "pydantic",
        "rapidfuzz",
        "rich",
        "scipy",
        "tensorflow_datasets",
        "tensorflow_serving",
        "tyro",
    ],
    *sorted(file.parent.name for file in Path(__file__).parent.glob("*/__init__.py")),
)
import_tensorflow()
