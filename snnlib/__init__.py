"""Companion to "A noise based novel strategy for faster SNN training" (Jiang & Zhang, 2023).

import snnlib as sn
net = sn.spiking(model)
sn.fit(net, loader, epochs=10)
snn = sn.convert(net, alpha=4)
result = sn.evaluate(snn, loader, timesteps=10)
"""

from snnlib.batch.starting import in_one_line

in_one_line()  # before PyTorch is imported, which takes seconds

import lazy_loader  # noqa: E402

from snnlib.fast import process  # noqa: E402

process.configure()

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
