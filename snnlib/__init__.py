"""Companion to "A noise based novel strategy for faster SNN training" (Jiang & Zhang, 2023)."""

from snnlib.fast import process

process.configure()
