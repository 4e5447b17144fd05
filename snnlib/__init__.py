"""Companion to "A noise based novel strategy for faster SNN training" (Jiang & Zhang, 2023).

>>> import snnlib as sn
>>> net = sn.spiking(model, noise=sn.Gaussian())
>>> sn.fit(net, loader, epochs=10)
>>> snn = sn.convert(net, alpha=4)
>>> result = sn.evaluate(snn, loader, timesteps=10)

All names stand in `__init__.pyi`; PyTorch, which takes seconds to import, comes with the first that is used.
"""

import lazy_loader

from snnlib.version import __version__

__getattr__, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = [*_names, "__version__"]
