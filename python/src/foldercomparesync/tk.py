"""Brings values and log lines from any thread to Tk's thread.

The rule that keeps Tk alive: no Tk call from any thread but the one that runs `mainloop`, not even `after` or
`event_generate`. A worker that breaks it hangs, crashes, or raises "main thread is not in main loop",
depending on the platform and the build of Tcl.

Invariant: `put`, `log` and `stop` make no Tk call and may be called from any thread, at any rate, before,
during and after the life of the window. Memory is bounded: one value for each channel, and the newest log
lines. Everything else here runs on Tk's thread. No lock is held while a callback runs. This module knows
nothing of copying.
"""

from __future__ import annotations

import logging
import threading
import time
import tkinter
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["LogHandler", "Pump"]

_log = logging.getLogger("foldercomparesync.tk")
_ATTRIBUTE = "_foldercomparesync_pump"
_URGENT_SECONDS = 0.05
"""How often the pump looks for urgent values: half of what a person notices."""


class Pump:
    """Delivers the latest value of each channel to a callback on Tk's thread, at most `hz` times a second.

    Create it on the thread that runs `mainloop`. It ends with the window, or by `stop`.
    """

    def __init__(
        self, root: tkinter.Misc, hz: float | Callable[[], float] = 10.0, log_lines: int = 5000
    ) -> None:
        """`hz` may be a function, which is asked before each round. The oldest of more than `log_lines` lines
        go.
        """
        self._root: tkinter.Misc | None = root
        self._hz = hz if callable(hz) else lambda: hz
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._values: dict[str, Any] = {}
        self._urgent: dict[str, Any] = {}
        self._lines: deque[str] = deque(maxlen=log_lines)
        self._lines_lost = 0
        self._callbacks: dict[str, Callable[[Any], None]] = {}
        self._log_callback: Callable[[list[str], int], None] | None = None
        self._stopped = threading.Event()
        self._delivering = False
        self._last = 0.0
        self._binding = root.bind("<Destroy>", self._on_destroy, add="+")
        self._after: str | None = None
        self._schedule()

    @classmethod
    def of(cls, widget: tkinter.Misc, hz: float | Callable[[], float] = 10.0) -> Pump:
        """The pump of a widget's root window; created when there is none yet.

        `RuntimeError` on another thread than the main one when there is none yet: which thread runs
        `mainloop` cannot be asked without a Tk call, so the first pump must be created where that is known.
        """
        root = widget._root()  # type: ignore[attr-defined]  # follows `master`; no Tk call
        pump: Pump | None = root.__dict__.get(_ATTRIBUTE)
        if pump is None or not pump.running:
            if threading.current_thread() is not threading.main_thread():
                raise RuntimeError(
                    "Could not reach Tk from this thread: no pump was created on Tk's thread. "
                    "Call foldercomparesync.tk.Pump.install(root, hz) once on the thread that runs mainloop."
                )
            pump = cls.install(root, hz)
        return pump

    @classmethod
    def install(cls, root: tkinter.Misc, hz: float | Callable[[], float] = 10.0) -> Pump:
        """Creates the pump that `of` finds. Call it on Tk's thread."""
        root = root._root()  # type: ignore[attr-defined]
        pump: Pump | None = root.__dict__.get(_ATTRIBUTE)
        if pump is None or not pump.running:
            pump = root.__dict__[_ATTRIBUTE] = cls(root, hz)
        return pump

    # --- From any thread ---

    @property
    def running(self) -> bool:
        """Whether values are still delivered."""
        return not self._stopped.is_set()

    def on_tk_thread(self) -> bool:
        """Whether the calling thread is the one that may make Tk calls."""
        return threading.get_ident() == self._thread

    def put(self, channel: str, value: Any = None, *, urgent: bool = False) -> bool:
        """Makes `value` the latest of `channel`; an undelivered older one is dropped.

        An urgent value waits at most 50 ms for Tk, whatever the frequency. `False` when the window is gone.
        """
        if self._stopped.is_set():
            return False
        with self._lock:
            (self._urgent if urgent else self._values)[channel] = value
        return True

    def log(self, line: str) -> None:
        """Adds a line for the callback of `on_log`."""
        with self._lock:
            if len(self._lines) == self._lines.maxlen:
                self._lines_lost += 1
            self._lines.append(line)

    def stop(self) -> None:
        """Ends delivery. The callback that Tk still holds does nothing when its time comes."""
        self._stopped.set()
        if self.on_tk_thread():
            self._let_go()

    # --- On Tk's thread ---

    def subscribe(self, channel: str, callback: Callable[[Any], None]) -> None:
        """`callback(value)` is called on Tk's thread. What it raises is logged."""
        self._callbacks[channel] = callback

    def unsubscribe(self, channel: str) -> None:
        """Undelivered values of the channel are dropped."""
        self._callbacks.pop(channel, None)
        with self._lock:
            self._values.pop(channel, None)
            self._urgent.pop(channel, None)

    def on_log(self, callback: Callable[[list[str], int], None]) -> None:
        """`callback(lines, lost)` is called with the new lines and the count of those that were dropped
        before them.
        """
        self._log_callback = callback

    def drain(self, *, only_if_due: bool = False) -> bool:
        """Delivers what there is now. For code that keeps Tk's thread busy and still wants its bars to move.

        `False` when nothing was delivered: it was not due, or a delivery is under way.
        """
        if self._delivering or self._stopped.is_set():
            return False
        now = time.monotonic()
        if only_if_due and now - self._last < self._period():
            return False
        self._last = now
        self._deliver(everything=True)
        return True

    def _period(self) -> float:
        try:
            return 1.0 / max(0.1, min(60.0, float(self._hz())))
        except (TypeError, ValueError):
            return 0.5

    def _schedule(self) -> None:
        if self._root is not None:
            wait = min(self._period(), _URGENT_SECONDS)
            self._after = self._root.after(max(1, round(wait * 1000)), self._tick)

    def _tick(self) -> None:
        self._after = None
        if self._stopped.is_set():
            self._let_go()
            return
        now = time.monotonic()
        # Half of a tick early is nearer to the asked frequency than one tick late.
        due = now - self._last >= self._period() - _URGENT_SECONDS / 2
        if due:
            self._last = now
        try:
            self._deliver(everything=due)
        finally:
            self._schedule()

    def _deliver(self, everything: bool) -> None:
        with self._lock:
            urgent, self._urgent = self._urgent, {}
            values: dict[str, Any] = {}
            lines: list[str] = []
            lost = 0
            if everything:
                values, self._values = self._values, {}
                if self._log_callback is not None:
                    lines, lost = list(self._lines), self._lines_lost
                    self._lines.clear()
                    self._lines_lost = 0
        self._delivering = True
        try:
            for channel, value in [*values.items(), *urgent.items()]:
                callback = self._callbacks.get(channel)
                if callback is not None:
                    self._call(callback, value)
            if lines and self._log_callback is not None:
                self._call(self._log_callback, lines, lost)
        finally:
            self._delivering = False

    def _call(self, callback: Callable[..., None], *arguments: Any) -> None:
        if self._stopped.is_set():
            return
        try:
            callback(*arguments)
        except tkinter.TclError as error:
            _log.debug("a widget is gone: %s", error)
        except Exception:
            _log.exception("a callback of the pump failed")

    def _on_destroy(self, event: tkinter.Event[tkinter.Misc]) -> None:
        # Toplevels are among the bindings of each widget inside them: only the root's own end counts.
        if event.widget is self._root:
            self._stopped.set()
            self._let_go()

    def _let_go(self) -> None:
        """Drops every reference to Tk: the last one must not be dropped by a worker, which would free Tcl
        there.
        """
        root, self._root = self._root, None
        if root is None:
            return
        if self._after is not None:
            try:
                root.after_cancel(self._after)
            except tkinter.TclError:  # the window is already gone
                pass
            self._after = None
        if root.__dict__.get(_ATTRIBUTE) is self:
            del root.__dict__[_ATTRIBUTE]
        self._callbacks.clear()
        self._log_callback = None
        with self._lock:
            self._values.clear()
            self._urgent.clear()


class LogHandler(logging.Handler):
    """Sends the records of `logging` to the log of a pump."""

    def __init__(self, pump: Pump, level: int = logging.INFO) -> None:
        super().__init__(level)
        self._pump = pump

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._pump.log(self.format(record))
        except Exception:
            self.handleError(record)
