"""Reads, sets, copies and verifies the created and modified times of files and folders.

Invariant: `copy_timestamps` and the `_ns` methods are exact to what the volume stores, because they use
integers of nanoseconds; a `datetime` holds microseconds only. The access time is never set. Nothing here
follows a link. A manager in dry run writes nothing. Naive datetimes are local time.
"""

import logging
import time
from datetime import datetime, timedelta, timezone

from foldercomparesync import _engine

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_log = logging.getLogger("foldercomparesync.times")


class FileTimestampManager_class:
    """See the head of this module. One object may be used by several threads at once."""

    def __init__(self, dry_run=False):
        """With `dry_run`, setting and copying answer `True` and do nothing."""
        self.dry_run = bool(dry_run)
        self._before_use = None  # called with a path, and whether its times are to be changed

    def get_timezone_string(self) -> str:
        """The local time zone for people, such as `UTC+10:00 (AEST)`."""
        now = datetime.now().astimezone()
        offset = now.strftime("%z")
        return f"UTC{offset[:3]}:{offset[3:5]} ({now.tzname()})"

    # --- Reading ---

    def get_file_timestamps(self, path):
        """Created and modified as aware datetimes in local time; created is `None` where the volume keeps
        none.

        Raises `FileNotFoundError` or another `OSError`.
        """
        created, modified = self.get_file_timestamps_ns(path)
        return (None if created is None else _datetime(created, path)), _datetime(modified, path)

    def get_file_timestamps_ns(self, path) -> tuple[int | None, int]:
        """Created (or `None`) and modified in nanoseconds since 1970 (UTC). Raises `OSError`."""
        self._use(path, False)
        try:
            return _engine.times_ns(path)
        except _engine.EngineError as error:
            raise OSError(str(error)) from None  # callers of this class know no errors but the system's

    # --- Setting ---

    def set_file_timestamps(self, path, creation_time=None, modification_time=None) -> bool:
        """Sets one or both times from datetimes, naive ones being local; `None` leaves a time as it is.

        `False` when the system refuses, or the file does not have the times as asked: the volume stores
        coarser steps, or no program can set a created time there (the modified time is set all the same).
        `ValueError` when both are `None`, `FileNotFoundError` when there is no such file or folder.
        """
        return self.set_file_timestamps_ns(
            path,
            None if creation_time is None else _nanoseconds(creation_time),
            None if modification_time is None else _nanoseconds(modification_time),
        )

    def set_file_timestamps_ns(self, path, creation_ns=None, modification_ns=None) -> bool:
        """As `set_file_timestamps`, with integers of nanoseconds since 1970 (UTC)."""
        # Before the dry run: a rehearsal shows the mistake that the real call would raise.
        if creation_ns is None and modification_ns is None:
            raise ValueError("Could not set times: neither a created nor a modified time was given.")
        if self.dry_run:
            return True
        self._use(path, True)
        try:
            whole = _engine.set_times_ns(path, creation_ns, modification_ns)
        except FileNotFoundError:
            raise
        except (OSError, OverflowError, _engine.EngineError) as error:
            _log.warning("Could not set the times of %s: %s", path, error)
            return False
        if not whole:
            _log.warning("The times of %s are not exactly as asked: its volume cannot hold that.", path)
        return whole

    def copy_timestamps(self, src, dst) -> bool:
        """Sets the times of `src` on `dst`, exactly. Never raises; `False` when the system refuses.

        A date that no program can set there (created, on Linux), or finer than the volume of `dst` stores, is
        no failure: `dst` has all that it can have.
        """
        if self.dry_run:
            return True
        try:
            self._use(dst, True)
            whole = _engine.copy_times(src, dst)
        except Exception as error:  # the promise is to raise nothing, whatever was passed
            _log.warning("Could not copy the times of %s to %s: %s", src, dst, error)
            return False
        if not whole:
            _log.warning(
                "Could not copy the times of %s to %s: that volume cannot store one of them.", src, dst
            )
        return whole

    # --- Verifying ---

    def verify_timestamps(
        self, path, expected_creation=None, expected_modification=None, tolerance_seconds=1.0
    ) -> bool:
        """Whether the times are within `tolerance_seconds` of what is expected; `None` is not checked.

        `False` when the times cannot be read, or when nothing is expected, because nothing was verified then.
        """
        try:
            return self.verify_timestamps_ns(
                path,
                None if expected_creation is None else _nanoseconds(expected_creation),
                None if expected_modification is None else _nanoseconds(expected_modification),
                round(tolerance_seconds * 1_000_000_000),
            )
        except (OSError, OverflowError) as error:
            _log.warning("Could not verify the times of %s: %s", path, error)
            return False

    def verify_timestamps_ns(
        self, path, expected_creation_ns=None, expected_modification_ns=None, tolerance_ns=0
    ) -> bool:
        """As `verify_timestamps`, with integers of nanoseconds, and exact unless a tolerance is given. Raises
        `OSError`.
        """
        if expected_creation_ns is None and expected_modification_ns is None:
            _log.warning("No time was given to verify %s by.", path)
            return False
        found = self.get_file_timestamps_ns(path)
        return all(
            expected is None or (actual is not None and abs(actual - expected) <= tolerance_ns)
            for actual, expected in zip(found, (expected_creation_ns, expected_modification_ns))
        )

    def _use(self, path, changes):
        if self._before_use is not None:
            self._before_use(path, changes)


def _nanoseconds(when: datetime) -> int:
    if when.tzinfo is None:
        when = _local(when)
    # Integers throughout: `timestamp()` is a float, which cannot hold the microseconds of today.
    since = when - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000


def _local(naive: datetime) -> datetime:
    try:
        return naive.astimezone()
    except (OSError, OverflowError):
        # The C library of Windows knows no local time before 1970: the zone's standard offset is used there.
        return naive.replace(tzinfo=timezone(timedelta(seconds=-time.timezone)))


def _datetime(nanoseconds: int, path) -> datetime:
    try:
        when = _EPOCH + timedelta(microseconds=nanoseconds // 1_000)
    except OverflowError:
        raise OSError(
            f"Could not read the times of {path}: the year is not one that a datetime can hold."
        ) from None
    try:
        return when.astimezone()
    except (OSError, OverflowError):
        return when.astimezone(timezone(timedelta(seconds=-time.timezone)))
