"""Command lines: options that change a configuration, as `--network.units 64` does, and their help.

tyro reads the arguments and pydantic alone judges them: tyro builds plain dictionaries and hands on as text what is no
number and no choice, so that every wrong value is refused in one place, with its dotted path.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

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
from pipelines.configuration import (
    Configuration,
    ConfigurationError,
    ConfigurationType,
    did_you_mean,
    explain,
    explain_unknown,
)

_registry = ConstructorRegistry()


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
            raise ConfigurationError(f"{explain_unknown(name, kind)}{as_text} Received: {argument!r}")
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
        raise ConfigurationError(explain(error, kind)) from None


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
