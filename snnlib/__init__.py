"""Companion to "A noise based novel strategy for faster SNN training" (Jiang & Zhang, 2023)."""

from snnlib.batch.starting import in_one_line

in_one_line()  # before PyTorch is imported, which takes seconds

from snnlib.fast import process  # noqa: E402

process.configure()
