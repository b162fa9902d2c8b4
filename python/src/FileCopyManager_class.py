"""Copies files safely for a Tkinter program: the owner's interface over the engine of FolderCompareSync.

Invariants:

* `copy_file` raises for no problem of a copy: it returns a result with `success=False` and a sentence that
  says why.
* Files between `start_copy_operation` and `end_copy_operation` are one run, undone as a whole; any other file
  is a run of its own. A dry run writes nothing.
* Each file ends before `copy_file` returns. Where the caller sets `FILECOPY_GROUP_AFTER_FILES`, small files after so many
  of an operation get their names in groups instead, which saves the syncs of each. Their result says success before that,
  with `verification_passed=False`; their sources must be kept until the operation has ended. When the group is done, the
  same result object is changed, a failure is told, and `end_copy_operation` lists it. `timestamp_manager` waits for what it needs.
* No lock is held while code of the caller runs (`status_callback`, `progress_manager`, `cancel_event`). What
  that code raises is logged and goes no further. A copy that it starts, in the same operation or into the
  same folder, is refused, because it would wait for itself.
* Methods may be called from any thread. Two copies of one operation at the same time follow one another.

How a file is copied is not known here; the engine decides.
"""

import atexit
import logging
import os
import secrets
import stat
import threading
import time
import warnings
import weakref
from dataclasses import dataclass
from enum import Enum

import FolderCompareSync_Global_Constants as C
from FileTimestampManager_class import FileTimestampManager_class
from foldercomparesync import _engine, _operation_log
from foldercomparesync._operation_log import printable
from foldercomparesync._turn import Turn, volume_turns

_log = logging.getLogger("foldercomparesync.copy")
_NOT_GIVEN = object()
_MIB = 1 << 20
_POLL_SECONDS = 0.1


class FileCopyManager_class:
    """See the head of this module.

    Attributes, all of which may be read at any moment:

    * `status_callback`: called with one line of text for each event; assign at any moment.
    * `cancel_event`: a `threading.Event`, or `None`; when it is set, the copy under way ends and later ones
      refuse.
    * `progress_manager`: `None`, or an object with `cancellation_callback() -> bool`,
      `update_file_progress(path, bytes_done, bytes_total, strategy)` and `update_verify_progress(bytes_done,
      bytes_total)`.
    * `operation_id`, `operation_logger`, `operation_sequence`: of the open operation; `None`, `None` and 0
      without one.
    * `timestamp_manager`, `dry_run_mode`, `blake3_available` (always true: the engine has it).
    """

    class CopyStrategy(Enum):
        """How a file is copied."""

        DIRECT = "direct"
        STAGED = "staged"
        NETWORK = "network"  # exists for callers that name it; never returned

    class DriveType(Enum):
        """What a path is on."""

        LOCAL_FIXED = "local_fixed"
        LOCAL_REMOVABLE = "local_removable"
        NETWORK_MAPPED = "network_mapped"
        NETWORK_UNC = "network_unc"
        CLOUD_STORAGE = "cloud_storage"
        RELATIVE = "relative"
        UNKNOWN = "unknown"

    @dataclass
    class CopyOperationResult:
        """What became of one file. Sizes in bytes, times in seconds, `throughput_mbps` in MiB per second."""

        success: bool
        strategy_used: "FileCopyManager_class.CopyStrategy"
        source_path: str
        target_path: str
        file_size: int
        duration_seconds: float
        bytes_copied: int = 0
        error_message: str = ""
        verification_passed: bool = False
        retry_count: int = 0
        temp_path: str = ""
        backup_path: str = ""
        verification_mode: str = ""
        hash_algorithm: str = ""
        computed_hash: str = ""
        rollback_performed: bool = False
        rollback_success: bool = False
        sparse_file_detected: bool = False
        throughput_mbps: float = 0.0
        cancelled_by_user: bool = False
        time_backup: float = 0.0  # always 0: the original is renamed, not copied
        time_copy: float = 0.0
        time_verify: float = 0.0
        time_cleanup: float = 0.0  # the rest: sync, journal, rename
        error_code: int = 0
        error_details: str = ""
        recovery_suggestion: str = ""
        evidence: str = ""  # "device", "cache", "shared", "not requested" or "none"
        run_id: str = ""

    def __init__(self, status_callback=None):
        """`status_callback(str)` is called on the thread that copies."""
        self.status_callback = status_callback
        self.progress_manager = None
        self.cancel_event = None
        self.operation_id = None
        self.operation_logger = None
        self.operation_sequence = 0
        self.blake3_available = True
        self._lock = (
            threading.Lock()
        )  # for the attributes of the open operation; never held while anything is called
        self._operation = None
        self._dry_run_mode = False
        self.timestamp_manager = self._new_timestamp_manager()

    # --- Dry run ---

    @property
    def dry_run_mode(self) -> bool:
        """Whether copies and times are only rehearsed. Assigning is `set_dry_run_mode`."""
        return self._dry_run_mode

    @dry_run_mode.setter
    def dry_run_mode(self, enabled):
        self.set_dry_run_mode(enabled)

    def set_dry_run_mode(self, enabled):
        """From the next call on, nothing is written; replaces `timestamp_manager` by a new object of the same
        mode.
        """
        self._dry_run_mode = bool(enabled)
        self.timestamp_manager = self._new_timestamp_manager()

    def _new_timestamp_manager(self):
        manager = FileTimestampManager_class(dry_run=self._dry_run_mode)
        manager._before_use = self._before_times
        return manager

    # --- Operations ---

    def start_copy_operation(self, operation_name, dry_run=False) -> str:
        """Begins a run for all files until `end_copy_operation`; returns its id, 8 hexadecimal digits.

        Opens the operation's log and sets `operation_sequence` to 0. With `dry_run`, nothing is written until
        the end, whatever `dry_run_mode` is set to meanwhile. An operation that is still open is ended first.
        """
        if self._operation is not None:
            self._log_status("The operation before was not ended. It is ended now.")
            self._end_operation(None)
        operation_id = secrets.token_hex(4)
        operation = _Operation(
            operation_id, str(operation_name), bool(dry_run), self.create_copy_operation_logger(operation_id)
        )
        if dry_run and not self._dry_run_mode:
            operation.restores_mode = True
            self.set_dry_run_mode(True)
        with self._lock:
            self._operation = operation
            self.operation_id = operation_id
            self.operation_logger = operation.logger
            self.operation_sequence = 0
        _operation_log.banner(
            operation.logger,
            [
                ("Operation", operation.name),
                ("Id", operation_id),
                ("Began", time.strftime("%Y-%m-%d %H:%M:%S %z")),
                ("Dry run", "yes, nothing is written" if dry_run or self._dry_run_mode else "no"),
                ("Verify", C.FILECOPY_VERIFY_POLICY),
                ("Engine", _engine.VERSION),
            ],
        )
        self._tell(operation.logger, f"Operation {operation_id} began: {operation.name}")
        return operation_id

    def end_copy_operation(self, success_count=0, error_count=0, total_bytes=0):
        """Ends the run, writes the totals (the caller's and the engine's) to the log, and tells of late
        errors.

        A late error is one that only the end of a run shows, such as a folder whose times could not be set.
        Returns what the engine reports: `run_ids`, `roots`, `copied`, `failed`, `bytes`, `errors`; `None`
        when no operation is open. Called by a progress callback, it ends the operation after the file under
        way, and returns `None`.
        """
        return self._end_operation((success_count, error_count, total_bytes))

    def _end_operation(self, counts):
        with self._lock:
            operation, self._operation = self._operation, None
            self.operation_id = None
            self.operation_logger = None
            self.operation_sequence = 0
        if operation is None:
            self._log_status("No copy operation is open, so none was ended.")
            return None
        operation.counts = counts
        if operation.restores_mode:
            self.set_dry_run_mode(False)
        if operation.is_of_another_process():
            return operation.end()
        if operation.turn.is_mine():
            operation.ends_after_copy = True
            return None
        operation.turn.take()
        try:
            return self._finish(operation)
        finally:
            operation.turn.release()

    def _finish(self, operation):
        """Ends the run of an operation whose turn this thread has."""
        self._take_settled(operation, operation.settle())
        report = operation.end()
        rows = [("Operation", f"{operation.name} ({operation.operation_id})")]
        if operation.counts is not None:
            succeeded, failed, size = operation.counts
            rows.append(("Reported", f"{succeeded} copied, {failed} failed, {size} bytes"))
        rows.append(
            ("Copied", f"{report['copied']} files, {report['bytes']} bytes; {report['failed']} failed")
        )
        rows.extend(("Run", run_id) for run_id in report["run_ids"])
        rows.append(("Seconds", f"{time.monotonic() - operation.began:.3f}"))
        _operation_log.banner(operation.logger, rows)
        for error in report["errors"]:
            self._tell(operation.logger, error, logging.ERROR)
        self._tell(
            operation.logger,
            f"Operation {operation.operation_id} ended: "
            f"{report['copied']} copied, {report['failed']} failed.",
        )
        _operation_log.close(operation.logger)
        return report

    # --- One file ---

    def copy_file(self, source_path, target_path, overwrite=_NOT_GIVEN):
        """Copies one file to the name `target_path`, verifies it by the policy, and only then replaces what
        was there.

        Returns a `CopyOperationResult`; `overwrite` is ignored, because every copy is verified and can be
        undone.
        """
        if overwrite is not _NOT_GIVEN:
            warnings.warn(
                "copy_file ignores its third argument: every copy is verified and can be undone.",
                DeprecationWarning,
                stacklevel=2,
            )
        began = time.monotonic()
        with self._lock:
            operation = self._operation
            if operation is not None:
                self.operation_sequence += 1
            sequence = self.operation_sequence
        logger = _log if operation is None else operation.logger
        source, target = _shown(source_path), _shown(target_path)
        try:
            result = self._copy(operation, source_path, target_path)
        except Exception as error:  # whatever went wrong, his loop over the files must go on
            logger.debug("copy_file failed", exc_info=True)
            result = self._refused(
                source, target, f"Could not copy {printable(source)}: {error}", details=type(error).__name__
            )
        result.duration_seconds = result.duration_seconds or time.monotonic() - began
        self._report(logger, sequence, result)
        return result

    def _copy(self, operation, source_path, target_path):
        source, target = os.fsdecode(source_path), os.fsdecode(target_path)
        refusal = self._refuse_early(source, target)
        if refusal is not None:
            return refusal
        if operation is not None:
            return self._copy_in_turn(operation, source, target)
        with volume_turns.of(_volume(target)) as turn:
            alone = _Operation("", f"Copy of {os.path.basename(source)}", False, _log, turn)
            return self._copy_in_turn(alone, source, target, ends=True)

    def _copy_in_turn(self, operation, source, target, ends=False):
        operation.check_process()  # before its turn, which a thread may have that does not exist here
        if operation.turn.is_mine():
            return self._refused(
                source,
                target,
                f"Could not copy {printable(source)}: a progress callback asked for it "
                "in the middle of another copy. " + _UNTOUCHED,
                hint="Copy it after the callback has returned.",
            )
        if not operation.turn.take(self._is_cancelled):
            return self._cancelled(source, target)
        if operation.has_ended:  # by another thread, while this one waited
            operation.turn.release()
            return self._copy(None, source, target)
        try:
            poll = _Poll(self, source)
            report = None
            result = None
            try:
                engine = operation.engine(self._dry_run_mode)
                # A cancel must be seen soon even where progress is shown seldom.
                interval = min(_POLL_SECONDS, 1 / C.FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ)
                outcome = engine.copy_file(source, target, poll, interval)
                result = self._result(source, target, outcome)
                if outcome.waits:
                    operation.waiting[outcome.target_text] = result
                self._take_settled(operation, operation.take_settled())
            finally:
                if ends:
                    report = operation.end()
                elif operation.ends_after_copy:
                    self._finish(operation)
            if poll.interrupt is not None:
                raise poll.interrupt
            if report is not None and report["errors"]:
                late = " ".join(report["errors"])
                result.error_details = f"{result.error_details} {late}".strip()
                self._tell(_log, late, logging.ERROR)
            return result
        finally:
            operation.turn.release()

    def _take_settled(self, operation, settled):
        """Brings the results of files that waited for their group up to date, and tells which failed."""
        for outcome in settled:
            result = operation.waiting.pop(outcome.target_text, None)
            if result is None:
                continue
            final = self._result(result.source_path, result.target_path, outcome)
            # How long it took is known from its copy alone.
            kept = _TIMES if final.success else ()
            vars(result).update((name, value) for name, value in vars(final).items() if name not in kept)
            if not result.success:
                self._tell(
                    operation.logger, f"It failed with its group: {result.error_message}", logging.ERROR
                )

    def _before_times(self, path, changes):
        """Called by `timestamp_manager`: a file that waits is not there yet, and its arrival changes its
        folder's time.
        """
        operation = self._operation
        if operation is None or not operation.waiting or operation.is_of_another_process():
            return
        if operation.turn.is_mine():
            return
        if not changes and os.path.abspath(os.fsdecode(path)) not in operation.waiting:
            return
        if not operation.turn.take(self._is_cancelled):
            return
        try:
            self._take_settled(operation, operation.settle())
        finally:
            operation.turn.release()

    def _refuse_early(self, source, target):
        """What needs no run: a cancel, a source that is no file, a size over the owner's limit."""
        if self._is_cancelled():
            return self._cancelled(source, target)
        for path in (source, target):
            if _engine.is_unc(path):  # before anything is asked of the network
                return self._refused(
                    source,
                    target,
                    f"Could not copy {printable(source)}: "
                    f"{printable(path)} names a server instead of a drive. {_UNTOUCHED}",
                    hint="Map a drive letter to it.",
                )
        try:
            found = os.stat(source)
        except FileNotFoundError:
            return self._refused(
                source,
                target,
                f"Could not copy {printable(source)}: there is no such file. {_UNTOUCHED}",
                hint="Compare the folders again.",
                code=2,
            )
        except (OSError, ValueError):
            return None  # the engine finds the same and words it
        if stat.S_ISDIR(found.st_mode):
            return self._refused(
                source,
                target,
                f"Could not copy {printable(source)}: it is a folder, not a file. {_UNTOUCHED}",
            )
        limit = C.FILECOPY_MAXIMUM_COPY_FILE_SIZE_BYTES
        if stat.S_ISREG(found.st_mode) and found.st_size > limit:
            return self._refused(
                source,
                target,
                f"Could not copy {printable(source)}: it has {found.st_size} bytes, "
                f"and the limit is {limit}. {_UNTOUCHED}",
                hint="Raise FILECOPY_MAXIMUM_COPY_FILE_SIZE_BYTES to copy it.",
                size=found.st_size,
            )
        return None

    def _is_cancelled(self):
        event = self.cancel_event
        try:
            return event is not None and bool(event.is_set())
        except Exception:
            _log.exception("cancel_event failed")
            return False

    # --- Results ---

    def _refused(self, source, target, message, *, hint="", code=0, details="", size=0):
        return self.CopyOperationResult(
            False,
            self.CopyStrategy.DIRECT,
            source,
            target,
            size,
            0.0,
            error_message=message,
            error_code=code,
            error_details=details,
            recovery_suggestion=hint,
            evidence="none",
        )

    def _cancelled(self, source, target):
        result = self._refused(
            source, target, f"Cancelled before {printable(source)} was copied. {_UNTOUCHED}"
        )
        result.cancelled_by_user = True
        return result

    def _result(self, source, target, outcome):
        failed_late = not outcome.success and outcome.target_state == "unknown"
        return self.CopyOperationResult(
            outcome.success,
            _STRATEGIES[outcome.strategy],
            source,
            target,
            outcome.file_size,
            outcome.seconds,
            bytes_copied=outcome.bytes_copied,
            error_message=outcome.error
            or ("" if outcome.success else f"Could not copy {printable(source)}."),
            verification_passed=outcome.verified,
            retry_count=outcome.retries,
            temp_path=outcome.staged_path,
            backup_path=outcome.kept_path,
            verification_mode=outcome.verification,
            hash_algorithm=outcome.hash_algorithm,
            computed_hash=outcome.hash,
            rollback_performed=outcome.rolled_back or failed_late,
            rollback_success=outcome.rolled_back,
            sparse_file_detected=outcome.sparse,
            throughput_mbps=outcome.bytes_copied / _MIB / outcome.seconds if outcome.seconds > 0 else 0.0,
            cancelled_by_user=outcome.cancelled,
            time_copy=outcome.seconds_copy,
            time_verify=outcome.seconds_verify,
            time_cleanup=max(0.0, outcome.seconds - outcome.seconds_copy - outcome.seconds_verify),
            error_code=outcome.error_code,
            error_details=outcome.error_details or outcome.evidence_why,
            recovery_suggestion=outcome.hint,
            evidence=outcome.evidence,
            run_id=outcome.run_id,
        )

    def _report(self, logger, sequence, result):
        if result.success:
            verified = (
                f"verified by {result.verification_mode}" if result.verification_passed else "not verified"
            )
            did = "Copied"
            if result.evidence == "none" and not result.bytes_copied and result.file_size:
                did, verified = "Would copy", ""
            words = (f"{result.file_size} bytes", result.strategy_used.value, verified)
            line = f"{did} {printable(result.source_path)}: {', '.join(word for word in words if word)}"
            level = logging.INFO
        else:
            line = printable(result.error_message)
            level = logging.WARNING if result.cancelled_by_user else logging.ERROR
        if logger is _log:
            self._tell(logger, line, level)
        else:
            if logger.isEnabledFor(level):
                _operation_log.block(logger, level, f"[{sequence:04d}] {line}", self._rows(result))
            _log.log(level, "%s", line)
            self._call_back(line)
        if result.sparse_file_detected and C.FILECOPY_ATTRIBUTE_SPARSE_FILE_WARNING:
            name = printable(result.source_path)
            self._tell(
                logger, f"{name} is sparse: its content was copied, its holes may be filled.", logging.WARNING
            )

    @staticmethod
    def _rows(result):
        """What the operation's log says of one file; empty values are left out."""
        yes = "yes" if result.verification_passed else "no"
        took, copy, verify = result.duration_seconds, result.time_copy, result.time_verify
        return (
            ("source", result.source_path),
            ("target", result.target_path),
            ("size", f"{result.file_size} bytes, {result.bytes_copied} copied"),
            ("strategy", result.strategy_used.value),
            ("verified", f"{yes}, evidence: {result.evidence or 'none'}"),
            (result.hash_algorithm or "hash", result.computed_hash),
            (
                "seconds",
                f"{took:.3f} (copy {copy:.3f}, verify {verify:.3f}, rest {result.time_cleanup:.3f})",
            ),
            ("original", result.backup_path),
            ("retries", result.retry_count),
            ("details", result.error_details),
            ("what to do", result.recovery_suggestion),
            ("run", result.run_id),
        )

    # --- Messages ---

    def _log_status(self, message):
        """Sends a line to the operation's log (or `logging`) and to `status_callback`. Never raises."""
        logger = self.operation_logger
        self._tell(_log if logger is None else logger, message)

    def _tell(self, logger, message, level=logging.INFO):
        text = printable(message)
        logger.log(level, "%s", text)
        if logger is not _log:
            _log.log(level, "%s", text)
        self._call_back(text)

    def _call_back(self, text):
        callback = self.status_callback
        if callback is None:
            return
        try:
            callback(text)
        except Exception:
            _log.exception("status_callback failed")

    # --- Questions that need no manager ---

    @staticmethod
    def determine_copy_strategy(source_path, target_path, file_size):
        """How a file of `file_size` bytes would be copied, by the settings in force. Never raises."""
        try:
            return _STRATEGIES[_engine.strategy(source_path, target_path, int(file_size))]
        except Exception as error:
            _log.warning("Could not tell the strategy for %s: %s", _shown(source_path), error)
            return FileCopyManager_class.CopyStrategy.STAGED  # the one that is right on every volume

    @staticmethod
    def get_drive_type(path):
        """What a path is on. Never raises: `UNKNOWN` is an answer."""
        try:
            found = FileCopyManager_class.DriveType(_engine.drive_type(path))
        except Exception as error:
            _log.warning("Could not tell what %s is on: %s", _shown(path), error)
            return FileCopyManager_class.DriveType.UNKNOWN
        if found is FileCopyManager_class.DriveType.CLOUD_STORAGE and not C.FILECOPY_ENABLE_CLOUD_DETECTION:
            return FileCopyManager_class.DriveType.LOCAL_FIXED
        return found

    @staticmethod
    def create_copy_operation_logger(operation_id):
        """A logger with a new file in `FILECOPY_LOG_FOLDER`, named by date, time and id.

        Where the file cannot be written, or the setting `log_level` is off, its messages go to `logging`
        alone.
        """
        return _operation_log.open_logger(str(operation_id), C.FILECOPY_LOG_FOLDER)


_STRATEGIES = {
    "direct": FileCopyManager_class.CopyStrategy.DIRECT,
    "staged": FileCopyManager_class.CopyStrategy.STAGED,
}
_UNTOUCHED = "The target is unchanged."
_TIMES = frozenset(
    ("duration_seconds", "throughput_mbps", "time_copy", "time_verify", "time_cleanup", "retry_count")
)


def _shown(path):
    """A path as text for a result, whatever was passed."""
    try:
        return os.fsdecode(path)
    except TypeError:
        return repr(path)


def _volume(target):
    """Which volume a target is on. Copies to one volume may share the folder whose lock a run holds."""
    folder = os.path.dirname(os.path.abspath(target))
    while True:
        try:
            return os.stat(folder).st_dev
        except OSError:
            above = os.path.dirname(folder)
            if above == folder:
                return folder
            folder = above


class _Poll:
    """Passes the engine's progress of one file to the caller's objects, as they are at that moment."""

    def __init__(self, manager, source):
        self._manager = manager
        self._source = source
        self._failed = set()
        self._copied = 0
        self._verified = 0
        self.interrupt = None

    def __call__(self, copied, verified, total, strategy):
        """Whether to cancel."""
        try:
            return self._report(copied, verified, total, strategy)
        except (
            BaseException
        ) as error:  # Ctrl+C in a callback: the copy ends safely first, then it is raised again
            self.interrupt = error
            return True

    def _report(self, copied, verified, total, strategy):
        if self._manager._is_cancelled():
            return True
        progress = self._manager.progress_manager
        if progress is None:
            return False
        if (
            strategy
        ):  # the engine names none while it opens and while it commits the file, and then counts nothing
            # A file that changed while it was read is copied again from its beginning; a bar must not run
            # backwards.
            self._copied = max(self._copied, copied)
            self._verified = max(self._verified, verified)
            self._call(progress, "update_file_progress", self._source, self._copied, total, strategy)
            if self._verified:
                self._call(progress, "update_verify_progress", self._verified, total)
        return bool(self._call(progress, "cancellation_callback"))

    def _call(self, progress, name, *arguments):
        try:
            method = getattr(progress, name, None)
            return None if method is None else method(*arguments)
        except Exception:
            # Once for each method and file: a broken manager must not fill the log with the same trace.
            if name not in self._failed:
                self._failed.add(name)
                _log.exception("progress_manager.%s failed", name)
            return None


class _Operation:
    """An open operation: its run, its log, and whose turn it is."""

    def __init__(self, operation_id, name, dry_run, logger, turn=None):
        self.operation_id = operation_id
        self.name = name
        self.dry_run = dry_run
        self.logger = logger
        self.turn = turn or Turn()
        self.began = time.monotonic()
        self.counts = None
        self.restores_mode = False
        self.ends_after_copy = False
        self.has_ended = False
        self.waiting = {}  # results of files that wait for their group, by their absolute targets
        self._process = os.getpid()
        self._real = None
        self._rehearsal = None
        _open_operations.add(self)

    def is_of_another_process(self):
        """Whether this process is a fork of the one that began it."""
        return os.getpid() != self._process

    def check_process(self):
        """`RuntimeError` in a fork."""
        if self.is_of_another_process():
            raise RuntimeError(
                "this process is a fork of the one that began the operation. Begin an operation of its own"
            )

    def engine(self, dry_run):
        """The engine's operation, for a file that is to be copied or rehearsed."""
        if dry_run or self.dry_run:
            if self._rehearsal is None:
                self._rehearsal = _engine.Operation(self.name, True)
            return self._rehearsal
        if self._real is None:
            self._real = _engine.Operation(self.name, False, self._group_after())
        return self._real

    def _group_after(self):
        """A file by itself has nothing to wait for."""
        return C.FILECOPY_GROUP_AFTER_FILES if self.operation_id else None

    def settle(self):
        """Has waiting files get their names; the outcomes of all that did since it was asked last."""
        if self._real is None or self.is_of_another_process():
            return []
        try:
            return self._real.settle()
        except Exception:  # `end` will say what became of them
            _log.exception("the files that wait could not get their names")
            return []

    def take_settled(self):
        """The same for groups that are complete already."""
        return self._real.take_settled() if self._real is not None else []

    def end(self):
        """Ends the run of this process; what it reports, with what could not be ended among the errors."""
        total = {"run_ids": [], "roots": [], "copied": 0, "failed": 0, "bytes": 0, "errors": []}
        if self.is_of_another_process():
            return total
        self.has_ended = True
        for engine in (self._real, self._rehearsal):
            if engine is None:
                continue
            try:
                for key, value in engine.end().items():
                    if key in total:
                        total[key] = total[key] + (list(value) if isinstance(value, (list, tuple)) else value)
            except Exception as error:
                total["errors"].append(f"Could not end the run: {error}")
        _open_operations.discard(self)
        return total


_open_operations = weakref.WeakSet()


@atexit.register
def _end_open_operations():
    """A program that forgets `end_copy_operation` leaves no interrupted run, unless it ends in mid-copy."""
    for operation in list(_open_operations):
        if not operation.is_of_another_process() and operation.turn.try_take():
            try:
                operation.end()
                _operation_log.close(operation.logger)
            finally:
                operation.turn.release()
