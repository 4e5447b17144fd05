"""One of the processes that train a run together: ``python -m snnlib.runs.rank SPEC LABEL DEVICE``, by torchrun."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed.elastic.multiprocessing.errors import record

from snnlib.fast.process import usable
from snnlib.runs.run import Run, train
from snnlib.runs.spec import Spec
from snnlib.training.ranks import Rank

PATIENCE = timedelta(hours=6)  # of ranks that wait for the leading one, which tests the net for all


@record
def main(spec: str, label: str, kind: str) -> None:
    """Train this rank's part."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whatever is interrupted is the one that started this
    threading.Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    run = Run(Spec.model_validate_json(spec), label=label)
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
