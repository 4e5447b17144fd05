"""A published net behind sliders: the picture of one image at once, accuracy on a thousand as soon as it is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduce.experiments.explorer import plot
from reproduce.experiments.explorer.recording import Recording, record
from reproduce.experiments.explorer.setting import ALPHAS, MEMORIES, NOISES, Setting, nets, title_of
from reproduce.experiments.interactive import Interactive, counter, menu, slider, steps
from reproduce.runs.first_images import IMAGES, first_images
from reproduce.runs.run import build_for
from snnlib.data.batches import standardise
from snnlib.data.sets import Dataset, Split
from snnlib.training.evaluation import accuracy_over_time

MOST = 32  # time steps, as far as a picture has room for them
PART = 100  # images between two looks at the progress

ACCURACY: dict[tuple[Setting, int], list[float]] = {}  # at T = 1, 2, ..., of what was measured so far

_images = cache(first_images)


class Explorer(Interactive):
    """Controls and a picture; see `plot.explore` for what is in it.

    Args:
        net: how the name of the published one begins.
        image: of the thousand, from 0.
        timesteps: T.
        memory: one of `setting.MEMORIES`.
        alpha, leak: of the paper's memory.
        noise: one of `setting.NOISES`.
        width: of its range, around 1/2.
    """

    def __init__(
        self,
        net: str = "",
        image: int = 0,
        timesteps: int = 10,
        memory: str = MEMORIES[0],
        alpha: float = 4.0,
        leak: float = 0.5,
        noise: str = "gaussian",
        width: float = 1.0,
    ) -> None:
        self.runs = nets()
        super().__init__(
            self.draw, slow=self.measure,
            net=menu("net", self.runs, title_of(net)),
            image=counter("image", 0, IMAGES - 1, image),
            timesteps=counter("steps T", 2, MOST, timesteps),
            memory=menu("memory", MEMORIES, memory),
            alpha=steps("α", sorted({*ALPHAS, alpha}), alpha),
            leak=slider("leak λ", 0, 1, leak),
            noise=menu("noise", NOISES, noise),
            width=slider("its width", 0, 1, width),
            layer=counter("layer", 1, max(len([*build_for(run.spec).neurons()]) for run in self.runs.values()), 1),
            neuron=counter("neuron", 1, 100, 1),
        )  # fmt: skip

    def setting(self, net: str, **values: Any) -> Setting:
        """How the net is looked at; of the controls' values those that matter to it."""
        chosen = {name: values[name] for name in ("memory", "noise", "width", "alpha", "leak")}
        return Setting(self.runs[net].spec.name, **chosen).plain

    def recording(self, image: int, timesteps: int, layer: int, **values: Any) -> tuple[str, Recording]:
        """The name of the layer that is looked at, and what the image does."""
        model, data = self.setting(**values).network(), self.images(**values)
        names = [name for name, _ in model.neurons()]
        name = names[min(layer, len(names)) - 1]
        return name, record(model, standardise(data.test.images[image], data), name, timesteps)

    def images(self, net: str, **_values: Any) -> Dataset:
        """The images that travel with the net."""
        return _images(self.runs[net].spec.dataset)

    def draw(self, **values: Any) -> Figure:
        """The picture; accuracy is in it once `measure` was through."""
        (name, recording), test = self.recording(**values), self.images(**values).test
        i, known = values["image"], ACCURACY.get((self.setting(**values), values["timesteps"]), [])
        return plot.explore(
            recording, test.images[i].permute(1, 2, 0).squeeze(-1).numpy(), self.images(**values).classes,
            int(test.labels[i]), name, values["neuron"] - 1, known,
            self.runs[values["net"]].spec.readout,
        )  # fmt: skip

    def measure(self, **values: Any) -> Iterator[float]:
        """Accuracy on the thousand images, at every T; the part that is done, after each hundred of them.

        Each hundred has noise of its own.
        """
        setting, timesteps, data = self.setting(**values), values["timesteps"], self.images(**values)
        if (setting, timesteps) in ACCURACY:
            return
        right, n = np.zeros(timesteps), len(data.test)
        for number, start in enumerate(range(0, n, PART)):
            part = slice(start, start + PART)
            test = Split(data.test.images[part], data.test.labels[part])
            at = accuracy_over_time(setting.network(), replace(data, test=test), timesteps, (number,), PART)
            right += at.accuracy.to_numpy() * len(test)
            yield min(start + PART, n) / n
        ACCURACY[setting, timesteps] = (right / n).tolist()

    @property
    def table(self) -> pd.DataFrame:
        """What is shown: how the net is looked at, its accuracy, and what it says of the one image.

        Columns published (the net's run), dataset, network, width, readout, memory, noise_kind, noise_width, alpha,
        image, label, timesteps, accuracy (a fraction of the thousand), predicted (after so many steps).
        """
        values = self.values
        setting, test = self.setting(**values), self.images(**values).test
        _, recording = self.recording(**values)
        t, run = range(1, values["timesteps"] + 1), self.runs[values["net"]].spec
        net = {name: getattr(run, name) for name in ("dataset", "network", "width", "readout")}
        return pd.DataFrame({
            "published": run.name, **net, "memory": setting.memory, "noise_kind": setting.noise,
            "noise_width": setting.width, "alpha": setting.alpha, "image": values["image"],
            "label": int(test.labels[values["image"]]), "timesteps": t,
            "accuracy": ACCURACY[setting, values["timesteps"]], "predicted": recording.predicted,
        })  # fmt: skip
