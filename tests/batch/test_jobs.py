"""Jobs: every run in one of them, all seeds of what is cheap together, and what comes after another run alone."""

from __future__ import annotations

from typing import Any

import pytest

from reproduce.batch.jobs import LONG, Multiplications, jobs, work
from reproduce.runs.evaluations import Conversion
from reproduce.runs.preset import load_preset
from reproduce.runs.preset_found import preset_names
from reproduce.runs.run import Run
from snnlib.baselines.ann_neurons import ReLU


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n == "paper")) for n in preset_names()])
def test_every_run_is_in_one_job_with_the_other_seeds_of_its_net_unless_it_takes_long(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNNLIB_PRETRAINED", "none")
    p = load_preset(name)
    found = jobs(p)
    assert sorted(run.spec.name for job in found for run in job) == sorted(p.all_runs())
    assert all(len(job) == 1 for job in found if any(work(run, p) > LONG for run in job))
    where = {run.spec.name: number for number, job in enumerate(found) for run in job}
    seeds: dict[tuple[str, bool], set[int]] = {}
    for run in p.all_runs().values():
        net = repr(run.spec.model_dump(exclude={"seed", "after"})), bool(run.spec.after)
        seeds.setdefault(net, set()).add(where[run.spec.name])
        assert len(seeds[net]) == 1 or work(run, p) > LONG
        if run.spec.after:
            assert {bool(other.spec.after) for other in found[where[run.spec.name]]} == {True}


def test_the_costliest_job_is_begun_first_and_cheap_nets_share_one() -> None:
    p = load_preset("smoke")
    found = jobs(p)
    costs = [sum(work(run, p) for run in job) for job in found]
    assert costs[0] == max(costs)
    assert len(found) < len(
        {run.spec.model_copy(update={"seed": 0, "after": None}).key for run in p.all_runs().values()}
    )


def test_work_is_that_of_training_of_the_tests_between_and_of_all_evaluations() -> None:
    p = load_preset("smoke")
    run = p.runs("method")[0]
    spec = run.spec
    macs = 28 * 28 * 8 * 9 + 14 * 14 * 8 * 16 * 9 + 7 * 7 * 16 * 16 * 9 + 3 * 3 * 16 * 64 + 64 * 10  # at an eighth
    between = 4 * spec.recipe.epochs  # a quarter of an epoch apart
    passes = between * spec.recipe.test_timesteps + p.evaluation.timesteps
    assert work(run, p) == macs * (3 * 6000 * spec.recipe.epochs + 1000 * passes)


def test_mirrored_images_and_a_teacher_are_work_too() -> None:
    rates, spec = Multiplications(), load_preset("smoke").runs("method")[0].spec
    test = Conversion(timesteps=10)
    assert rates.testing(spec, test.changed(flips=True)) == 2 * rates.testing(spec, test)
    relu = spec.model_copy(update={"dynamics": ReLU(), "readout": "potential"})
    taught = spec.model_copy(update={"readout": "potential", "teacher": relu})
    assert rates.training(taught) == rates.training(spec) * 4 / 3  # its forward pass


@pytest.mark.parametrize("name", preset_names())
def test_direct_training_is_far_more_work_and_what_a_run_comes_after_is_there(name: str) -> None:
    p = load_preset(name)
    runs = p.all_runs()
    assert all(spec.name in runs for run in runs.values() for spec in run.spec.before)

    def net(run: Run) -> tuple[Any, ...]:
        return run.spec.dataset, run.spec.network, run.spec.width, run.spec.recipe.epochs, run.spec.seed

    direct = {net(run): run for run in runs.values() if run.spec.training == "lif10"}
    ours = {net(run): run for run in runs.values() if run.spec.training == "single_step"}
    assert direct.keys() & ours.keys()
    for key in direct.keys() & ours.keys():
        assert work(direct[key], p) > 4 * work(ours[key], p)  # ten times the training, the same evaluation
