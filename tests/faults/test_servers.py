"""JupyterLab, as `make lab` starts it, keeps its token, and a notebook opens its kernel's five ports alone."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = "127.0.0.1"

pytestmark = pytest.mark.faults


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Without anything that the user of this machine set up for Jupyter."""
    mine = {f"JUPYTER_{kind}_DIR": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    mine |= {"SNNLIB_RUNS": str(tmp_path / "runs"), "SNNLIB_FIGURES": str(tmp_path / "figures"), "TQDM_DISABLE": "1"}
    return {**{k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}, **mine}


def until(probe: Callable[[], Any], seconds: float, why: Callable[[], str]) -> Any:
    """What the probe gives once it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (found := probe()) is not None:
            return found
        time.sleep(0.1)
    raise AssertionError(why())


def listening(root: psutil.Process) -> Iterator[tuple[str, int]]:
    """Addresses and ports at which a process and its descendants wait for TCP connections."""
    with suppress(psutil.NoSuchProcess):
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                for connection in process.net_connections("tcp"):
                    if connection.status == psutil.CONN_LISTEN:
                        yield connection.laddr.ip, connection.laddr.port


# --- JupyterLab ------------------------------------------------------------------------------


def lab_command() -> list[str]:
    """What `make lab` runs."""
    dry = ["make", "--no-print-directory", "--dry-run", "lab", f"BIN={Path(sys.executable).parent}"]
    printed = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return shlex.split(printed.splitlines()[-1])


def status(url: str, **headers: str) -> int | None:
    """The HTTP status; None if nobody answers."""
    try:
        with build_opener(ProxyHandler({})).open(Request(url, headers=headers)) as answer:
            return answer.status
    except HTTPError as error:
        return error.code
    except URLError:
        return None


def test_jupyterlab_lets_nobody_in_without_its_token(
    tmp_path: Path, environment: dict[str, str], record_property
) -> None:
    with socket.socket() as free:
        free.bind((HERE, 0))
        port = free.getsockname()[1]
    command = [*lab_command(), "--no-browser", "--port", str(port), "--ServerApp.port_retries=0"]
    command += ["--allow-root"] if os.geteuid() == 0 else []
    log, url = tmp_path / "log", f"http://{HERE}:{port}"
    with open(log, "wb") as stream:
        lab = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.STDOUT)
    try:
        until(lambda: status(f"{url}/api/contents"), 120, log.read_text)
        told = until(lambda: re.search(rf":{port}/lab\S*\?token=([0-9a-f]+)", log.read_text()), 60, log.read_text)
        attempts = [
            status(f"{url}/api/{what}{query}", **headers)
            for what in ("contents", "kernels", "sessions", "terminals", "contents/fig7_potential_dynamics.ipynb")
            for query, headers in (
                ("", {}),
                ("?token=", {}),
                ("", {"Authorization": "token "}),
                ("", {"Authorization": f"token {told[1][::-1]}"}),
            )
        ]
        welcome = status(f"{url}/api/contents", Authorization=f"token {told[1]}")
        places = set(listening(psutil.Process(lab.pid)))
    finally:
        lab.terminate()
        lab.wait(60)
    record_property("fault", ["a request to JupyterLab without its token", len(attempts), attempts.count(403)])
    assert set(attempts) == {403}
    assert welcome == 200
    assert (HERE, port) in places
    assert {ip for ip, _ in places} <= {HERE, "::1"}


# --- a notebook's kernel ---------------------------------------------------------------------


def arranged_ports(root: psutil.Process) -> set[int]:
    """The five ports that were arranged with the kernel among the descendants; none if there is no kernel."""
    with suppress(psutil.Error, OSError, ValueError):
        for process in root.children(recursive=True):
            found = re.search(r"ipykernel_launcher -f (\S+\.json)", " ".join(process.cmdline()))
            if found:
                arranged = json.loads(Path(found[1]).read_text())
                return {value for key, value in arranged.items() if key.endswith("_port")}
    return set()


def execute(notebook: Path, environment: dict[str, str], out: Path) -> tuple[set[tuple[str, int]], set[int], int]:
    """Execute a notebook: where its processes listened meanwhile, the ports arranged, how often that was looked at."""
    command = [sys.executable, "-m", "papermill", str(notebook), str(out), "--no-progress-bar"]
    log = out.with_suffix(".log")
    with open(log, "wb") as stream:
        papermill = subprocess.Popen(
            command, cwd=ROOT / "notebooks", env=environment, stdout=stream, stderr=subprocess.STDOUT
        )
    root = psutil.Process(papermill.pid)
    seen, arranged, looks = set(), set(), 0
    while papermill.poll() is None:
        seen |= set(listening(root))
        arranged |= arranged_ports(root)
        looks += 1
        time.sleep(0.05)
    assert papermill.returncode == 0, log.read_text()
    assert len(arranged) == 5
    assert looks > 10
    return seen, arranged, looks


def test_a_notebook_opens_no_port_beyond_its_kernels(
    tmp_path: Path, environment: dict[str, str], record_property
) -> None:
    notebook = ROOT / "notebooks" / "fig7_potential_dynamics.ipynb"  # which trains nothing
    # Beside the five, ipykernel opens one that its own child processes print through: an idle kernel shows it.
    cell = {"cell_type": "code", "id": "idle", "metadata": {}, "outputs": [], "execution_count": None}
    cell["source"] = "import time; time.sleep(1)"
    idle = {**json.loads(notebook.read_text(encoding="utf-8")), "cells": [cell]}
    (tmp_path / "idle.ipynb").write_text(json.dumps(idle), encoding="utf-8")
    beside, arranged, _ = execute(tmp_path / "idle.ipynb", environment, tmp_path / "idle_done.ipynb")
    own = len(beside) - len(arranged)

    seen, arranged, looks = execute(notebook, environment, tmp_path / "done.ipynb")
    strange = len(seen) - len(arranged) - own + len({place for place in seen if place[0] != HERE})
    record_property("fault", ["a look for a port that a notebook opens", looks, looks if strange == 0 else 0])
    assert own <= 1
    assert {ip for ip, _ in seen} == {HERE}
    assert arranged <= {port for _, port in seen}
    assert len(seen) == len(arranged) + own
    assert not (tmp_path / "runs").exists()
