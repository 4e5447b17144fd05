"""The explorer's picture: an image, what it does in every layer and in one neuron, and what the net makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from snnlib.experiments.explorer.recording import Recording
from snnlib.experiments.style import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILION, figure, style

SHOWN = 14  # neurons of a layer, evenly spread over those that fire
V_TH = 1.0


def explore(
    recording: Recording,
    image: np.ndarray,
    classes: Sequence[str],
    label: int,
    layer: str,
    neuron: int,
    accuracy: Sequence[float],
    memory: str,
) -> Figure:
    """All that is known of one image in a net.

    Args:
        image: to be shown, [H, W].
        classes: their names.
        label: the image's class.
        layer: that was looked at.
        neuron: of it, counted from 0, the one first that fires most nearly at every other step.
        accuracy: at T = 1, 2, ... on many images, fractions; none if not known yet.
        memory: its name.
    """
    with style():
        fig = figure(9.6, 6.2)
        grid = fig.add_gridspec(2, 3, width_ratios=(0.8, 1.6, 1.3))
        _image(fig.add_subplot(grid[0, 0]), image, classes[label], classes[recording.predicted[-1]])
        _raster(fig.add_subplot(grid[0, 1]), recording, layer)
        _rates(fig.add_subplot(grid[0, 2]), recording, classes, label)
        _neuron(fig.add_subplot(grid[1, :2]), recording, layer, neuron, memory)
        _accuracy(fig.add_subplot(grid[1, 2]), accuracy, len(recording.outputs))
    return fig


def _image(ax: Axes, image: np.ndarray, label: str, predicted: str) -> None:
    ax.imshow(image, cmap="gray_r")
    ax.set(xticks=[], yticks=[])
    ax.set_title(label, fontsize=10)
    right = predicted == label
    ax.set_xlabel(f"net says: {predicted} {'✓' if right else '✗'}", color=BLACK if right else VERMILION)


def _raster(ax: Axes, recording: Recording, layer: str) -> None:
    top, ticks = 0, []
    for number, (name, spikes) in enumerate(recording.spikes.items(), start=1):
        chosen = spread(spikes.any(0).nonzero().flatten().tolist())
        for place, i in enumerate(chosen):
            times = spikes[:, i].nonzero().flatten().numpy() + 1
            ax.plot(times, np.full(len(times), top + place), "s", ms=2.5, color=BLUE if name == layer else BLACK)
        share = 100 * spikes.float().mean().item()
        called = "output" if number == len(recording.spikes) else f"layer {number}"
        ticks.append((top + len(chosen) / 2, f"{called}\n{share:.1f} %"))
        top += len(chosen) + 3
    ax.set_yticks([place for place, _ in ticks], [text for _, text in ticks], fontsize=8)
    ax.set(ylim=(top, -2), xlabel="time step", title=f"spikes, up to {SHOWN} neurons a layer\n(% that fire in a step)")
    _whole(ax, len(recording.outputs))
    ax.grid(visible=False)


def spread(active: Sequence[int]) -> list[int]:
    """At most `SHOWN` of these, evenly spread."""
    places = np.linspace(0, max(len(active) - 1, 0), min(SHOWN, len(active))).round().astype(int)
    return [active[place] for place in places]


def _rates(ax: Axes, recording: Recording, classes: Sequence[str], label: int) -> None:
    t = np.arange(1, len(recording.outputs) + 1)
    means = recording.outputs.cumsum(0).numpy() / t[:, None]
    others = sorted((c for c in range(len(classes)) if c != label), key=lambda c: -means[-1, c])
    for c in others[2:]:
        ax.plot(t, means[:, c], color="#BBBBBB", lw=0.8)
    for c, colour, marker in zip((*others[:2], label), (ORANGE, GREEN, BLUE), ("s", "^", "o"), strict=True):
        ax.plot(t, means[:, c], color=colour, marker=marker, ms=3, label=classes[c] + " (right)" * (c == label))
    ax.set(xlabel="time steps T", title="mean output of each class so far")
    _whole(ax, len(t))
    ax.legend(fontsize=8)


def _neuron(ax: Axes, recording: Recording, layer: str, neuron: int, memory: str) -> None:
    spikes = recording.spikes[layer]
    undecided = (spikes.float().mean(0) - 0.5).abs().argsort(stable=True)
    i = int(undecided[min(neuron, spikes.shape[1] - 1)])
    t = np.arange(1, len(spikes) + 1)
    current, total, fired = recording.currents[:, i].numpy(), recording.sums[:, i].numpy(), spikes[:, i].numpy()
    ax.axhline(V_TH, color=BLACK, lw=0.9, ls="--", label="threshold")
    if recording.phased:
        before = np.concatenate([[np.nan], np.where(fired, total - 1, total)[:-1]])
        ax.plot(t, before, color=SKY, marker="s", ms=3, label="phase U before the step")
        ax.plot(t, total, color=BLUE, marker="o", ms=3, label="U + p, what is compared")
        ax.plot(t, current, color=ORANGE, lw=1, label="current I, of which p is a function")
    else:
        ax.bar(t, total - current, bottom=current, width=0.5, color=SKY, label=_internal(memory))
        ax.plot(t, current, color=ORANGE, lw=1.2, marker="s", ms=3, label="current I")
        ax.plot(t, total, color=BLUE, marker="o", ms=3, label="sum H, what is compared")
    ax.plot(t[fired], np.maximum(total[fired], V_TH) + 0.12, "v", color=VERMILION, ms=6, label="spike")
    ax.set(
        xlabel="time step", ylabel="potential (threshold = 1)",
        title=f"neuron {i:,} of the layer's {spikes.shape[1]:,}: {fired.sum()} spikes",
    )  # fmt: skip
    _whole(ax, len(t))
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.05 * (high - low), high + 0.35 * (high - low))
    ax.legend(fontsize=8, ncols=3, loc="upper center")


def _internal(memory: str) -> str:
    return "noise" if memory == "none" else "noise and memory term (Eq. 6)"


def _accuracy(ax: Axes, accuracy: Sequence[float], timesteps: int) -> None:
    ax.set(xlabel="time steps T", ylabel="right, %", title="accuracy on 1,000 test images")
    _whole(ax, timesteps)
    if not accuracy:
        ax.text(0.5, 0.5, "is being measured ...", transform=ax.transAxes, ha="center")
        return
    percent = 100 * np.asarray(accuracy)
    ax.plot(np.arange(1, len(percent) + 1), percent, color=BLUE, marker="o", ms=3)
    for place in (0, -1):
        ax.annotate(
            f"{percent[place]:.1f}", (range(1, len(percent) + 1)[place], percent[place]), (0, -12), ha="center",
            textcoords="offset points", fontsize=8,
        )  # fmt: skip
    ax.margins(0.1, 0.2)


def _whole(ax: Axes, timesteps: int) -> None:
    """Whole time steps, all of them in sight."""
    ax.set_xlim(0.4, timesteps + 0.6)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, nbins=10))
