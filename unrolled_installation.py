"""What an installation must hold: our packages under their own names, and the libraries of each extra."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path

HOME = Path(__file__).resolve().parent


def check_packages(*names: str) -> None:
    """Raises if Python finds another package or module under the name of one of ours.

    A folder without Python files, such as the user's `data/`, hides nothing.

    Args:
        *names: Packages that lie beside this module.

    Raises:
        ImportError: The first of them that is hidden, and what hides it.

    Example:
        >>> check_packages("models", "data", "pipelines")
    """
    for name in names:
        spec = importlib.util.find_spec(name)
        ours = HOME / name / "__init__.py"
        if spec is not None and (spec.origin is None or Path(spec.origin).resolve() != ours):
            found = spec.origin or ", ".join(spec.submodule_search_locations or ())
            raise ImportError(
                f"Another `{name}` hides the package `{name}` of Unrolled. Rename it, or run Python from another "
                f"folder. Expected: {ours.parent}. Received: {found}",
                name=name,
                path=found,
            )


def check_libraries(libraries: Iterable[str], *extras: str) -> None:
    """Raises if a library is not installed, and names the extra that installs it.

    Args:
        libraries: Names as they are imported.
        *extras: The extras of `setup.cfg` that carry all of them; one is enough.

    Raises:
        ModuleNotFoundError: At least one library is missing.

    Example:
        >>> check_libraries(["numpy", "a_missing_library"], "speech")
        Traceback (most recent call last):
        ...
        ModuleNotFoundError: This pipeline needs libraries that are not installed. Install its extra:
        pip install 'unrolled[speech]'. Received: no a_missing_library
    """
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        choice = " or ".join(f"'unrolled[{extra}]'" for extra in extras)
        raise ModuleNotFoundError(
            "This pipeline needs libraries that are not installed. Install its extra: pip install "
            f"{choice}. Received: no {', no '.join(missing)}",
            name=missing[0],
        )
