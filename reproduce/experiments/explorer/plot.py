"""The explorer's picture: an image, what it does in every layer and in one neuron, and what the net makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reproduce.experiments.explorer.recording import Recording
from reproduce.experiments.style import BLACK, BLUE, GREEN, LEGEND_LINE, ORANGE, SKY, VERMILION, figure, key, style

SHOWN = 70  # neurons of all layers, in each evenly spread over those that fire
LAYER = 0.3  # inches for the name of a layer
V_TH = 1.0
GREY = "#999999"


def explore(
    recording: Recording,
    image: np.ndarray,
    classes: Sequence[str],
    label: int,
    layer: str,
    neuron: int,
    accuracy: Sequence[float],
    readout: str,
) -> Figure:
    """All that is known of one image in a net.

    Args:
        image: to be shown, [H, W].
        classes: their names.
        label: the image's class.
        layer: that was looked at.
        neuron: of it, counted from 0, the one first that fires most nearly at every other step.
        accuracy: at T = 1, 2, ... on many images, fractions; none if not known yet.
        readout: "spikes": the last layer of neurons is the output.
    """
    with style():
        height = max(2.3, LAYER * len(recording.spikes))  # of the raster, inches
        fig = figure(6.2 + height)
        axes = fig.subplot_mosaic(
            [["image", "rates"], ["accuracy", "rates"], ["raster"] * 2, ["neuron"] * 2, ["key"] * 2],
            width_ratios=(1, 1.6), height_ratios=(1.8, 1.5, height, 2.2, 3 * LEGEND_LINE),
        )  # fmt: skip
        _image(axes["image"], image, classes[label], classes[recording.predicted[-1]])
        _accuracy(axes["accuracy"], accuracy, len(recording.outputs))
        _rates(axes["rates"], recording, classes, label)
        _raster(axes["raster"], recording, layer, readout)
        _neuron(axes["neuron"], recording, layer, neuron)
        key(axes["key"], axes["neuron"], columns=2)
    return fig


def _image(ax: Axes, image: np.ndarray, label: str, predicted: str) -> None:
    ax.imshow(image, cmap="gray_r")
    ax.set(xticks=[], yticks=[])
    ax.set_title(label)
    right = predicted == label
    ax.set_xlabel(f"net says:\n{predicted} {'✓' if right else '✗'}", color=BLACK if right else VERMILION)


def _raster(ax: Axes, recording: Recording, layer: str, readout: str) -> None:
    top, ticks, each = 0, [], SHOWN // len(recording.spikes)
    for number, (name, spikes) in enumerate(recording.spikes.items(), start=1):
        chosen = spread(spikes.any(0).nonzero().flatten().tolist(), each)
        for place, i in enumerate(chosen):
            times = spikes[:, i].nonzero().flatten().numpy() + 1
            ax.plot(times, np.full(len(times), top + place), "s", ms=2, color=BLUE if name == layer else GREY)
        share = 100 * spikes.float().mean().item()
        called = "output" if readout == "spikes" and number == len(recording.spikes) else f"layer {number}"
        ticks.append((top + len(chosen) / 2, called))
        ax.text(1.02, ticks[-1][0], f"{share:.1f} %", transform=ax.get_yaxis_transform(), va="center")
        top += len(chosen) + 3
    ax.set_yticks([place for place, _ in ticks], [text for _, text in ticks])
    for text, name in zip(ax.get_yticklabels(), recording.spikes, strict=True):
        text.set_fontweight("bold" if name == layer else "normal")
    ax.set(ylim=(top, -2), title=f"spikes, up to {each} neurons a layer (% that fire in a step)")
    _whole(ax, len(recording.outputs))
    ax.grid(visible=False)


def spread(active: Sequence[int], most: int) -> list[int]:
    """At most so many of these, evenly spread."""
    places = np.linspace(0, max(len(active) - 1, 0), min(most, len(active))).round().astype(int)
    return [active[place] for place in places]


def _rates(ax: Axes, recording: Recording, classes: Sequence[str], label: int) -> None:
    t = np.arange(1, len(recording.outputs) + 1)
    means = recording.outputs.cumsum(0).numpy() / t[:, None]
    others = sorted((c for c in range(len(classes)) if c != label), key=lambda c: -means[-1, c])
    for c in others[2:]:
        ax.plot(t, means[:, c], color="#BBBBBB", lw=0.8)
    for c, colour, marker in zip((*others[:2], label), (ORANGE, GREEN, BLUE), ("s", "^", "o"), strict=True):
        ax.plot(t, means[:, c], color=colour, marker=marker, label=classes[c] + " (right)" * (c == label))
    ax.set(xlabel="time steps T", title="mean output of each class")
    _whole(ax, len(t))
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.4 * (high - low))
    ax.legend(loc="upper right")


def _neuron(ax: Axes, recording: Recording, layer: str, neuron: int) -> None:
    spikes = recording.spikes[layer]
    undecided = (spikes.float().mean(0) - 0.5).abs().argsort(stable=True)
    i = int(undecided[min(neuron, spikes.shape[1] - 1)])
    t = np.arange(1, len(spikes) + 1)
    current, total, fired = recording.currents[:, i].numpy(), recording.sums[:, i].numpy(), spikes[:, i].numpy()
    ax.axhline(V_TH, color=BLACK, lw=0.9, ls="--", label="threshold")
    if recording.phased:
        before = np.concatenate([[np.nan], np.where(fired, total - 1, total)[:-1]])
        ax.plot(t, before, color=SKY, marker="s", ls="--", label="phase U before the step")
        ax.plot(t, total, color=BLUE, marker="o", label="U + p, what is compared")
        ax.plot(t, current, color=ORANGE, ls=":", label="current I; p is a function of it")
    else:
        memory = recording.memories[:, i].numpy()
        if memory.any():
            ax.bar(t, memory, bottom=current, width=0.7, color="#CCCCCC", label="memory, N(λV) of Eq. 9")
        look = {"color": SKY, "hatch": "////", "edgecolor": "white", "lw": 0}
        ax.bar(t, total - current - memory, bottom=current + memory, width=0.3, label="noise", **look)
        ax.plot(t, current, color=ORANGE, marker="s", ms=4, label="current I")
        ax.plot(t, total, color=BLUE, marker="o", label="sum H, what is compared")
    ax.plot(t[fired], np.maximum(total[fired], V_TH) + 0.12, "v", color=VERMILION, ms=6, label="spike")
    ax.set(
        xlabel="time step", ylabel="potential",
        title=f"rank {neuron + 1}: neuron {i:,} of the layer's {spikes.shape[1]:,}, {fired.sum()} spikes",
    )  # fmt: skip
    _whole(ax, len(t))
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.05 * (high - low), high)  # bars would stand on the axis


def _accuracy(ax: Axes, accuracy: Sequence[float], timesteps: int) -> None:
    ax.set(xlabel="time steps T", title="right of 1,000, %")
    _whole(ax, timesteps, 5)
    if not accuracy:
        ax.set_yticks([])
        ax.text(0.5, 0.5, "is being\nmeasured ...", transform=ax.transAxes, ha="center", va="center")
        return
    percent = 100 * np.asarray(accuracy)
    ax.plot(np.arange(1, len(percent) + 1), percent, color=BLUE, marker="o")
    ax.set_title(f"right of 1,000, %\n{percent[0]:.1f} to {percent[-1]:.1f}")
    ax.margins(0.1, 0.1)


def _whole(ax: Axes, timesteps: int, most: int = 10) -> None:
    """Whole time steps, all of them in sight, with so many numbers at most."""
    ax.set_xlim(0.4, timesteps + 0.6)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, nbins=most))
