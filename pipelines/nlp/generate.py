"""Goes on with a prompt: `python -m pipelines.nlp.generate "In the beginning" [--run FOLDER] [--temperature 0.8 …]`."""

from pathlib import Path
from typing import Annotated

import tyro
from pydantic import Field

from pipelines import commands
from pipelines.configuration import ConfigurationError, parse_options
from pipelines.nlp.language_model.generation import search, stream
from pipelines.nlp.language_model.sampling import SamplingConfiguration
from pipelines.nlp.language_model.trained import load_language_model
from pipelines.nlp.texts import refuse_undecodable
from pipelines.tasks import open_run


class GenerationOptions(SamplingConfiguration):
    """Options of the command."""

    prompt: Annotated[tuple[str, ...], tyro.conf.Positional] = Field((), description="what the text begins with")
    run: Path | None = Field(None, description="folder of the run; by default the language model that finished last")
    beam: int = Field(0, ge=0, le=64, description="look for the most probable text with so many candidates; 0: draw")


def drawing_options(options: SamplingConfiguration) -> list[str]:
    """Returns the options that steer what is drawn, of those that are not as by default."""
    default = SamplingConfiguration(length=options.length)
    return [f"--{name}" for name, value in default if getattr(options, name) != value]


def main(arguments: list[str]) -> None:
    options = parse_options(GenerationOptions, arguments, "python -m pipelines.nlp.generate", __doc__ or "")
    if options.beam and (drawing := drawing_options(options)):
        raise ConfigurationError(
            f"A beam looks for the most probable text and draws nothing. Leave out --beam, or {', '.join(drawing)}. "
            f"Received: --beam {options.beam} and {', '.join(drawing)}"
        )
    prompt = " ".join(options.prompt)
    refuse_undecodable([prompt])
    model, subwords = load_language_model(open_run("nlp", "language_model", "language-model", options.run))
    print(prompt, end="", flush=True)
    if options.beam:
        best, _ = search(model, subwords, prompt, options.length, options.beam)[0]
        print(best, end="")
    else:
        for text in stream(model, subwords, prompt, options):
            print(text, end="", flush=True)
    print()


if __name__ == "__main__":
    commands.main(main)
