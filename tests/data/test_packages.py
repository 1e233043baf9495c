"""Packages: verified, cached, atomic, whatever the client or the network does."""

import errno
import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from data.packages import Package, PackageError, cache_directory, fetch

ROOT = Path(__file__).parents[2]
FETCH = "from data.packages import Package, fetch; print(fetch(Package('apt', 'greeting', '1.0')))"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def deb(tmp_path: Path) -> Path:
    """A Debian package `greeting` 1.0 with one file."""
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: greeting\nVersion: 1.0\nArchitecture: all\nMaintainer: x <x@y.z>\nDescription: x\n"
    )
    (tree / "usr/share").mkdir(parents=True)
    (tree / "usr/share/hello.txt").write_text("hello")
    path = tmp_path / "greeting_1.0_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, path], check=True, capture_output=True)
    return path


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that puts a shell script on PATH in place of a client; it logs its calls."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def install(name: str, script: str) -> Path:
        log = tmp_path / f"{name}.log"
        (folder / name).write_text(f'#!/bin/sh\necho "$@" >> {log}\n{script}\n')
        (folder / name).chmod(0o755)
        return log

    return install


def leftovers(cache: Path) -> list[str]:
    return [path.name for path in cache.glob("packages/*/*") if path.name != ".lock"]


def test_fetch_unpacks_records_and_downloads_only_once(cache, deb, client):
    log = client("apt-get", f"cp {deb} .")
    package = Package("apt", "greeting", "1.0", hashlib.sha256(deb.read_bytes()).hexdigest())
    folder = fetch(package)
    assert folder == cache / "packages/apt/greeting-1.0"
    assert (folder / "usr/share/hello.txt").read_text() == "hello"
    assert fetch(package) == folder
    assert len(log.read_text().splitlines()) == 1


def test_wrong_checksum_keeps_nothing(cache, deb, client):
    client("apt-get", f"cp {deb} .")
    with pytest.raises(PackageError, match=r"expected sha256 0000.*Received: [0-9a-f]{64}"):
        fetch(Package("apt", "greeting", "1.0", "0000"))
    assert leftovers(cache) == []
    fetch(Package("apt", "greeting", "1.0"))  # and the way is free for a good one


def test_another_apt_version_is_used_and_recorded(cache, deb, client, capfd):
    log = client("apt-get", f"cp {deb} .")
    package = Package("apt", "greeting", "0.9", "0000")
    assert fetch(package).name == "greeting-1.0"
    assert "version 1.0 is used; this code was checked with 0.9" in capfd.readouterr().err
    assert fetch(package).name == "greeting-1.0"
    assert len(log.read_text().splitlines()) == 1


NEEDS_UPDATE = 'if [ "$1" = update ]; then touch {flag}; elif [ -e {flag} ]; then cp {deb} .; else exit 100; fi'


def test_root_updates_empty_package_lists(cache, deb, client, tmp_path, monkeypatch):
    log = client("apt-get", NEEDS_UPDATE.format(flag=tmp_path / "lists", deb=deb))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert (fetch(Package("apt", "greeting", "1.0")) / "usr/share/hello.txt").exists()
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["download", "update", "download"]


def test_user_is_told_to_update_empty_package_lists(cache, deb, client, tmp_path, monkeypatch):
    client("apt-get", NEEDS_UPDATE.format(flag=tmp_path / "lists", deb=deb))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PackageError, match=r"Run `apt-get update` as root.*Received: exit code 100"):
        fetch(Package("apt", "greeting", "1.0"))
    assert leftovers(cache) == []


@pytest.mark.parametrize("manager", ["apt", "npm"])
def test_missing_client_names_the_alternative(cache, monkeypatch, tmp_path, manager):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackageError, match=f"no {manager}.* or use the preset x.*command not found"):
        fetch(Package(manager, "greeting", "1.0", alternative="use the preset x"))


def test_killed_download_leaves_nothing_half_made(cache, deb, client, tmp_path):
    started = tmp_path / "started"
    client("apt-get", f"head -c 100 {deb} > {deb.name}; touch {started}; exec sleep 60")
    process = subprocess.Popen([sys.executable, "-c", FETCH], cwd=ROOT, stderr=subprocess.DEVNULL, process_group=0)
    while not started.exists():
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert all(name.startswith(".partial-") for name in leftovers(cache))

    client("apt-get", f"cp {deb} .")
    assert (fetch(Package("apt", "greeting", "1.0")) / "usr/share/hello.txt").exists()
    assert leftovers(cache) == ["greeting-1.0"]


def test_two_processes_download_once(cache, deb, client):
    log = client("apt-get", f"sleep 0.5; cp {deb} .")
    processes = [
        subprocess.Popen([sys.executable, "-c", FETCH], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in "ab"
    ]
    answers = {process.communicate()[0].strip() for process in processes}
    assert answers == {str(cache / "packages/apt/greeting-1.0")}
    assert len(log.read_text().splitlines()) == 1
    assert leftovers(cache) == ["greeting-1.0"]


def test_pip_downloads_a_wheel_without_installing_it(cache, tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "greeting-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("greeting/hello.txt", "hello")
        wheel.writestr("greeting-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        wheel.writestr("greeting-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("greeting-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert (fetch(Package("pip", "greeting", "1.0")) / "greeting/hello.txt").read_text() == "hello"


def tar_gz(path: Path, name: str) -> Path:
    with tarfile.open(path, "w:gz") as file:
        member = tarfile.TarInfo(name)
        member.size = 5
        file.addfile(member, io.BytesIO(b"hello"))
    return path


def test_npm_package_with_a_scope(cache, client, tmp_path):
    archive = tar_gz(tmp_path / "scope-greeting-1.0.tgz", "package/hello.txt")
    log = client("npm", f"cp {archive} .")
    folder = fetch(Package("npm", "@scope/greeting", "1.0"))
    assert folder == cache / "packages/npm/@scope+greeting-1.0"
    assert (folder / "package/hello.txt").read_text() == "hello"
    assert log.read_text() == "pack @scope/greeting@1.0\n"


@pytest.mark.parametrize("kind", ["tar", "zip", "truncated"])
def test_unsafe_or_damaged_archive_is_refused(cache, client, tmp_path, kind):
    archive = tar_gz(tmp_path / "greeting-1.0.tgz", "../evil.txt")
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("../evil.txt", "hello")
    if kind == "truncated":
        archive.write_bytes(tar_gz(archive, "package/hello.txt").read_bytes()[:60])
    client("npm", f"cp {archive} .")
    with pytest.raises(PackageError, match="nothing was kept"):
        fetch(Package("npm", "greeting", "1.0"))
    assert leftovers(cache) == []
    assert not list(cache.rglob("evil.txt"))


def test_full_disk_is_explained(cache, deb, client, monkeypatch):
    client("apt-get", f"cp {deb} .")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(PackageError, match=r"Free some space.*No space left"):
        fetch(Package("apt", "greeting", "1.0"))
    assert leftovers(cache) == []


def test_cache_directory_default(monkeypatch):
    monkeypatch.delenv("UNROLLED_CACHE", raising=False)
    assert cache_directory() == Path.home() / ".cache/unrolled"
