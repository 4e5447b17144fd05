"""Train, evaluate and publish the runs of deep.toml, in its order: `python data/deep/run.py PART PARTS`.

What is here is not done again, what was begun goes on. Beside the preset's evaluation a net that was trained with noise
has steps 2 and 3, the exact memory, and T = 1 without noise.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.environ["SNNLIB_PRETRAINED"] = str(HERE)

from reproduce.batch.pretrained import USUAL, publish  # noqa: E402
from reproduce.batch.train import train_runs  # noqa: E402
from reproduce.runs.preset import load_preset  # noqa: E402
from reproduce.runs.results import accuracy  # noqa: E402

preset = load_preset(str(HERE / "deep.toml"))
part, parts = map(int, sys.argv[1:])
left = [run for run in preset.all_runs().values() if not (HERE.parent / "pretrained" / run.spec.name).is_dir()]
for run in left[part::parts]:
    train_runs([run], preset)
    if run.spec.noisy and not run.spec.hold_out:
        for evaluation in (*USUAL, USUAL[0].at_mean):
            accuracy(run, evaluation)
    publish(run)
    print(run.spec.name, flush=True)
