"""Commands as a user starts them: a process each, with a terminal of some encoding and limits that a shell may set."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys

from snnlib.store.paths import ROOT


def begin(*words: str, memory: int | None = None, encoding: str = "utf-8") -> subprocess.Popen[str]:
    """Python with these words; ``memory``: bytes that it may map."""

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where tests run in the background
        if memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    return subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, preexec_fn=prepare, env={**os.environ, "PYTHONIOENCODING": encoding},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding=encoding,
    )  # fmt: skip
