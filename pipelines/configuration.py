"""Configurations: frozen, validated schemas, read from presets, the command line (`pipelines.command_line`) and JSON.

The description of a field is its help text on the command line::

    class ModelConfiguration(Configuration):
        units: int = Field(128, ge=1, description="width of each recurrent layer")

`Field(False, exclude=True)` declares an option of one command that is not part of the experiment, such as `resume`. It
is not written into the run folder.
"""

import difflib
import json
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeAlias, TypeVar

import pydantic

OUR_WORDS = (
    ("input should be ", "expected "),
    ("expected greater than or equal to ", "expected at least "),
    ("expected less than or equal to ", "expected at most "),
    ("expected greater than ", "expected more than "),
    ("a valid integer", "a whole number"),
    ("a valid ", "a "),
    ("a dictionary", "a dictionary of settings"),
    ("a boolean", "True or False"),
    ("string should have ", "expected a string of "),
)
"""Phrases of pydantic's messages, and those of ours."""


_BUCKET = re.compile(r"(gs|s3|s3a|hdfs|abfss?)://?\S+$")  # a Path has one stroke only


def _one_or_several(value: Any) -> Any:
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(value) if isinstance(value, list) else value


Names: TypeAlias = Annotated[tuple[str, ...], pydantic.BeforeValidator(_one_or_several)]
"""A setting of names, of which one may be given alone; "" is none."""


class ConfigurationError(ValueError):
    """A configuration or a command line that cannot be used; the message names what to write instead."""


class Configuration(pydantic.BaseModel):
    """Base of all configurations: frozen, of exact types (an int serves as a float), without unknown keys.

    Raises:
        ConfigurationError: for an unknown key, a wrong type or a value out of range, naming the dotted path.

    >>> class Model(Configuration):
    ...     units: int = pydantic.Field(128, ge=1)
    >>> Model(units=0)
    Traceback (most recent call last):
    ...
    pipelines.configuration.ConfigurationError: units: expected at least 1. ...
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    RENAMED: ClassVar[Mapping[str, str]] = {}
    """Settings of 0.1 and their new names: old runs are read with them; a command line is refused with the new name."""

    BEFORE: ClassVar[Mapping[str, Any]] = {}
    """What settings that 0.1 did not have are in its runs, where that is not their default."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except pydantic.ValidationError as error:
            raise ConfigurationError(explain(error, type(self))) from None

    # Without this mark pydantic calls __init__ for nested configurations too, and the path is lost.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @pydantic.model_validator(mode="after")
    def _files_are_mounted(self) -> Self:
        for name, value in self:
            if isinstance(value, str | Path) and (bucket := _BUCKET.match(str(value))):
                raise ValueError(
                    f"{name}: {bucket[1]}:// is no folder here. Expected a path on this machine. Mount the bucket (gs: "
                    f"gcsfuse; s3: mountpoint-s3), or copy the files. Received: {str(value)!r}"
                )
        return self

    def replace(self, **changes: Any) -> Self:
        """Returns a copy with some values changed; a dictionary changes only the named keys of a nested part.

        >>> class Model(Configuration):
        ...     units: int = 128
        ...     layers: int = 2
        >>> class Speech(Configuration):
        ...     model: Model = Model()
        >>> Speech().replace(model={"units": 256})
        Speech(model=Model(units=256, layers=2))
        """
        return type(self)(**_changed(self, changes))

    def to_json(self) -> str:
        """Returns the configuration as JSON text that `from_json` reads back."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Returns the configuration that `to_json` wrote, in this version or the one before.

        Raises:
            ConfigurationError: `text` is not JSON, or does not fit the schema.

        Example:
            >>> class Network(Configuration):
            ...     RENAMED = {"width": "units"}
            ...     units: int = 128
            >>> Network.from_json('{"width": 64}')
            Network(units=64)
        """
        try:
            return cls.model_validate_json(json.dumps(_with_new_names(json.loads(text), cls)))
        except json.JSONDecodeError as error:
            raise ConfigurationError(
                f"The text is not JSON: {error}. Write the file again. Received: {reprlib.repr(text)}"
            ) from None
        except pydantic.ValidationError as error:
            raise ConfigurationError(explain(error, cls)) from None


ConfigurationType = TypeVar("ConfigurationType", bound=Configuration)


def _changed(configuration: Configuration, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the changed values of a configuration; a changed part is a dictionary, so that errors name the path."""
    values = dict(configuration)
    for name, change in changes.items():
        part = values.get(name)
        if isinstance(part, Configuration) and isinstance(change, Mapping):
            change = _changed(part, change)
        values[name] = change
    return values


def explain(error: pydantic.ValidationError, kind: type[Configuration]) -> str:
    """Returns of each error where it is, what was expected, what to write instead, and what was received."""
    lines = []
    for detail in error.errors(include_url=False):
        path = ".".join(str(part) for part in detail["loc"])
        message = detail["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        for theirs, ours in OUR_WORDS:
            message = message.replace(theirs, ours)
        received = " ".join(reprlib.repr(detail["input"]).split())  # in one line, even of a data frame
        if detail["type"] == "extra_forbidden":
            lines.append(f"{explain_unknown(path, kind)} Received: {path} = {received}")
        elif detail["type"] == "missing":
            lines.append(f"{path}: expected a value, for there is no default. Give {path}. Received: nothing")
        elif detail["type"] == "value_error" and "Received: " in detail["msg"]:  # of several settings, and complete
            lines.append(detail["msg"].removeprefix("Value error, "))
        elif detail["type"] == "json_invalid":
            lines.append(f"The text is not JSON: {message}. Write the file again. Received: {received}")
        else:
            choices = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
            fix = did_you_mean(str(detail["input"]), choices) or f" Change {path or 'it'}."
            lines.append(f"{path or 'The settings'}: {message}.{fix} Received: {received}")
    return "\n".join(lines)


def _with_new_names(values: Any, kind: type[Configuration]) -> Any:
    """Returns the values of a configuration with the names that its settings have now, and what was before them."""
    if not isinstance(values, dict):
        return values
    renamed = dict(kind.BEFORE) | {kind.RENAMED.get(name, name): value for name, value in values.items()}
    return {
        name: _with_new_names(value, part) if (part := _part(kind, name)) else value for name, value in renamed.items()
    }


def _part(kind: type[Configuration], name: str) -> type[Configuration] | None:
    """Returns the configuration that is nested in `kind` under a name."""
    annotation = kind.model_fields[name].annotation if name in kind.model_fields else None
    return annotation if isinstance(annotation, type) and issubclass(annotation, Configuration) else None


def _new_name(path: str, kind: type[Configuration]) -> str | None:
    """Returns the name that a setting of 0.1 has now; None if it never was one."""
    first, _, rest = path.partition(".")
    if not rest:
        return kind.RENAMED.get(first)
    first = kind.RENAMED.get(first, first)
    part = _part(kind, first)
    new = _new_name(rest, part) if part else None
    return f"{first}.{new}" if new else None


def explain_unknown(path: str, kind: type[Configuration]) -> str:
    """Returns the message that `path` is not a setting of `kind`, with all names and the nearest one."""
    if new := _new_name(path, kind):
        return f"The setting {path!r} has a new name. Expected {new!r}. Write {new!r} instead."
    settings = list(_settings(kind))
    parent, _, name = path.rpartition(".")
    siblings = [setting for setting in settings if setting.rpartition(".")[0] == parent]
    siblings = siblings or [setting for setting in settings if "." not in setting]
    elsewhere = [setting for setting in settings if setting.endswith(f".{name}")]
    suggestion = f" Did you mean {elsewhere[0]!r}?" if elsewhere else did_you_mean(path, settings)
    return f"There is no setting {path!r}. Expected one of: {', '.join(siblings)}.{suggestion}"


def _settings(kind: type[Configuration], prefix: str = "") -> Iterator[str]:
    """Yields the dotted names of all settings of a configuration, nested ones included."""
    for name in kind.model_fields:
        yield prefix + name
        if part := _part(kind, name):
            yield from _settings(part, f"{prefix}{name}.")


def did_you_mean(received: str, names: Iterable[str]) -> str:
    """Returns a sentence with the nearest of `names`, or nothing if none is near."""
    by_letters = {name.casefold(): name for name in names}
    nearest = difflib.get_close_matches(received.casefold(), list(by_letters), n=1, cutoff=0.5)
    return f" Did you mean {by_letters[nearest[0]]!r}?" if nearest else ""
