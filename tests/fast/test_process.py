"""What the first import that computes does to the process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# Halves of the smallest normal numbers, one for each thread's share of a tensor that is large enough to be shared.
DENORMALS = """
import torch

torch.set_num_threads(4)
normal = torch.full((2**20,), 2.0**-126)


def denormal() -> int:
    return int(((normal * 0.5) != 0).sum())


before = denormal()
import snnlib.noise
print(before, denormal())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only there are threads ended that have begun")
def test_denormals_are_flushed_in_threads_that_ran_before_it_too() -> None:
    environment = {**os.environ, "SNNLIB_KEEP_PROCESS": "0"}
    command = [sys.executable, "-c", DENORMALS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(2**20), "0"]
