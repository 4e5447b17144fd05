"""Bad input for every door: values, files and command lines, for a fast and a long half of tests."""

from __future__ import annotations

import math
from dataclasses import fields
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from snnlib import neurons, noise, surrogate
from snnlib.baselines import ann_neurons as ann
from snnlib.experiments.notebook import DEFAULTS
from snnlib.runs import preset
from snnlib.runs.evaluations import AnnConversion, AsLIF, AsTrained, Conversion
from snnlib.runs.preset import Preset
from snnlib.runs.run import Spec
from snnlib.training.loop import Recipe

RUN = ("notebooks", "method", 0)
DYNAMICS = (neurons.SingleStep, neurons.LIF, ann.ReLU, ann.QCFS)
NOISES = (noise.Gaussian, noise.MaxNormalised, noise.Uniform)
SURROGATES = (surrogate.Triangle, surrogate.Rectangle, surrogate.Arctan, surrogate.Sigmoid)
EVALUATIONS = (AsTrained, AsLIF, Conversion, AnnConversion)
PARAMETERS = ("preset", *dict.fromkeys(name for notebook in DEFAULTS.values() for name in notebook))

# --- values ----------------------------------------------------------------------------------

HOSTILE = (
    "../../etc/passwd", "/etc/passwd", "..", "~", "a/../../b", "x" * 10_000, "new\nline", "nul\0", "\x1b[31m", "", " ",
    "-1", "--help", "-rf", "1e3", "nan", "inf", "0x10", "1_000", "{{", "%s", "$(id)", "`id`", "true", "null", "spikes",
    "smoke", "mnist", "cnn", "lif", "\ud800",
)  # fmt: skip
NUMBERS = (0, -1, 1, 2, 3, 10, 16, 17, 1000, 1001, 2**31, 2**63, 2**64, 10**30, -(10**30), 10**400, 0.5, 1e-320, 1e308)

numbers = (
    st.sampled_from(NUMBERS)
    | st.integers()
    | st.floats(allow_subnormal=False)
    | st.floats(0, 1, allow_subnormal=False)
    | st.sampled_from([math.nan, math.inf, -math.inf, -0.0])
)
texts = st.sampled_from(HOSTILE) | st.text(max_size=20)
scalars = st.none() | st.booleans() | numbers | texts
nested = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.just("kind") | st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
values = st.one_of(scalars, numbers, st.floats(-20, 20, allow_subnormal=False), st.integers(-2, 20), nested)


def _places() -> list[tuple[tuple[Any, ...], dict[tuple[Any, ...], Any]]]:
    """Every field of a preset as a path into its file, with what else must stand there for it to be read."""
    found = [((name,), {}) for name in Preset.model_fields]
    found += [(("evaluation", name), {}) for name in Conversion.model_fields]
    for run in (RUN, (*RUN, "after")):
        found += [((*run, name), {}) for name in (*Spec.model_fields, "seeds")]
        found += [((*run, "recipe", name), {}) for name in Recipe.model_fields]
    for cls in DYNAMICS:
        place = (*RUN, "dynamics")
        there = {place: {"kind": cls.kind}}
        if cls in (ann.ReLU, ann.QCFS):
            there[*RUN, "readout"] = "potential"
            there[*RUN, "after", "readout"] = "potential"
        found += [((*place, field.name), there) for field in fields(cls)]
    for part, classes in (("noise", NOISES), ("surrogate", SURROGATES)):
        for cls in classes:
            place = (*RUN, "dynamics", part)
            there = {(*RUN, "dynamics"): {"kind": "single_step", part: {"kind": cls.kind}}}
            found += [((*place, field.name), there) for field in fields(cls)]
    return found


PLACES = _places()
preset_cases = st.tuples(st.sampled_from(PLACES), values)
unknown_cases = st.tuples(
    st.sampled_from([(), ("evaluation",), RUN, (*RUN, "after"), (*RUN, "recipe"), (*RUN, "dynamics")]), texts, values
)
evaluation_cases = st.sampled_from(
    [(cls, name) for cls in EVALUATIONS for name in (*cls.model_fields, "unknown")]
).flatmap(lambda case: st.tuples(st.just(case[0]), st.just(case[1]), values | st.just(10**5000)))
spec_cases = st.sampled_from([*Spec.model_fields, "unknown"]).flatmap(
    lambda name: st.tuples(st.just(Spec), st.just(name), values | st.just(10**5000))
)
parameter_cases = st.tuples(st.sampled_from(PARAMETERS), values | st.just(10**5000))

# --- YAML ------------------------------------------------------------------------------------

SMOKE = (preset.FOLDER / "smoke.yaml").read_text(encoding="utf-8")


def _bombs() -> list[str]:
    letters = "abcdefghijkl"
    laughs = [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise(letters)]
    merges = [f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}" for a, b in pairwise(letters)]
    chain = [f"a{i + 1}: &a{i + 1} [*a{i}]" for i in range(2000)]
    return [
        "\n".join(["a: &a [x, x]", *laughs]),
        "\n".join(["a: &a {x: 1}", *merges]),
        "\n".join(["a0: &a0 []", *chain]),
        "a: &a [*a]",
        "a: &a {<<: *a}",
        "a: &a {b: *a}",
        "[" * 90_000,
        "a: " + "{a: " * 5_000,
        "- " * 5_000,
        "a: " + "9" * 5_000,
        "a: " + ":".join(["1"] * 200) + ".5",
        "a: " + "x" * 200_000,
        "a: !!python/object/apply:os.system ['touch owned']",
        "a: !!python/object/new:os.system ['touch owned']",
        "a: !!python/name:os.system",
        "a: !!int x",
        "a: !!timestamp x",
        "a: !!binary '*'",
        "a: !mine 1",
        "a: 1\na: 2",
        "a: 2001-13-45",
        "a: 0b_",
        "a: =",
        "1: 2",
        "null: 2",
        "? [a]\n: 1",
        "",
        "- a",
        "5",
        "a: *b",
        "a: 1\n---\nb: 2",
        "a: \0",
        "a: 'b",
        "<<: 5",
        SMOKE + "\nnotebooks: {}\n",
        SMOKE + "\nname: other\n",
        SMOKE.replace("description", "descriptions"),
        SMOKE.replace("seeds: [0]", "seeds: []"),
        SMOKE.replace("seeds: [0]", f"seeds: {[*range(2000)]}"),
        SMOKE.replace("seeds: [0]", "seeds: [0, 0]"),
        SMOKE.replace("seeds: [0]", "seeds: 3"),
        SMOKE.replace("seeds: [0]", "seed: 3"),
        SMOKE.replace("  method:", "  ../method:"),
        SMOKE.replace("after: *cnn", "after: {<<: *cnn, seed: 4}"),
    ]


BOMBS = _bombs()
mutations = st.tuples(
    st.integers(0, len(SMOKE) - 1),
    st.integers(0, 12),
    st.text(st.sampled_from("{}[]:,&*!<-#'\"|>?%@ \n\t01ae.é\0"), max_size=4),
).map(lambda m: SMOKE[: m[0]] + m[2] + SMOKE[m[0] + m[1] :])
yaml_texts = mutations | st.text(st.sampled_from("{}[]:,&*!<-#'\"|>?% \nab01."), max_size=60)

# --- command lines ---------------------------------------------------------------------------

OPTIONS = {
    "runs": ("--preset",),
    "train": ("--preset",),
    "evaluate": (
        "--preset", "--alpha", "--beta", "--leak", "--statistics", "--first-step", "--percentile", "--v-init",
        "--timesteps", "--noise-seeds",
    ),
    "data": (),
    "draw": ("--preset",),
    "claims": ("--preset",),
    "compare": ("--preset",),
    "publish": ("--preset",),
    "bench": ("--peers", "--scaling", "--rounds", "--publish"),
    "figures": ("--preset",),
}  # fmt: skip
A_RUN = "fashion_mnist_mini-vgg16-w0.0625-spikes-gaussian-s0"
words = st.sampled_from(
    [*HOSTILE, "big", "9" * 5000, "1e400", "-5", "2.5", "1000000000", "layer", "rest", A_RUN, "fashion_mnist_mini",
     "method", "all", "trained", "train_0", "--nolock", "--", "-x"]
) | st.text(max_size=12)  # fmt: skip


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command, perhaps a wrong one, with options and arguments, most of them wrong."""
    command = draw(st.sampled_from([*OPTIONS, *OPTIONS, *OPTIONS, "unknown", *HOSTILE[:6]]))
    line = [command]
    if command == "evaluate" and draw(st.booleans()):
        line.append(A_RUN)
    for _ in range(draw(st.integers(0, 3))):
        option = draw(st.sampled_from([*OPTIONS.get(command, ()), "--unknown", "--preset"]))
        word = draw(words)
        line += draw(st.sampled_from([[option, word], [f"{option}={word}"], [word], [option]]))
    return line
