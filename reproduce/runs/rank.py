"""One of the processes that train a run together: ``python -m reproduce.runs.rank PARENT SPEC LABEL DEVICE``.

torchrun starts it (`reproduce.runs.launch`). What ends it is told by its parent, in one line: it leaves it in a file.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
import traceback
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed.elastic.multiprocessing.errors import get_error_handler

from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from reproduce.runs.trained import train
from snnlib.checks import OneLine
from snnlib.fast.process import usable
from snnlib.training.ranks import Rank

PATIENCE = timedelta(hours=6)  # of ranks that wait for the leading one, which tests the net for all


def main(parent: str, spec: str, label: str, kind: str) -> None:
    """Train this rank's part."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whatever is interrupted is the one that started this
    threading.Thread(target=_end_with, args=[int(parent)], daemon=True).start()
    errors = get_error_handler()
    errors.initialize()
    try:
        _train(Run(Spec.model_validate_json(spec), label=label), kind)
    except Exception as error:
        if not isinstance(error, OneLine | RuntimeError | OSError):  # a slip in this code, and no lost connection
            traceback.print_exc()
        errors.record_exception(error)
        os._exit(1)  # without the traceback that Python prints, and without waiting for the others


def _train(run: Run, kind: str) -> None:
    rank = Rank(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("snnlib").setLevel(logging.INFO if rank.leads else logging.ERROR)
    device = usable("cpu" if kind == "cpu" else f"{kind}:{os.environ['LOCAL_RANK']}")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("gloo" if kind == "cpu" else "nccl", timeout=PATIENCE)
    train(run, device, rank)
    dist.destroy_process_group()


def _end_with(parent: int) -> None:
    """The run's lock is the parent's, and ends with it: so must whoever writes there."""
    while os.getppid() == parent:
        time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
