"""Progress of a copy operation: the file under way and all files together, counted in bytes, in a window.

Assign it to `FileCopyManager_class.progress_manager`. Invariant: every method may be called from any thread
and makes no Tk call; it only counts. Text, rate and remaining time are worked out when the window is drawn,
so 100,000 updates a second cost no more drawing than two. `cancellation_callback` is true once the user
pressed Cancel, the window is gone, or the caller's own callback says so. This module knows nothing of how a
file is copied.
"""

import itertools
import logging
import os
import threading
import time

import FolderCompareSync_Global_Constants as C
from ProgressDialog_class import ProgressDialog_class

_log = logging.getLogger("foldercomparesync.tk")
_numbers = itertools.count(1)
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_RATE_SECONDS = 5.0
"""The rate is the average of about this long: less jumps, more hides that a disk became slow."""


class CopyProgressManager_class:
    """See the head of this module. `progress_dialog` is the window.

    `total_files` and `total_bytes` may be assigned at any moment, when they are known.
    """

    def __init__(self, parent, operation_name, total_files=0, total_bytes=0, cancellation_callback=None):
        """Shows the window. Totals of 0 are unknown: without bytes, files are counted; without both, activity
        is shown.
        """
        self.operation_name = str(operation_name)
        self.total_files = int(total_files)
        self.total_bytes = int(total_bytes)
        self._callers_cancellation = cancellation_callback
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._files = {}  # the file of each thread that copies
        self._shown = None
        self._files_done = 0
        self._files_failed = 0
        self._bytes_done = 0
        self._finished = None
        self._cancel_handler = None
        self._began = time.monotonic()
        self._rate = _Rate()
        self.progress_dialog = ProgressDialog_class(
            parent, operation_name, operation_name, dual_progress=True
        )
        self._pump = self.progress_dialog._pump
        self._channel = f"copy-{next(_numbers)}"
        self._pump.subscribe(self._channel, self._draw)
        self.progress_dialog._destroyed_handler = self._on_destroyed
        self.progress_dialog.set_cancel_handler(self.cancel)
        self._changed()

    @property
    def dialog(self):
        """The `Toplevel`, or `None` when the window is not there."""
        return self.progress_dialog.dialog

    # --- Cancelling ---

    def cancellation_callback(self) -> bool:
        """Whether the copy is to end. Polled by the copying thread."""
        if self._cancelled.is_set():
            return True
        callback = self._callers_cancellation
        if callback is None:
            return False
        try:
            return bool(callback())
        except Exception:
            _log.exception("cancellation_callback failed")
            return False

    def cancel(self):
        """What the Cancel button does."""
        self._cancelled.set()
        handler = self._cancel_handler
        if handler is not None:
            try:
                handler()
            except Exception:
                _log.exception("the cancel handler failed")

    def set_cancel_handler(self, handler):
        """`handler()` is called, on Tk's thread, when the user cancels: to set an event of the caller, for
        instance.
        """
        self._cancel_handler = handler

    # --- One file ---

    def start_copy_phase(self, path="", bytes_total=0, strategy=""):
        """A file of `bytes_total` bytes begins on this thread."""
        with self._lock:
            self._begin(_text(path), int(bytes_total), str(strategy))
        self._changed()

    def start_verify_phase(self, path="", bytes_total=0):
        """The file of this thread is copied and is now verified."""
        with self._lock:
            current = self._files.get(threading.get_ident())
            if current is None or (path and current.path != _text(path)):
                current = self._begin(_text(path), int(bytes_total), "")
            current.copied = current.total = max(current.total, int(bytes_total))
            current.verifies = True
        self._changed()

    def update_file_progress(self, path, bytes_done, bytes_total, strategy=""):
        """`bytes_done` of `bytes_total` bytes are copied."""
        with self._lock:
            current = self._files.get(threading.get_ident())
            text = path if type(path) is str else _text(path)
            if current is None or current.path != text:
                current = self._begin(text, bytes_total, strategy)
            current.copied = bytes_done
            current.total = bytes_total
            if strategy:
                current.strategy = strategy
            self._shown = current
        self._changed()

    def update_verify_progress(self, bytes_done, bytes_total):
        """`bytes_done` of `bytes_total` bytes of the file of this thread are verified."""
        with self._lock:
            current = self._files.get(threading.get_ident())
            if current is None:
                return
            current.verified = bytes_done
            current.total = max(current.total, bytes_total)
            current.verifies = True
        self._changed()

    def complete_file(self, path="", success=True, bytes_total=None):
        """The file of this thread is done, or `path`, if that never reported progress (an empty one, for
        instance). `complete_file(True)` tells the success of the file of this thread.
        """
        if isinstance(path, bool):
            path, success = "", path
        with self._lock:
            thread = threading.get_ident()
            current = self._files.get(thread)
            text = _text(path)
            if current is None or (text and current.path != text):
                current = _File(text, int(bytes_total or 0), "")
            else:
                self._files.pop(thread)
            if bytes_total is not None:
                current.total = int(bytes_total)
            self._count(current, bool(success))
        self._changed()

    # --- The operation ---

    def complete_operation(self, success=True, message=""):
        """Everything is done: full bars, the totals, and a button that closes the window."""
        with self._lock:
            for current in self._files.values():
                self._count(current, True)
            self._files.clear()
            self._finished = (bool(success), str(message))
        self._pump.put(self._channel, urgent=True)

    def close(self):
        """Takes the window away. May be called again."""
        self.progress_dialog.close()

    # --- Counting, under the lock ---

    def _begin(self, path, total, strategy):
        thread = threading.get_ident()
        before = self._files.get(thread)
        if before is not None and before.path and before.copied >= before.total:
            self._count(
                before, True
            )  # its end was not told; the next file of the same thread is proof enough
        current = self._files[thread] = self._shown = _File(path, total, strategy)
        return current

    def _count(self, current, success):
        self._files_done += 1
        self._files_failed += not success
        self._bytes_done += current.total

    def _changed(self):
        self._pump.put(self._channel)

    # --- Drawing, on Tk's thread ---

    def _draw(self, _value):
        with self._lock:
            shown = self._shown
            file = (
                None
                if shown is None
                else (shown.path, shown.copied, shown.verified, shown.total, shown.strategy, shown.verifies)
            )
            flying = [(f.copied, f.verified, f.total, f.verifies) for f in self._files.values()]
            files, failed, done = self._files_done, self._files_failed, self._bytes_done
            finished = self._finished
        dialog = self.progress_dialog
        copied = done + sum(f[0] for f in flying)
        work = done + sum(_work(*f) for f in flying)
        if finished is not None:
            self._draw_end(dialog, finished, files, failed, copied)
            return
        number = f"file {files + bool(flying):,}" + (f" of {self.total_files:,}" if self.total_files else "")
        message = f"{self.operation_name}: {number}"
        if file is None:
            dialog.update_message(message)
        else:
            path, f_copied, f_verified, f_total, strategy, verifies = file
            detail = f"{_size(f_copied)} of {_size(f_total)}" + (f", {strategy}" if strategy else "")
            verified = f"{_size(f_verified)} of {_size(f_total)}" if verifies else ""
            dialog._note(
                copy=100.0 * (f_copied / f_total if f_total else 1.0),
                verify=100.0 * (f_verified / f_total if f_total else 1.0) if verifies or not f_total else 0.0,
                message=message,
                copy_message=f"{os.path.basename(path)}   {detail}",
                verify_message=verified,
            )
        fraction, text = self._overall(files, copied, work)
        dialog.update_overall_progress(fraction, text)
        if dialog.dialog is not None:
            dialog._draw(
                None
            )  # this is Tk's thread, in the pump's round: the next one would be half a second late

    def _overall(self, files, copied, work):
        rate = self._rate.of(work, time.monotonic())
        parts = []
        if self.total_bytes:
            fraction = min(1.0, work / self.total_bytes)
            parts.append(f"{_size(copied)} of {_size(self.total_bytes)}")
        else:
            fraction = min(1.0, files / self.total_files) if self.total_files else None
            parts.append(_size(copied))
        if rate > 0:
            parts.append(f"{_size(rate)}/s")
            if self.total_bytes and work < self.total_bytes:
                parts.append(f"{_duration((self.total_bytes - work) / rate)} left")
        return fraction, "   ".join(parts)

    def _draw_end(self, dialog, finished, files, failed, copied):
        success, message = finished
        seconds = time.monotonic() - self._began
        counts = f"{files:,} files, {_size(copied)}, {_duration(seconds)}" + (
            f", {failed:,} failed" if failed else ""
        )
        outcome = message or ("Finished" if success else "Not finished")
        dialog._note(copy_message="", verify_message="", overall=1.0, overall_message=counts)
        dialog.set_completion_phase(f"{self.operation_name}: {outcome}")
        if dialog.dialog is not None:
            dialog._draw(None)

    def _on_destroyed(self):
        """The window is gone, by `close` or with its parent (then the dialog has called `cancel`)."""
        self._pump.unsubscribe(self._channel)


class _File:
    """Bytes of one file."""

    __slots__ = ("path", "total", "strategy", "copied", "verified", "verifies")

    def __init__(self, path, total, strategy):
        self.path = path
        self.total = total
        self.strategy = strategy
        self.copied = 0
        self.verified = 0
        self.verifies = False


def _work(copied, verified, total, verifies):
    """Bytes of work done on a file under way, where verifying is half of the work."""
    if verifies:
        return (copied + verified) / 2
    policy = C.FILECOPY_VERIFY_POLICY
    will = policy == "all" or (policy == "lt_threshold" and total < C.FILECOPY_VERIFY_THRESHOLD_BYTES)
    return copied / 2 if will else copied


class _Rate:
    """Bytes per second, smoothed."""

    def __init__(self):
        self._at = None
        self._work = 0.0
        self._rate = 0.0

    def of(self, work, now):
        if self._at is None:
            self._at, self._work = now, work
            return 0.0
        passed = now - self._at
        if passed >= 0.05:
            fresh = max(0.0, work - self._work) / passed
            weight = 1.0 if self._rate == 0.0 else min(1.0, passed / _RATE_SECONDS)
            self._rate += (fresh - self._rate) * weight
            self._at, self._work = now, work
        return self._rate


def _text(path):
    return os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else str(path)


def _size(count):
    size = float(count)
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1024
    raise AssertionError("the last unit ends the loop")


def _duration(seconds):
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
