"""The quick starts of other libraries, and the same task in ours: what `docs/coming_from.md` shows and compares.

Theirs are written anew after their documentation (`reproduce.bench.side_by_side.PAIRS`): its network, coding, loss,
optimiser and batch size, in as few lines as that takes. Ours have the same layers, ReLUs for their neurons, and the
defaults of `snnlib.own.fit.fit`. Each takes batches of images [B, 1, 28, 28] and labels to train on and to test on, and
returns the test accuracy, a fraction. Each imports what it needs, as a script of a reader's would: lines are counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

Batches = Iterable[tuple[Tensor, Tensor]]


def snntorch(train: Batches, test: Batches, epochs: int) -> float:
    import snntorch
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(784, 1000)
            self.lif1 = snntorch.Leaky(beta=0.95)
            self.fc2 = nn.Linear(1000, 10)
            self.lif2 = snntorch.Leaky(beta=0.95)

        def forward(self, images):
            mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
            spikes, potentials = [], []
            for _ in range(25):
                spk1, mem1 = self.lif1(self.fc1(images.flatten(1)), mem1)
                spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
                spikes.append(spk2)
                potentials.append(mem2)
            return torch.stack(spikes), torch.stack(potentials)

    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-4)
    for _ in range(epochs):
        for images, labels in train:
            _, potentials = net(images)
            loss = sum(cross_entropy(potential, labels) for potential in potentials)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    right = []
    with torch.no_grad():
        for images, labels in test:
            spikes, _ = net(images)
            right.append(spikes.sum(0).argmax(1) == labels)
    return torch.cat(right).float().mean().item()


def ours_for_snntorch(train: Batches, test: Batches, epochs: int) -> float:
    from torch import nn

    import snnlib as sn

    net = sn.spiking(nn.Sequential(nn.Flatten(), nn.Linear(784, 1000), nn.ReLU(), nn.Linear(1000, 10)))
    sn.fit(net, train, epochs)
    result = sn.evaluate(sn.convert(net), test, timesteps=10)
    return result.accuracy.iloc[-1]


def spikingjelly(train: Batches, test: Batches, epochs: int) -> float:
    import torch
    from spikingjelly.activation_based import encoding, functional, layer, neuron, surrogate
    from torch import nn
    from torch.nn.functional import mse_loss, one_hot

    net = nn.Sequential(
        layer.Flatten(),
        layer.Linear(784, 10, bias=False),
        neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan()),
    )
    encoder = encoding.PoissonEncoder()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(epochs):
        for images, labels in train:
            rate = sum(net(encoder(images)) for _ in range(100)) / 100
            loss = mse_loss(rate, one_hot(labels, 10).float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            functional.reset_net(net)
    right = []
    with torch.no_grad():
        for images, labels in test:
            rate = sum(net(encoder(images)) for _ in range(100)) / 100
            right.append(rate.argmax(1) == labels)
            functional.reset_net(net)
    return torch.cat(right).float().mean().item()


def ours_for_spikingjelly(train: Batches, test: Batches, epochs: int) -> float:
    from torch import nn

    import snnlib as sn
    from snnlib.training.losses import mse

    net = sn.spiking(nn.Sequential(nn.Flatten(), nn.Linear(784, 10, bias=False), nn.ReLU()))
    sn.fit(net, train, epochs, loss=mse)
    result = sn.evaluate(sn.convert(net), test, timesteps=10)
    return result.accuracy.iloc[-1]


def norse(train: Batches, test: Batches, epochs: int) -> float:
    import torch
    from norse.torch import ConstantCurrentLIFEncoder, LICell, LIFParameters, LIFRecurrentCell
    from torch import nn
    from torch.nn.functional import log_softmax, nll_loss

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = ConstantCurrentLIFEncoder(32)
            self.hidden = LIFRecurrentCell(784, 100, p=LIFParameters(alpha=100, v_th=torch.tensor(0.5)))
            self.fc = nn.Linear(100, 10, bias=False)
            self.out = LICell()

        def forward(self, images):
            hidden, out, voltages = None, None, []
            for step in self.encoder(images.flatten(1)):
                spikes, hidden = self.hidden(step, hidden)
                voltage, out = self.out(self.fc(spikes), out)
                voltages.append(voltage)
            return log_softmax(torch.stack(voltages).amax(0), dim=1)

    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(epochs):
        for images, labels in train:
            loss = nll_loss(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    right = []
    with torch.no_grad():
        for images, labels in test:
            right.append(net(images).argmax(1) == labels)
    return torch.cat(right).float().mean().item()


def ours_for_norse(train: Batches, test: Batches, epochs: int) -> float:
    from torch import nn

    import snnlib as sn

    net = sn.spiking(nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10, bias=False)))
    sn.fit(net, train, epochs)
    result = sn.evaluate(sn.convert(net), test, timesteps=10)
    return result.accuracy.iloc[-1]


def sinabs(train: Batches, test: Batches, epochs: int) -> float:
    import torch
    from sinabs.from_torch import from_model
    from torch import nn
    from torch.nn.functional import cross_entropy

    ann = nn.Sequential(
        *(nn.Conv2d(1, 20, 5, bias=False), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(20, 32, 5, bias=False), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(32, 128, 3, bias=False), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(128, 500, bias=False), nn.ReLU(), nn.Linear(500, 10, bias=False)),
    )
    optimizer = torch.optim.Adam(ann.parameters(), lr=1e-3)
    for _ in range(epochs):
        for images, labels in train:
            loss = cross_entropy(ann(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    snn = from_model(ann, input_shape=(1, 28, 28), add_spiking_output=True, num_timesteps=100)
    right = []
    with torch.no_grad():
        for images, labels in test:
            spikes = (torch.rand(len(images), 100, 1, 28, 28) < images.unsqueeze(1)).float()
            rate = snn(spikes.flatten(0, 1)).unflatten(0, (len(images), 100)).mean(1)
            right.append(rate.argmax(1) == labels)
            snn.reset_states()
    return torch.cat(right).float().mean().item()


def ours_for_sinabs(train: Batches, test: Batches, epochs: int) -> float:
    from torch import nn

    import snnlib as sn

    ann = nn.Sequential(
        *(nn.Conv2d(1, 20, 5, bias=False), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(20, 32, 5, bias=False), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(32, 128, 3, bias=False), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(128, 500, bias=False), nn.ReLU(), nn.Linear(500, 10, bias=False)),
    )
    net = sn.spiking(ann)
    sn.fit(net, train, epochs)
    result = sn.evaluate(sn.convert(net), test, timesteps=10)
    return result.accuracy.iloc[-1]
