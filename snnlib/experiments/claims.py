"""The paper's claims, each with the test that decides it from the CSV files of the figures, and the verdicts.

The tests are in `claims_accuracy`, `claims_training` and `claims_inference`; `claims_tables` reads the files,
`claims_evidence` makes a verdict of numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from snnlib.experiments import claims_accuracy as accuracy
from snnlib.experiments.evidence import ERRORS, HALF, Finding
from snnlib.experiments.fig3_4_training_time import claims as training
from snnlib.experiments.paper import TABLE2_OURS, TRAINING_TIME
from snnlib.experiments.table2_inference_time import claims as inference
from snnlib.experiments.tables import NotTestedError, Tables
from snnlib.experiments.titles import TITLES

RULE = (
    f"An effect counts in a network if its mean over training seeds clears the threshold by {ERRORS} standard errors, "
    "and fails there if the mean misses it by as many.",
    "Where a factor or saving is claimed, half of it counts in part, and to fail is to miss that half.",
    "One seed is never enough for either, but where seeds change nothing: memory, and potentials without input.",
    "reproduced: it counts in every network",
    "not reproduced: it fails in a network, and counts in none, not even in part",
    "undecided: no network shows that it counts, in part or that it fails",
    "partly: anything between",
)
COLUMNS = ["id", "claim", "section", "quote", "test", "tables", "scale", "paper", "measured", "verdict"]


@dataclass(frozen=True)
class Claim:
    """What the paper says (``quote``, its words), what decides it (``test``, the words of ``decide``)."""

    id: str
    claim: str
    section: str
    quote: str
    test: str
    paper: str  # its value, where it prints one
    tables: tuple[str, ...]
    decide: Callable[[Tables], Finding]


FIG2, FIG3, FIG4, COST = (
    "fig2_accuracy_vs_timesteps", "fig3_training_speed", "fig4_time_to_accuracy", "fig4_training_cost",
)  # fmt: skip
TABLE2, SPEEDUP = "table2_accuracy_vs_timesteps", "table2_speedup"
_HUNDRED = (
    f"{{}} until the opponent comes within {inference.WITHIN:g} points of ours: more than {inference.CLAIMED:g} times "
    f"ours, at T = 5 and at 10; its best variant and our better readout count; partly above "
    f"{HALF * inference.CLAIMED:g}; {{}}"
)
_SPREAD = "by two deviations over repetitions, ours timed as the preset evaluates it"
_SEEDS = "in the opponent's quickest seed too, or its slowest to fail"


def _saving(dataset: str, network: str, quote: str) -> Claim:
    printed = TRAINING_TIME[dataset, network]
    claimed = 100 * printed["saving"]
    least = claimed - training.SLACK
    return Claim(
        f"saves_{network}",
        f"{claimed:.0f} % less training time, {TITLES[dataset]}/{TITLES[network]}",
        "3.2, Fig. 4",
        quote,
        f"steps until the benchmark accuracy, times the seconds of a step, whatever {TITLES[network]}'s data here: "
        f"over {least:.0f} % less than direct training (T = 10) with the same seed; partly above {HALF * least:g} %",
        f"{claimed:.0f} % ({printed['ours_seconds']:,} of {printed['direct_seconds']:,} s)",
        (FIG4,),
        partial(training.saving, network=network, claimed=claimed),
    )


def _table2(dataset: str, quote: str) -> Claim:
    five, ten = TABLE2_OURS[dataset].values()
    return Claim(
        f"table2_{dataset}",
        f"accuracy of Table 2, {TITLES[dataset]}",
        "3.2, Table 2",
        quote,
        f"at the paper's data set and width, T = 5 and 10: error at most {inference.LIKE_PAPER:g} times the paper's, "
        f"partly up to {inference.NEAR_PAPER:g}; the better of our readouts and networks, as the paper does not say "
        "which it printed",
        f"{five} and {ten} %",
        (TABLE2,),
        partial(inference.table2_accuracy, dataset=dataset),
    )


CLAIMS = (
    Claim(
        "rises", "accuracy rises from T = 1 to 5 to 10", "3.1, Fig. 2",
        "as T increases, the accuracy of the SNN improves dramatically",
        "accuracy at T = 5 above T = 1, and at T = 10 above T = 5",
        "5 to 10: +0.03 to +0.25", (FIG2,), accuracy.rises,
    ),
    Claim(
        "lossless", "conversion from step 2 to 3 is lossless", "abstract; 3.3",
        "then convert the single-step SNN to a multi-step SNN losslessly … "
        "The conversion from step 2 to step 3 has minor accuracy gap",
        f"at T = 10, accuracy at α = 4 less than {accuracy.LOSSLESS:g} points below that at α = ∞",
        "no loss", ("fig5_alpha",), accuracy.lossless,
    ),
    _saving(
        "fashion_mnist", "cnn",
        "on FashionMNIST our method takes only 135s to reach the benchmark accuracy when SNN(T=10) takes 528s, which "
        "saves about 75% of the time",
    ),
    _saving(
        "cifar10", "vgg16",
        "In CIFAR10/VGG-16, our method requires 3132s, whereas SNN(T=10) requires 9900s, a time savings of about 70%",
    ),
    _saving(
        "cifar10", "resnet18",
        "In CIFAR10/ResNet-18, our model requires 7290s while SNN(T=10) requires 19998s, a time savings of "
        "approximately 65%",
    ),
    Claim(
        "faster", "3-5 times faster than direct training", "1",
        "our method is 3-5 times faster for training than the surrogate-gradient based method",
        f"direct training (T = 10) takes more than {training.FASTER:g} times as long to the benchmark accuracy, by the "
        f"same clock as above; partly above {HALF * training.FASTER:g}",
        ", ".join(f"{p['direct_seconds'] / p['ours_seconds']:.1f}×" for p in TRAINING_TIME.values()), (FIG4,),
        training.times_faster,
    ),
    Claim(
        "equal_time", "at equal time ours is more accurate", "3.2, Fig. 3",
        "in the same amount of time, it achieves higher accuracy",
        f"accuracy at T = 10 above that of direct training at {training.percentages(training.SHARES)} of the longer "
        "run's time, by the same clock as above, or once both were tested if that is later; an arm that has ended "
        "keeps its last accuracy",
        "higher", (FIG3, COST), training.ahead_at_equal_time,
    ),
    Claim(
        "accuracy_kept", "accuracy stays high", "abstract",
        "our method considerably reduces the training and inference times of SNNs while maintaining their high "
        "accuracy",
        f"at T = 10 and after the same number of epochs, less than {training.STILL_HIGH:g} point below direct training",
        "92.07 %, direct 84.67 to 93.5 % (CIFAR-10)", (FIG3,), training.accuracy_kept,
    ),
    Claim(
        "memory", "far less memory", "2.2",
        "training a SNN with large T directly would increase not only the training and inference time but also the "
        "memory by T folds … The approach that we suggest can instantly construct a SNN model with large T with much "
        "less memory cost",
        f"peak memory of direct training's step over ours, same batch: more than {HALF:g} T, half the T folds; "
        f"partly above {HALF**2:g} T",
        "T folds: 10×", (COST,), training.less_memory,
    ),
    Claim(
        "batch", "a larger batch fits", "3.2",
        "with single-step SNN, we can choose a larger batch size",
        f"largest batch in the same memory more than {training.LARGER:g} times that of direct training (T = 10); "
        "partly above 1",
        "larger", (COST,), training.larger_batch,
    ),
    Claim(
        "speed_conversion", "over 100 times faster inference than conversion of a ReLU net", "abstract; 1",
        "achieves more than 100 times faster inference speed … more than 100 times faster than the ANN-to-SNN "
        "conversion for inference",
        _HUNDRED.format("wall time per image of a converted ReLU net", _SPREAD),
        "over 100×", (SPEEDUP,), partial(inference.inference_speed, opponent="conversion"),
    ),
    Claim(
        "speed_qcfs", "over 100 times faster inference than QCFS, a later conversion", "abstract; 1",
        "achieves more than 100 times faster inference speed … more than 100 times faster than the ANN-to-SNN "
        "conversion for inference",
        _HUNDRED.format("wall time per image of a converted QCFS net", _SPREAD),
        "not compared", (SPEEDUP,), partial(inference.inference_speed, opponent="qcfs"),
    ),
    Claim(
        "steps_conversion", "over 100 times fewer steps than conversion of a ReLU net", "3.2",
        "ANN-to-SNN conversion requires hundreds to thousands of time steps, which is hundreds of times slower than "
        "our method",
        _HUNDRED.format("steps of a converted ReLU net", _SEEDS),
        "50 to 2,500 steps against 5 to 10", (SPEEDUP,), partial(inference.inference_steps, opponent="conversion"),
    ),
    Claim(
        "steps_qcfs", "over 100 times fewer steps than QCFS, a later conversion", "3.2",
        "ANN-to-SNN conversion requires hundreds to thousands of time steps, which is hundreds of times slower than "
        "our method",
        _HUNDRED.format("steps of a converted QCFS net", _SEEDS),
        "not compared", (SPEEDUP,), partial(inference.inference_steps, opponent="qcfs"),
    ),
    Claim(
        "as_conversion", "as accurate as conversion, in 10 steps", "3.2",
        "the accuracy of extending to multi-step SNN (no more than 10 time steps) is able to attain an approximate "
        "accuracy of ANN-to-SNN conversion methods",
        f"ours at T = 10, better readout, less than {accuracy.CLOSE:g} point below the best conversion of a ReLU net "
        "at its last T",
        "92.07 %, conversion 90.95 to 91.89 % (CIFAR-10)", (TABLE2,), inference.as_accurate_as_conversion,
    ),
    Claim(
        "steps_direct", "fewer steps than direct training", "3.2",
        "Compared with spike-based BP methods, our method also requires fewer time steps to reach high accuracy.",
        f"first T at which each comes within {inference.WITHIN:g} points of the lower of both accuracies at T = 10: "
        "ours is the smaller, same readout",
        "5 to 10 against 1 to 20", (TABLE2,), inference.fewer_steps_than_direct,
    ),
    _table2("mnist", "Ours Hybrid 5 99.61% … Ours Hybrid 10 99.64%"),
    _table2("fashion_mnist", "Ours Hybrid 5 99.61% 93.89% … Ours Hybrid 10 99.64% 94.07%"),
    _table2("cifar10", "Ours Hybrid 5 99.61% 93.89% 91.82% … Ours Hybrid 10 99.64% 94.07% 92.07%"),
    Claim(
        "alpha_2", "α = 2 gains only slightly", "3.3, Fig. 5",
        "When α is equal to 2, the potential range is [0, 1], so the noise term N'_{noise} does not exist any more. It "
        "can be seen that there is a very slight improvement in accuracy with increasing time steps.",
        "accuracy rises from T = 1 to 10 at α = 2, by less than half of what it does at α = 4",
        "very slight", ("fig5_alpha",), accuracy.slight_without_noise,
    ),
    Claim(
        "alphas_converge", "other α end close together", "3.3, Fig. 5",
        "when N'_{noise} is present, the accuracy improvement is obvious and the different α values make models "
        "converge to close accuracy",
        f"at T = 10, each α above 2 within {accuracy.CLOSE:g} point of α = 4",
        "close", ("fig5_alpha",), accuracy.alphas_converge,
    ),
    Claim(
        "gaussian", "Gaussian noise beats uniform at T = 1", "3.4, Fig. 6",
        "For single-step SNNs, models with Gaussian noise reach the higher accuracy than those with uniform noise.",
        "accuracy at T = 1 above that of the net trained with uniform noise",
        "higher", ("fig6_noise_type",), accuracy.gaussian_ahead,
    ),
    Claim(
        "gap_closes", "after conversion that gap is closed", "3.4, Fig. 6",
        "But after conversion, the gap is not obvious any more.",
        f"at T = 10, Gaussian and uniform within {accuracy.CLOSE:g} point",
        "not obvious", ("fig6_noise_type",), accuracy.gap_closes,
    ),
    Claim(
        "noise_gains", "noise in training raises accuracy", "abstract",
        "The introduction of Gaussian distributed noise leads to a significant gain in accuracy after conversion.",
        "accuracy rises from T = 1 to 10, where it is above that of a net trained at T = 1 without noise, at T = 1 or "
        "as a LIF net at T = 10, whichever is better",
        "significant", ("silent_choices",), accuracy.noise_gains,
    ),
    Claim(
        "silent", "silent without input, potential between reset and threshold", "3.5, Fig. 7",
        "The potential oscillates between the reset potential and the threshold, but no spikes fire.",
        "not one spike and not one potential outside, whatever the noise and α",
        "no spikes", ("fig7_silence",), accuracy.silent,
    ),
    Claim(
        "oscillates", "the potential oscillates as a subthreshold membrane does", "3.5, Fig. 7",
        "Such behavior is thought to be similar to the form of subthreshold neural oscillation mechanism in biological "
        "neurons.",
        f"autocorrelation of the potential without input below {accuracy.SWING:g} at some lag, as it is half a period "
        "after any swing",
        "similar", ("fig7_potential_dynamics",), accuracy.oscillates,
    ),
)  # fmt: skip


def decide(folder: Path, claims: Iterable[Claim] = CLAIMS) -> pd.DataFrame:
    """Each claim with its verdict from the CSV files in a folder alone, a row each, columns `COLUMNS`.

    A table that is missing or cannot be used makes its claims "not tested", with the reason as what was measured.
    """
    tables, rows = Tables(folder), []
    for claim in claims:
        try:
            finding = claim.decide(tables)
            measured, verdict = finding.measured, finding.verdict
        except NotTestedError as error:
            measured, verdict = str(error), error.verdict
        found = {"tables": ", ".join(claim.tables), "scale": tables.scale(claim.tables)}
        rows.append({**vars(claim), **found, "measured": measured, "verdict": verdict})
    return pd.DataFrame(rows)[COLUMNS]
