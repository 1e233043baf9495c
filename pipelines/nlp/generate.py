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
from pipelines.runs import Run, RunError
from pipelines.tasks import latest_run, task_of

TASK, PRESET = "language_model", "language-model"


class GenerationOptions(SamplingConfiguration):
    """Options of the command."""

    prompt: Annotated[tuple[str, ...], tyro.conf.Positional] = Field((), description="what the text begins with")
    run: Path | None = Field(None, description="folder of the run; by default the language model that finished last")
    beam: int = Field(0, ge=0, le=64, description="look for the most probable text with so many candidates; 0: draw")


def main(arguments: list[str]) -> None:
    options = parse_options(GenerationOptions, arguments, "python -m pipelines.nlp.generate", __doc__ or "")
    if options.beam and (options.top_k or options.repetition_penalty != 1):
        raise ConfigurationError(
            "A beam looks for the most probable text and draws nothing. Leave out --beam, or --top_k and "
            f"--repetition_penalty. Received: --beam {options.beam}"
        )
    run = latest_run("nlp", TASK, PRESET) if options.run is None else Run.open(options.run)
    if task_of(run) != TASK:
        raise RunError(
            f"The run is no language model. Expected one of the task language_model: make train-nlp PRESET={PRESET}. "
            f"Received: {str(run.folder)!r}, task {task_of(run)}"
        )
    model, subwords = load_language_model(run)
    prompt = " ".join(options.prompt)
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
