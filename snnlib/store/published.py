"""From a reader's own results to those that the repository publishes: a copy, made on purpose."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from snnlib.checks import InputError
from snnlib.store.files import explained
from snnlib.store.paths import figures_dir, from_root, published_dir
from snnlib.store.sums import sums, verified, write_summed


def copy(folder: str, files: Collection[str], others: Collection[str] = ()) -> Path:
    """Copy files of a folder in `figures_dir` to its namesake in `published_dir`; what else is published there goes.

    Args:
        others: that stay where they are published.

    Returns:
        The published folder.

    Raises:
        InputError: one of the files is missing; nothing has changed then.
        DamagedError: one is not as it was written; likewise.
    """
    own, published = figures_dir() / folder, published_dir() / folder
    if missing := [name for name in files if not (own / name).is_file()]:
        more = f" and {len(missing) - 3} more files" if len(missing) > 3 else ""
        raise InputError(f"{from_root(own)}: {', '.join(missing[:3])}{more} missing; nothing was published")
    for name in files:
        verified(own / name)
    for name in files:
        with explained(own / name):
            content = (own / name).read_bytes()
        write_summed({published / name: content})
    kept = {*files, *others}
    kept |= {sums(published / name).name for name in kept}
    for path in published.iterdir():
        if path.is_file() and path.name not in kept:
            with explained(path):
                path.unlink()
    return published
