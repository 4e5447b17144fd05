"""Companion to "A noise based novel strategy for faster SNN training" (Jiang & Zhang, 2023).

PyTorch, which takes seconds to import, comes with the first module that computes.
"""

from snnlib.batch.starting import in_one_line

in_one_line()  # what follows, here and in the modules of the command line, takes seconds

from snnlib.version import __version__  # noqa: E402

__all__ = ["__version__"]
