"""Configurations: frozen, validated schemas, read from presets, the command line and JSON.

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
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args, get_origin, get_type_hints

import pydantic
import tyro
from tyro.constructors import (
    MISSING,
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from pipelines import hints

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
            raise ConfigurationError(_explain(error, type(self))) from None

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
            raise ConfigurationError(_explain(error, cls)) from None


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


def parse_command_line(
    presets: Mapping[str, ConfigurationType], arguments: Sequence[str], program: str, description: str
) -> tuple[str, ConfigurationType]:
    """Reads `[PRESET] [--model.units 256 …]`: the name of the preset and its configuration with the changes.

    Prints the error and ends the process with exit code 2 if the arguments cannot be used.

    Args:
        presets: configurations by name; the first one is the default.
        arguments: the command line without the program, usually `sys.argv[1:]`.
        program: how the command is called, for the help, such as `python -m pipelines.speech.train`.
        description: what the command does, for the help.

    >>> class Model(Configuration):
    ...     units: int = 128
    >>> presets = {"small": Model(), "base": Model(units=256)}
    >>> parse_command_line(presets, ["base", "--units", "64"], "python -m train", "Train a network.")
    ('base', Model(units=64))
    """
    try:
        preset = next(iter(presets))
        if arguments and not arguments[0].startswith("-"):
            preset, arguments = arguments[0], arguments[1:]
        if preset not in presets:
            raise ConfigurationError(
                f"There is no preset {preset!r}. Expected one of: {', '.join(presets)}."
                f"{did_you_mean(preset, presets)} Received: {preset!r}"
            )
        description += f"\n\nPresets: {', '.join(presets)} (default: {next(iter(presets))}). Defaults below: {preset}."
        default = presets[preset]
        return preset, _parse(type(default), default, arguments, f"{program} [PRESET]", description)
    except ConfigurationError as error:
        print(f"Error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def parse_options(
    options: type[ConfigurationType], arguments: Sequence[str], program: str, description: str
) -> ConfigurationType:
    """Reads the command line of a command without presets, such as `--run runs/speech/latest`.

    A field annotated `tyro.conf.Positional[tuple[Path, ...]]` takes the arguments without a name.
    Prints the error and ends the process with exit code 2 if the arguments cannot be used.

    >>> class Options(Configuration):
    ...     beam_width: int = 32
    >>> parse_options(Options, ["--beam_width", "8"], "transcribe", "")
    Options(beam_width=8)
    """
    try:
        return _parse(options, MISSING, arguments, program, description)
    except ConfigurationError as error:
        print(f"Error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def _parse(
    kind: type[ConfigurationType], default: Any, arguments: Sequence[str], program: str, description: str
) -> ConfigurationType:
    given = [each.partition("=")[0].replace("-", "_") for each in takewhile(lambda each: each != "--", arguments)]
    repeated = [name for name, count in Counter(given).items() if name.startswith("__") and count > 1]
    if left := [f"--{name.lstrip('_')}" for name in repeated if name not in ("__workers", "__training.strategy")]:
        # Those two are set again by what starts several workers. tyro would use the last of the others, silently.
        raise ConfigurationError(
            f"{left[0]} is given more than once. Expected it once, with all its values behind it. Leave the others "
            f"out. Received: {' '.join(arguments)}"
        )
    values, unknown = tyro.cli(
        kind,
        default=default,
        args=arguments,
        prog=program,
        description=description,
        registry=_registry,
        return_unknown_args=True,
        use_underscores=True,
    )
    for argument in unknown:
        if argument.startswith("-"):
            name = argument.lstrip("-").partition("=")[0].replace("-", "_")
            takes_texts = any(tyro.conf.Positional in field.metadata for field in kind.model_fields.values())
            as_text = " A text that begins with a dash goes last, after --." * takes_texts
            raise ConfigurationError(f"{_explain_unknown(name, kind)}{as_text} Received: {argument!r}")
    if unknown:
        first = "options" if default is MISSING else "the preset first, then options"
        quoted = "two pairs of quotes, \"'my file'\"," if hints.under_make() else "quotes"
        raise ConfigurationError(
            f"An argument belongs to no option. Expected {first}, in pairs such as --name value. Write the option's "
            f"name before it, or put {quoted} around a value with spaces. Received: {unknown[0]!r}"
        )
    try:
        return kind.model_validate(values)
    except pydantic.ValidationError as error:
        raise ConfigurationError(_explain(error, kind)) from None


# tyro reads the arguments and pydantic alone judges them: tyro builds plain dictionaries and hands on as text
# what is no number and no choice, so that every wrong value is refused in one place, with its dotted path.
_registry = ConstructorRegistry()


@_registry.struct_rule
def _read_configuration(information: StructTypeInfo) -> StructConstructorSpec | None:
    kind, default = information.type, information.default
    if not (isinstance(kind, type) and issubclass(kind, Configuration)):
        return None
    types = get_type_hints(kind, include_extras=True)
    fields = []
    for name, field in kind.model_fields.items():
        if isinstance(default, Configuration):
            value = getattr(default, name)
        else:
            value = MISSING if field.is_required() else field.get_default(call_default_factory=True)
        fields.append(StructFieldSpec(name, _shown(types[name], value), value, field.description))
    return StructConstructorSpec(instantiate=dict, fields=tuple(fields))


def _shown(kind: Any, default: Any) -> Any:
    """Returns the type of a field, marked with how the help shows its values and its default, if it has one."""
    plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    parts = [part for part in get_args(plain) if part not in (type(None), ...)]
    hint: str | None = None  # as tyro shows it
    if default in (None, "", ()):
        hint = ""
    elif type(default) is bool:
        hint = f"(default: {'on' if default else 'off'})"
    name = parts[0].__name__.upper() if len(parts) == 1 and isinstance(parts[0], type) else ""
    metavar = (f"{name} ..." if get_origin(plain) is tuple else name) if name else None
    return Annotated[kind, tyro.conf.arg(metavar=metavar, help_behavior_hint=hint)]


@_registry.primitive_rule
def _read_value(information: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    kind: Any = information.type
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    if kind not in (int, float) and not (choices and all(isinstance(choice, str) for choice in choices)):
        return None

    def read(arguments: list[str]) -> Any:
        try:
            return arguments[0] if choices else kind(arguments[0])
        except ValueError:
            return arguments[0]

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="{" + ",".join(choices) + "}" if choices else kind.__name__.upper(),
        instance_from_str=read,
        is_instance=lambda value: value in choices if choices else type(value) is kind,
        str_from_instance=lambda value: [str(value)],
    )


def _explain(error: pydantic.ValidationError, kind: type[Configuration]) -> str:
    """Say of each error where it is, what was expected, what to write instead, and what was received."""
    lines = []
    for detail in error.errors(include_url=False):
        path = ".".join(str(part) for part in detail["loc"])
        message = detail["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        for theirs, ours in OUR_WORDS:
            message = message.replace(theirs, ours)
        received = " ".join(reprlib.repr(detail["input"]).split())  # in one line, even of a data frame
        if detail["type"] == "extra_forbidden":
            lines.append(f"{_explain_unknown(path, kind)} Received: {path} = {received}")
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


def _explain_unknown(path: str, kind: type[Configuration]) -> str:
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
