"""The version of this package, which pyproject.toml states."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("snnlib")
except PackageNotFoundError:  # a folder on Python's path, which nobody has installed
    __version__ = "unknown"
