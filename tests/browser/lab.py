"""JupyterLab as a process, with nothing of the user's: settings, kernels and notebooks in a folder of its own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

START, STOP = 120, 60  # seconds
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # else only cells on the screen are in the page
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},  # else it asks, over the page
}


@dataclass(frozen=True)
class Lab:
    """Where a server listens, and the folder that it shows."""

    url: str
    token: str
    root: Path

    def address(self, notebook: str) -> str:
        """Of a notebook in a workspace of its own, in which nothing else is open."""
        return f"{self.url}lab/workspaces/{Path(notebook).stem}/tree/{notebook}?token={self.token}"


def _environment(folder: Path) -> dict[str, str]:
    """Kernels find runs and published nets where they lie, and write figures beside the server's own files."""
    own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"IPYTHONDIR": str(folder / "ipython"), "SNNLIB_FIGURES": str(folder / "figures"), "TQDM_DISABLE": "1"}
    return {k: v for k, v in os.environ.items() if k != "SNNLIB_PRETRAINED"} | own


@contextmanager
def served(root: Path, folder: Path) -> Iterator[Lab]:
    """A server on ``root``, whose own files go to ``folder``; it ends with its kernels."""
    for name, values in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    token = secrets.token_hex()
    options = {
        "LabApp.expose_app_in_browser": True,
        "LabApp.user_settings_dir": folder / "settings",
        "LabApp.workspaces_dir": folder / "workspaces",
        "ServerApp.root_dir": root,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,  # containers
        "ServerApp.port": 0,
        "IdentityProvider.token": token,
    }
    command = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=_environment(folder), stdout=log, stderr=subprocess.STDOUT)
        try:
            yield Lab(_url(process, folder), token, root)
        finally:
            process.terminate()
            process.wait(STOP)


def _url(process: subprocess.Popen[bytes], folder: Path) -> str:
    """What the server writes down once it listens."""
    until = time.monotonic() + START
    while process.poll() is None and time.monotonic() < until:
        for file in (folder / "runtime").glob("jpserver-*.json"):
            with suppress(json.JSONDecodeError):  # half written
                return json.loads(file.read_text(encoding="utf-8"))["url"]
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab does not start:\n{(folder / 'log').read_text(encoding='utf-8')}")
