"""Bad input for every door: values, files and command lines, for a fast and a long half of tests."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any, get_args, get_type_hints

from hypothesis import strategies as st

from reproduce.experiments.parameters import PARAMETERS
from reproduce.runs import evaluations, preset, preset_file, preset_found
from reproduce.runs.arms import ARMS
from reproduce.runs.evaluations import Conversion
from reproduce.runs.preset import Preset
from reproduce.runs.spec import Spec
from snnlib import noise, surrogate
from snnlib.baselines import ann_neurons as ann
from snnlib.training.recipe import Recipe

ENTRY = ("notebooks", "method", 0)  # in a file
RUN = ("notebooks", "method", "net", "ours", 0)  # in Python
DYNAMICS = get_args(get_args(get_type_hints(Spec, include_extras=True)["dynamics"])[0])
NOISES = (noise.Gaussian, noise.MaxNormalised, noise.Uniform)
SURROGATES = (surrogate.Triangle, surrogate.Rectangle, surrogate.Arctan, surrogate.Sigmoid, surrogate.Density)
EVALUATIONS = tuple(evaluations.KINDS.values())

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
texts = st.sampled_from(HOSTILE[:-1]) | st.text(max_size=20)


def _values(scalars: st.SearchStrategy) -> st.SearchStrategy:
    nested = st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.just("kind") | st.text(max_size=8), inner, max_size=3)
        ),
        max_leaves=6,
    )
    return st.one_of(scalars, numbers, st.floats(-20, 20, allow_subnormal=False), st.integers(-2, 20), nested)


written = _values(st.booleans() | numbers | texts)  # TOML has neither None nor half a character
values = _values(st.none() | st.booleans() | numbers | texts | st.just(HOSTILE[-1]))


def _places() -> list[tuple[Any, ...]]:
    """Every field of a preset's file, as a path into it."""
    net, own = ("nets", "cnn"), ("nets", "cnn", "arms")
    found = [(name,) for name in (*Preset.model_fields, *preset.WRITTEN_OUT)]
    found += [("evaluation", name) for name in Conversion.model_fields]
    found += [(*net, name) for name in preset_file.NET_FIELDS]
    found += [(*recipe, name) for recipe in (("recipe",), (*net, "recipe")) for name in Recipe.model_fields]
    found += [own, *((*own, arm) for arm in ("ours", "tuned")), (*own, "ours", "lr"), (*own, "ours", "evaluate_every")]
    found += [(*own, "tuned", name) for name in ARMS["tuned"].own]
    return found + [(*ENTRY, name) for name in preset_file.Entry.model_fields]


def _run_places() -> list[tuple[tuple[Any, ...], dict[tuple[Any, ...], Any]]]:
    """Every field of a run, as a path into what makes a `Preset`, with what else must stand there for it to be read."""
    found: list[tuple[tuple[Any, ...], dict[tuple[Any, ...], Any]]] = []
    for run in (RUN, (*RUN, "after")):
        found += [((*run, name), {}) for name in Spec.model_fields]
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


preset_cases = st.tuples(st.sampled_from(_places()), written)
CNN = ("nets", "cnn")
PARENTS = ((), ("evaluation",), ("recipe",), CNN, (*CNN, "recipe"), (*CNN, "arms"), (*CNN, "arms", "tuned"), ENTRY)
unknown_cases = st.tuples(
    st.sampled_from(PARENTS),
    st.just("self") | texts.map("no_{}".format),
    written,
)
run_cases = st.tuples(st.sampled_from(_run_places()), values)
evaluation_cases = st.sampled_from(
    [(cls, name) for cls in EVALUATIONS for name in (*cls.model_fields, "unknown")]
).flatmap(lambda case: st.tuples(st.just(case[0]), st.just(case[1]), values | st.just(10**5000)))
spec_cases = st.sampled_from([*Spec.model_fields, "unknown"]).flatmap(
    lambda name: st.tuples(st.just(Spec), st.just(name), values | st.just(10**5000))
)
parameters = [("claims", "preset"), *((book, name) for book, known in PARAMETERS.items() for name in known)]
parameter_cases = st.tuples(st.sampled_from(parameters), values | st.just(10**5000))

# --- TOML ------------------------------------------------------------------------------------

SMOKE = (preset_found.FOLDER / "smoke.toml").read_text(encoding="utf-8")
deep = ".".join("a" * 8_000)

BOMBS = [
    f"{'.'.join('a' * 1_000_000)} = 1",  # read, it would take an hour
    f"{deep} = 1",
    f"evaluation.{deep} = 1",
    f"notebooks = {{}}\nrecipe.{deep[:7_999]} = 1\nnets.cnn.recipe.{deep[:7_999]} = 1",
    f"notebooks = {{}}\nnets.cnn.recipe.{deep} = 1",
    f"notebooks = {{}}\nnets.cnn.arms.tuned.{deep} = 1",
    f"notebooks.{deep} = 1",
    f"[{deep}]",
    "a = " + "[" * 15_000,
    "a = " + "{a = " * 3_000,
    "a = '" + "x" * 200_000 + "'",
    "a = " + "9" * 5_000,
    "ann_timesteps = 0x" + "f" * 15_000,
    SMOKE.replace("[nets.cnn]", f"[nets.cnn]\nhold_out = 0x{'f' * 15_000}"),
    "a = 1\na = 2",
    "a = {b = 1, b = 2}",
    "[a]\n[a]",
    "a = 2001-13-45",
    "a = 1979-05-27T07:32:00+99:99",
    "a = 0b_",
    "a = \\",
    "a = '\0'",
    "a = '\n'",
    'a = "\\ud800"',
    'a = "b',
    "= 1",
    "[",
    "",
    "- a",
    "5",
    "a: 1",
    SMOKE + "\n[notebooks]\n",
    SMOKE + "\n[nets.cnn]\n",
    'name = "other"\n' + SMOKE,
    SMOKE.replace("description", "descriptions"),
    SMOKE.replace("ann_timesteps = 1001", "ann_timesteps = 1979-05-27"),
    *(
        SMOKE.replace(", seeds = [0] }", f", {seeds} }}", 1)
        for seeds in (
            "seeds = []", f"seeds = {[*range(2000)]}", "seeds = [0, 0]", "seeds = 3", "seeds = [true]", "seed = 3",
            "seeds = [0], self = 1", "seeds = [0], but = 3", "seeds = [0], but = { recipe = { lr = 1 } }",
        )
    ),
    SMOKE.replace("method = [", '"../method" = ['),
    SMOKE.replace('nets = ["cnn"]', 'nets = ["mlp"]', 1),
    SMOKE.replace('nets = ["cnn"]', 'nets = ["cnn", "cnn"]', 1),
    SMOKE.replace('arms = ["ours"]', 'arms = ["theirs"]', 1),
    SMOKE.replace("[nets.cnn.arms]", "[nets.cnn.arms]\ntheirs = { lr = 0.1 }"),
    SMOKE.replace("[nets.cnn.arms]", "[nets.cnn.arms]\nrelu = { seed = 4 }"),
    SMOKE.replace("[nets.cnn]", "[nets.cnn]\nself = 4"),
]  # fmt: skip
mutations = st.tuples(
    st.integers(0, len(SMOKE) - 1),
    st.integers(0, 12),
    st.text(st.sampled_from("{}[]=,.#-_'\"\\ \n\t01aeé\0"), max_size=4),
).map(lambda m: SMOKE[: m[0]] + m[2] + SMOKE[m[0] + m[1] :])
toml_texts = mutations | st.text(st.sampled_from("{}[]=,.#-'\"\\ \nab01"), max_size=60)

# --- command lines ---------------------------------------------------------------------------

OPTIONS = {
    "runs": ("--preset", "--set", "--json"),
    "train": ("--preset", "--set"),
    "evaluate": (
        "--preset", "--alpha", "--beta", "--leak", "--statistics", "--first-step", "--memory", "--spread",
        "--readout-spread", "--percentile", "--v-init", "--timesteps", "--noise-seeds", "--set", "--json",
    ),
    "show": ("--json",),
    "export": ("--to", "--alpha", "--beta", "--leak"),
    "rm": ("--yes",),
    "data": (),
    "preset": ("--set",),
    "draw": ("--preset", "--out", "-p"),
    "claims": ("--preset", "--out", "--json"),
    "compare": ("--preset", "--out", "--json"),
    "publish": ("--preset",),
    "bench": ("--peers", "--scaling", "--rounds", "--publish"),
    "figures": ("--preset", "--out"),
}  # fmt: skip
A_RUN = "fashion_mnist_mini-resnet18-w0.0625-spikes-gaussian-s0"
words = st.sampled_from(
    [*HOSTILE, "big", "9" * 5000, "1e400", "-5", "2.5", "1000000000", "layer", "rest", A_RUN, "fashion_mnist_mini",
     "method", "all", "trained", "train_0", "--nolock", "--", "-x", "width=0.5", "seeds=", "recipe.lr=x", "./a.toml"]
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
