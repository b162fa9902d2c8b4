"""Whose turn it is to copy: one thread at a time, without a lock that is held while user code runs.

Invariant: the lock of a turn is held only to read or change its owner. A thread that asks for a turn that it
already has is told so and never waits for itself. This module knows nothing of copying.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_WAIT_SECONDS = 0.1
"""How soon a waiting thread notices that it was cancelled: the same as the engine's own bound."""


class Turn:
    """A right that one thread has at a time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._owner: int | None = None

    def is_mine(self) -> bool:
        """Whether the calling thread has it."""
        return self._owner == threading.get_ident()

    def try_take(self) -> bool:
        """Takes it if nobody has it."""
        with self._changed:
            if self._owner is None:
                self._owner = threading.get_ident()
                return True
            return False

    def take(self, cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Waits for it; `False` when `cancelled` says so first. Not for the thread that has it."""
        while not self.try_take():
            if cancelled():
                return False
            with self._changed:
                if self._owner is not None:
                    self._changed.wait(_WAIT_SECONDS)
        return True

    def release(self) -> None:
        """Lets the next thread have it."""
        with self._changed:
            self._owner = None
            self._changed.notify()


class VolumeTurns:
    """One turn for each volume that something is copied to, kept only while somebody uses it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[int | str, tuple[Turn, int]] = {}

    @contextmanager
    def of(self, volume: int | str) -> Iterator[Turn]:
        """The turn of a volume, by whatever tells it from others."""
        with self._lock:
            turn, users = self._turns.get(volume, (Turn(), 0))
            self._turns[volume] = (turn, users + 1)
        try:
            yield turn
        finally:
            with self._lock:
                turn, users = self._turns.get(volume, (turn, 1))
                if users <= 1:
                    self._turns.pop(volume, None)
                else:
                    self._turns[volume] = (turn, users - 1)

    def forget_all(self) -> None:
        """For a child after `fork()`: the threads that had a turn, or the lock, do not exist there."""
        self._lock = threading.Lock()
        self._turns = {}


volume_turns = VolumeTurns()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=volume_turns.forget_all)
