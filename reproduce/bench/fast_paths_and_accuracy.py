"""Does what makes training fast change what is learned? Accuracy with and without each, on the embedded images.

    python -m reproduce.bench.fast_paths_and_accuracy [--seeds N]

Nets are trained as in the preset smoke: with noise that is drawn in place of the tape; in bfloat16, whose potentials
are rounded; and with compiled neurons. Test accuracy after the last epoch at T = 1, and converted at T = 10, in
percent: mean and standard deviation over training seeds. Nothing is stored.
"""

from __future__ import annotations

import argparse
from unittest.mock import patch

import pandas as pd
import torch

from reproduce.runs.preset import load_preset
from reproduce.runs.run import build_for
from snnlib.data.sets import load_dataset
from snnlib.fast import noise_tape as tape
from snnlib.training.loop import initial_state, train_epochs

WAYS = {
    "as in smoke: float32, tape": ({}, tape.SHORT),
    "noise drawn": ({}, 2**62),
    "bfloat16": ({"precision": "bfloat16"}, tape.SHORT),
    "bfloat16, compiled": ({"precision": "bfloat16", "compile": True}, tape.SHORT),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)
    spec = load_preset("smoke").runs("method")[0].spec
    data = load_dataset(spec.dataset)
    rows = []
    for way, (options, short) in WAYS.items():
        recipe = spec.recipe.model_copy(update={**options, "evaluate_every": spec.recipe.epochs})
        for seed in seeds:
            model = build_for(spec.model_copy(update={"seed": seed}))
            with patch.object(tape, "SHORT", short), recipe.execution():
                state = train_epochs(initial_state(model, data, recipe), data, recipe, seed=seed)
            last = state.history[-1]
            rows.append((way, 100 * last["test_accuracy_t1"], 100 * last["test_accuracy"]))
    table = pd.DataFrame(rows, columns=["way", "T = 1", "T = 10"]).groupby("way", sort=False).agg(["mean", "std"])
    print(f"{spec.label}, {len(seeds)} training seeds, torch {torch.__version__}")
    print(table.round(2).to_string())


if __name__ == "__main__":
    main()
