"""The lock: every direct dependency in one version that its range allows, on every system and Python; and its use."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from snnlib.store.paths import ROOT

LOCK = ROOT / "requirements.lock"
LINES = [line.partition("  #")[0] for line in LOCK.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
EXTRAS = re.search(r"^LOCKED_EXTRAS := (.*)$", MAKEFILE, re.M)[1].split()

systems = pytest.mark.parametrize(
    "system",
    [
        {"sys_platform": system, "platform_machine": machine, "os_name": name, "python_full_version": f"{python}.1",
         "python_version": python, "platform_python_implementation": "CPython", "implementation_name": "cpython"}
        for system, machine, name in (
            ("linux", "x86_64", "posix"), ("linux", "aarch64", "posix"), ("darwin", "arm64", "posix"),
            ("win32", "AMD64", "nt"),
        )
        for python in ("3.11", "3.12", "3.13")
    ],
    ids=lambda system: f"{system['sys_platform']}-{system['platform_machine']}-{system['python_version']}",
)  # fmt: skip


def locked(system: dict[str, str]) -> dict[str, str]:
    """The version of each package on a system; each has one."""
    found: dict[str, str] = {}
    for requirement in map(Requirement, LINES):
        if requirement.marker is None or requirement.marker.evaluate(system):
            (pin,) = requirement.specifier
            assert pin.operator == "=="
            name = canonicalize_name(requirement.name)
            assert name not in found
            found[name] = pin.version
    return found


@systems
def test_every_direct_dependency_is_locked_within_its_range(system: dict[str, str]) -> None:
    versions = locked(system)
    direct = PROJECT["dependencies"] + [r for extra in EXTRAS for r in PROJECT["optional-dependencies"][extra]]
    for requirement in map(Requirement, direct):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), (
            f"{requirement}: make lock"
        )


def test_extras_that_make_installs_are_locked() -> None:
    always = re.search(r"\$\(PIN\) --editable '\.\[(\w.*?)\]'", MAKEFILE)[1].split(",")
    installed = {*always, *re.findall(r"\$\(VENV\)/(\w+)-installed", MAKEFILE)}  # these by one rule for all
    assert {"notebooks", "test", "export", "site", "lock"} <= installed <= {*EXTRAS}


def test_it_names_versions_alone_and_none_of_one_build() -> None:
    assert LOCK.read_text(encoding="utf-8").splitlines()[1].strip() == "#    make lock"
    for line in LINES:
        requirement = Requirement(line)  # no option, such as an index
        assert requirement.url is None
        assert "+" not in str(requirement.specifier)
        assert not re.match("nvidia|cuda|triton", requirement.name)


# --- make LOCKED=1 ---------------------------------------------------------------------------

PYTHON = """#!/bin/sh
case "$*" in
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip "*) echo "$@" >> asked ;;
esac
"""


class Make:
    """The Makefile in a folder of its own, with a Python that notes what pip is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for file in ("Makefile", "pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / file, folder)
        (folder / "python").write_text(PYTHON)
        (folder / "python").chmod(0o755)

    def asked(self, *words: str, target: str = ".venv/installed") -> list[str]:
        """What was installed, and with what options."""
        asked = self.folder / "asked"
        asked.unlink(missing_ok=True)
        variables = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        command = ["make", "--silent", target, f"PYTHON={self.folder / 'python'}", *words]
        subprocess.run(command, cwd=self.folder, env=variables, check=True, stdout=subprocess.DEVNULL)
        lines = asked.read_text().splitlines() if asked.exists() else []
        return [re.sub(r".* --no-compile +", "", line) for line in lines]

    def touch(self, file: str) -> None:
        """As if changed just now, and all else a while ago."""
        for path in (self.folder / name for name in (".venv/installed", ".venv/locked", "pyproject.toml")):
            if path.exists():
                os.utime(path, (1e9, 1e9))
        os.utime(self.folder / "requirements.lock", (1e9, 1e9))
        os.utime(self.folder / file)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    if not shutil.which("make"):
        pytest.skip("no make")
    return Make(tmp_path)


FREE = "--editable .[notebooks,test,export]"
PINNED = f"--constraint requirements.lock {FREE}"


def test_make_installs_from_the_lock_where_asked_to(make: Make) -> None:
    assert make.asked() == [FREE]
    assert make.asked() == []
    assert make.asked("LOCKED=1") == [PINNED]  # other versions than those that are there
    assert make.asked("LOCKED=1") == []
    assert make.asked() == []  # which will do
    make.touch("requirements.lock")
    assert make.asked() == []
    assert make.asked("LOCKED=1") == [PINNED]
    make.touch("pyproject.toml")
    assert make.asked() == [FREE]
    assert make.asked("LOCKED=1") == [PINNED]
    site = make.asked("LOCKED=1", target=".venv/site-installed")
    assert site == ["--constraint requirements.lock --editable .[site]"]


def test_pytorch_comes_from_where_it_is_told(make: Make) -> None:
    first, rest = make.asked("LOCKED=1", "TORCH_INDEX=https://example.org/cpu")
    assert first == "--no-deps --index-url https://example.org/cpu --constraint requirements.lock torch torchvision"
    assert rest == PINNED
