"""What costs long is made once: by one process, while others that need it wait, and again only if it is damaged."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import TypeVar

from snnlib.store.files import DamagedError

T = TypeVar("T")


def once(
    read: Callable[[], T | None],
    lock: Callable[[], AbstractContextManager[None]],
    move_aside: Callable[[DamagedError], None],
    make: Callable[[], T],
) -> T:
    """What there is to read, or else what is made, under the lock.

    Args:
        read: gives what is there, None if nothing is, a `DamagedError` if it is not as it was written.
        lock: held while something is moved or made. What another process made meanwhile is read, not made again.
        move_aside: clears the place of what is damaged.
        make: gives the same as ``read`` would then.
    """
    with suppress(DamagedError):
        found = read()
        if found is not None:
            return found
    with lock():
        try:
            found = read()
        except DamagedError as error:
            move_aside(error)
            found = None
        return make() if found is None else found
