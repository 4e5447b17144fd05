"""The command that measures speed."""

from __future__ import annotations

from typing import Annotated

import typer

from reproduce.cli.options import as_whole
from snnlib.checks import InputError, whole


def bench(
    peers: Annotated[bool, typer.Option("--peers", help="also SpikingJelly, snnTorch and Norse, if installed")] = False,
    scaling: Annotated[
        bool, typer.Option("--scaling", help="how time and memory grow with T, batch and width")
    ] = False,
    quick_starts: Annotated[
        bool, typer.Option("--quick-starts", help="other libraries' quick starts beside ours, on one thread")
    ] = False,
    equal_time: Annotated[
        bool, typer.Option("--equal-time", help="accuracy of ours and theirs on CIFAR-10, trained for as long: hours")
    ] = False,
    rounds: Annotated[int, typer.Option(parser=as_whole, help="how often everybody takes a turn")] = 7,
    publish: Annotated[
        bool, typer.Option("--publish", help="only copy what was last measured to figures/bench/ and docs/")
    ] = False,
) -> None:
    """Time the paper's full-width CNN, ours against its ReLU twin, or see how it scales; to figures/mine/bench/.

    Neurons are compiled where there is a C++ compiler. Leave the machine alone meanwhile.
    """
    whole("--rounds", rounds, 3, 1000)
    given = [name for name, on in (("--peers", peers), ("--scaling", scaling), ("--quick-starts", quick_starts),
                                   ("--equal-time", equal_time)) if on]  # fmt: skip
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)}: must be one of them at a time; each measures something else")
    from reproduce.bench import report as bench_report  # brings matplotlib

    if quick_starts:
        print(bench_report.publish_quick_starts() if publish else bench_report.bench_quick_starts(rounds))
    elif equal_time:
        print(bench_report.publish_equal_time() if publish else bench_report.bench_equal_time(rounds))
    elif publish:
        print(bench_report.publish_bench())
    else:
        print(bench_report.bench_scaling(rounds) if scaling else bench_report.bench_steps(peers=peers, rounds=rounds))
