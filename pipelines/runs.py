"""Runs folders: `runs/<pipeline>/<preset>/<time>/` holds all that is needed to use a trained model later."""

import csv
import io
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines import hints
from pipelines.configuration import Configuration, ConfigurationType
from pipelines.run_files import (
    RunError,
    cannot_write,
    replace_atomically,
    take_lock,
    to_json,
    write_text_atomically,
)
from pipelines.versions import versions_here

__all__ = ["Run", "RunError", "cannot_write", "runs_folder", "write_text_atomically"]

HERE = '"{run}/'
"""How a path into the run's own folder begins in its `configuration.json`."""


class Run:
    """One training's folder.

    Attributes:
        folder: where everything is, `<root>/<pipeline>/<preset>/<time>`, the time in UTC.
        pipeline: name of the pipeline, such as `speech`.
        preset: name of the preset, such as `small`.

    >>> import tempfile
    >>> class Model(Configuration):
    ...     units: int = 128
    >>> with tempfile.TemporaryDirectory() as root:
    ...     run = Run.create("speech", "small", Model(units=64), root)
    ...     run.append_history({"epoch": 1, "loss": 2.5})
    ...     run.finish()
    ...     Run.open(run.folder).read_configuration(Model)
    Model(units=64)
    """

    def __init__(self, folder: Path, pipeline: str, preset: str) -> None:
        self.folder = folder
        self.pipeline = pipeline
        self.preset = preset

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @classmethod
    def create(cls, pipeline: str, preset: str, configuration: Configuration, root: Path | str | None = None) -> "Run":
        """Makes a new run folder, whole or not at all, holding `configuration.json` and `versions.json`.

        Args:
            root: folder of all runs; default is the environment variable UNROLLED_RUNS, else `./runs`.

        Raises:
            RunError: if the folder cannot be written.
        """
        parent = (Path(root) if root else runs_folder()) / pipeline / preset
        moment = datetime.now(UTC)
        unfinished = parent / f".{moment:%Y%m%d-%H%M%S-%f}-{os.getpid()}"
        versions: dict[str, Any] = {"pipeline": pipeline, "preset": preset, "started": moment.isoformat()}
        versions |= {"seed": getattr(configuration, "seed", None), **versions_here()}
        try:
            unfinished.mkdir(parents=True)
            cls(unfinished, pipeline, preset).write_configuration(configuration)
            write_text_atomically(unfinished / "versions.json", to_json(versions))
            folder = _move_to_free_name(unfinished, f"{moment:%Y%m%d-%H%M%S}")
        except (OSError, RunError) as error:
            cls(unfinished, pipeline, preset).remove()
            raise cannot_write(parent, error) if isinstance(error, OSError) else error from None
        return cls(folder, pipeline, preset)

    @classmethod
    def open(cls, folder: Path | str) -> "Run":
        """Opens an existing run folder, wherever it was copied to.

        Raises:
            RunError: if the folder is not there, or is not a run folder.
        """
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise RunError(
                f"There is no such folder{', but a file of that name' if path.exists() else ''}. Expected that "
                "of a run, runs/<pipeline>/<preset>/<time>, or, for answers, of an export, exports/<name>. Correct the "
                f"path, or leave it out to take the latest run. Received: {str(folder)!r}"
            )
        path = path.resolve()  # `latest` moves on; an open run does not
        if (path / "saved_model.pb").exists() or any(path.glob("[0-9]*/saved_model.pb")):
            raise RunError(
                "The folder is an export, which can only answer. Expected the folder of a run, "
                f"runs/<pipeline>/<preset>/<time>. Give the run that was exported. Received: {str(folder)!r}"
            )
        if not (path / "versions.json").exists() and (below := cls._below(path)):
            raise RunError(
                f"The folder is not a run, but holds {hints.counted(len(below), 'run')}. Expected one of them. Pass "
                f"its path, such as that of the newest, {below[-1]}. Received: {str(folder)!r}"
            )
        try:
            versions = json.loads((path / "versions.json").read_text(encoding="utf-8"))
            (path / "configuration.json").stat()
            return cls(path, versions["pipeline"], versions["preset"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                "The folder is not a run. Expected configuration.json and versions.json in it. Give a folder that a "
                "training wrote, runs/<pipeline>/<preset>/<time>. "
                f"Received: {str(folder)!r} ({error})"
            ) from error

    @staticmethod
    def _below(folder: Path) -> list[Path]:
        """Returns the folders of runs at most three levels below a folder, the newest last."""
        found = [path.parent for depth in ("*", "*/*", "*/*/*") for path in folder.glob(f"{depth}/versions.json")]
        found = [path for path in found if path.parent.name != "assets.extra" and not path.is_symlink()]
        return sorted(found, key=lambda path: path.name)

    @classmethod
    def latest(cls, pipeline: str, preset: str | None = None) -> "Run":
        """Returns the run that finished last, of one preset or of all.

        Raises:
            RunError: if no run of this pipeline and preset has finished.
        """
        if finished := cls.all_finished(pipeline, preset):
            return finished[-1]
        command = hints.command("train", pipeline, preset or "")
        if any(_runs(pipeline, preset)):
            command += f", with {hints.resume()} to continue one that was stopped"
        raise _no_run("finished", pipeline, preset, command)

    @classmethod
    def all_finished(cls, pipeline: str, preset: str | None = None) -> "list[Run]":
        """Returns the finished runs, of one preset or of all, in the order in which they finished."""
        moments = {run: moment for run in _runs(pipeline, preset) if (moment := run.finished_at)}
        return sorted(moments, key=moments.__getitem__)

    @classmethod
    def newest_unfinished(cls, pipeline: str, preset: str | None = None) -> "Run":
        """Returns, locked, the run of one preset or of all that a resumed training continues.

        It is the one that started last of those that no other process is training; runs with a checkpoint go first.

        Raises:
            RunError: if there is none.
        """
        unfinished = [run for run in _runs(pipeline, None) if not run.finished]
        wanted = [run for run in unfinished if preset in (None, run.preset)]
        wanted.sort(key=lambda run: (run.checkpoint("latest").exists(), run.read_json("versions.json")["started"]))
        for run in reversed(wanted):
            if run._take_lock() and not run.finished:  # another process may have finished it meanwhile
                return run
        if wanted:
            raise wanted[-1]._trained_elsewhere()
        command = f"{hints.command('train', pipeline, preset or '')} (without {hints.resume()})"
        if others := sorted({run.preset for run in unfinished}):
            command += f", or continue a run of another preset, {' or '.join(others)}"
        raise _no_run("unfinished", pipeline, preset, command)

    @property
    def finished(self) -> bool:
        """Whether `finish` was called."""
        return self.finished_at is not None

    @property
    def finished_at(self) -> str | None:
        """When `finish` was called; None before, and where the machine died over it and left a damaged mark."""
        try:
            return str(json.loads((self.folder / "finished.json").read_text(encoding="utf-8"))["finished"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def finish(self) -> None:
        """Mark the run as finished, and let `runs/<pipeline>/latest` point to it."""
        self.write_json("finished.json", {"finished": datetime.now(UTC).isoformat(timespec="microseconds")})
        if self._is_at_home():
            target = Path(self.preset, self.folder.name)
            replace_atomically(self.folder.parent.parent / "latest", lambda temporary: temporary.symlink_to(target))

    def remove(self) -> None:
        """Delete the run, and the folders of its preset and its pipeline where nothing else is in them."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._is_at_home():
            with suppress(OSError):  # not empty
                self.folder.parent.rmdir()
                self.folder.parent.parent.rmdir()

    def _is_at_home(self) -> bool:
        """Whether the run lies in a folder of runs, and is no copy elsewhere."""
        return self.folder.parts[-3:-1] == (self.pipeline, self.preset)

    def lock(self) -> None:
        """Keep other processes from training this run until this process ends, however it ends.

        Raises:
            RunError: if another process is training it.
        """
        if not self._take_lock():
            raise self._trained_elsewhere()

    def checkpoint(self, name: str) -> Path:
        """Returns the path of a checkpoint, `latest` or `best`."""
        return self.folder / "checkpoints" / f"{name}.npz"

    def write_configuration(self, configuration: Configuration) -> None:
        """Writes `configuration.json`; a path into the run's folder is found there wherever the run is moved."""
        self.write_text("configuration.json", configuration.to_json().replace(self._own_path(), HERE))

    def read_configuration(self, kind: type[ConfigurationType]) -> ConfigurationType:
        """Returns the run's configuration as an instance of `kind`, validated again."""
        return kind.from_json(self._read("configuration.json").replace(HERE, self._own_path()))

    def _own_path(self) -> str:
        """Returns how a path into the run's folder begins in JSON."""
        return json.dumps(f"{self.folder}/", ensure_ascii=False)[:-1]

    def write_text(self, name: str, text: str) -> Path:
        """Writes a text file into the run folder, whole or not at all, and returns its path."""
        path = self.folder / name
        write_text_atomically(path, text)
        return path

    def write_json(self, name: str, value: Any) -> Path:
        """Writes a JSON file into the run folder; NumPy values become plain, NaN and infinity null."""
        return self.write_text(name, to_json(value))

    def read_json(self, name: str) -> Any:
        """Returns the content of a JSON file of the run folder.

        Raises:
            RunError: if the file is not there, or is not JSON.
        """
        try:
            return json.loads(self._read(name))
        except ValueError as error:
            raise RunError(
                f"A file of the run is damaged. Expected JSON. Restore {name}, or train again. "
                f"Received: {str(self.folder / name)!r} ({error})"
            ) from error

    def write_timing(self, seconds: float, examples_per_second: float, waiting_share: float) -> None:
        """Writes `timing.json`: the training's wall time, and the share of it spent waiting for input."""
        timing = {"seconds": seconds, "examples_per_second": examples_per_second}
        self.write_json("timing.json", timing | {"waiting_share": waiting_share})

    def append_history(self, row: Mapping[str, Any]) -> None:
        """Adds one epoch to `history.csv`; rows of this and later epochs, left by a kill, are replaced.

        Args:
            row: `epoch`, and whatever was measured in it. New columns may come later.
        """
        if "epoch" not in row:
            raise ValueError(f"A row of the history needs a number under 'epoch'. Received: {dict(row)!r}")
        kept: list[Mapping[str, Any]] = [old for old in self.history() if old["epoch"] < row["epoch"]]
        rows = [*kept, row]
        text = io.StringIO()
        columns = list(dict.fromkeys(name for each in rows for name in each))
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self.write_text("history.csv", text.getvalue())

    def history(self) -> list[dict[str, float]]:
        """Returns the rows of `history.csv`, oldest first, without the values that an epoch lacks."""
        if not (self.folder / "history.csv").exists():
            return []
        rows = csv.DictReader(io.StringIO(self._read("history.csv")))
        return [
            {name: float(value) for name, value in row.items() if value} | {"epoch": int(row["epoch"])} for row in rows
        ]

    def _take_lock(self) -> bool:
        try:
            return take_lock(self.folder)
        except OSError as error:
            raise cannot_write(self.folder / ".lock", error) from error

    def _trained_elsewhere(self) -> RunError:
        return RunError(
            "The run is being trained by another process. Expected one whose training has stopped. Wait for that "
            f"process or stop it, or start a new run, {hints.command('train', self.pipeline, self.preset)} (without "
            f"{hints.resume()}). Received: {str(self.folder)!r}"
        )

    def _read(self, name: str) -> str:
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise RunError(
                f"The run has no {name}. Expected a run that has written it. "
                f"Continue the run, or take another one. Received: {str(self.folder)!r}"
            ) from error


def runs_folder() -> Path:
    """Returns the folder of all runs: the environment variable UNROLLED_RUNS, else `./runs`."""
    return Path(os.environ.get("UNROLLED_RUNS") or "runs")


def _move_to_free_name(folder: Path, name: str) -> Path:
    """Rename `folder` to `name` beside it, or to `name-02` and so on where another run took the name."""
    for number in range(1, 100):
        target = folder.with_name(name if number == 1 else f"{name}-{number:02d}")
        try:
            return folder.rename(target)  # fails if the target is there, for a run folder is never empty
        except OSError:
            if not target.exists():
                raise
    raise FileExistsError(f"a hundred runs started within one second: {target}")


def _runs(pipeline: str, preset: str | None) -> list[Run]:
    folders = (runs_folder() / pipeline).glob(f"{preset or '*'}/[!.]*/versions.json")
    return [Run.open(path.parent) for path in folders]


def _no_run(state: str, pipeline: str, preset: str | None, command: str) -> RunError:
    others = len(_runs(pipeline, preset))
    return RunError(
        f"There is no {state} {pipeline} run{f' of preset {preset}' if preset else ''} yet. Expected one in "
        f"{runs_folder() / pipeline / (preset or '')}. Train one: {command}. "
        f"Received: {f'{others} that are not {state}' if others else 'none'}"
    )
