"""Safe copies, comparisons and undo from Python: typed functions with ordinary names over the compiled
engine.

Invariant: no function here decides anything about a copy; each is one call of the engine, which decides. This
module knows neither Tk nor the names of the drop-in modules. Paths are `str`, `bytes` or `os.PathLike`; sizes
are bytes; times are integers of nanoseconds since 1970 (UTC), because a float cannot hold them.

Errors: `FileNotFoundError`, `PermissionError` and other `OSError`s of the system, `ValueError` for a value
that is not accepted, `EngineError` for what the engine refuses, with a text for people. A child after
`fork()` must not use an operation of its parent: `RuntimeError`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from . import _engine
from ._engine import (
    VERSION,
    Comparison,
    CopyOutcome,
    EngineError,
    RecoveryReport,
    Row,
    RunInfo,
    RunReport,
)

__all__ = [
    "Comparison",
    "CopyError",
    "CopyOutcome",
    "EngineError",
    "Operation",
    "RecoveryReport",
    "Row",
    "RunInfo",
    "RunReport",
    "Setting",
    "Times",
    "compare",
    "copy_file",
    "copy_times",
    "copy_tree",
    "drive_type",
    "is_unc",
    "recover",
    "runs",
    "set_times",
    "settings",
    "strategy",
    "sync_tree",
    "times",
    "undo",
]

__version__: str = VERSION

# A library says nothing on its own: what it logs is for whoever configures `logging`.
logging.getLogger(__name__).addHandler(logging.NullHandler())

StrPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
FilePoll = Callable[[int, int, int, str], object]
TreePoll = Callable[[str, int, int, int, int], object]


class CopyError(EngineError):
    """A file was not copied. `outcome` says what is at the target's name now, and what to do."""

    def __init__(self, outcome: CopyOutcome) -> None:
        super().__init__(" ".join(part for part in (outcome.error, outcome.hint) if part) or "Cancelled.")
        self.outcome = outcome


class Operation:
    """Files that are copied in one run, with one journal, undone as a whole.

    Use it in a `with` block; leaving the block ends the run, also after an exception. Nothing is written
    before the first file. One operation copies one file at a time, for whichever thread.

    With `group_after`, so many files end one by one, and small ones after them wait for each other and get their
    names in groups, because one sync for each is 10 to 90 times slower: `outcome.waits`. `settle` and the end of the
    operation give them their names. Keep the sources of those that wait until then. Without it no file waits.
    """

    def __init__(self, name: str, *, dry_run: bool = False, group_after: int | None = None) -> None:
        """`name` is for people, in the list of runs. A dry run writes nothing."""
        self._engine = _engine.Operation(name, dry_run, group_after)

    def copy_file(
        self, source: StrPath, target: StrPath, poll: FilePoll | None = None, interval: float = 0.1
    ) -> CopyOutcome:
        """Copies one file to the name `target`; a problem with it is in the outcome and is not raised.

        `poll(copied, verified, total, strategy)`, all in bytes, is called on this thread every `interval`
        seconds while a large file is copied, and at the end; a true result cancels. What it raises is
        swallowed. Raises `RuntimeError` in a child after `fork()`, and when a poll uses its own operation.
        """
        return self._engine.copy_file(source, target, poll, interval)

    def settle(self) -> list[tuple[Path, CopyOutcome]]:
        """Gives waiting files their names; target and outcome of all that waited since the last call."""
        return [(outcome.target, outcome) for outcome in self._engine.settle()]

    def end(self) -> dict[str, object]:
        """Ends the run. Keys: `run_ids`, `roots`, `copied`, `failed`, `bytes`, `errors`, `notes`.

        `errors` are sentences, among them what failed with its group. A second call tells of nothing.
        """
        return self._engine.end()

    @property
    def run_id(self) -> str:
        """The run, for `undo`; "" before the first file."""
        return self._engine.run_id

    @property
    def roots(self) -> list[Path]:
        """The folders on which a run of this operation is under way, for `undo`, `recover` and `runs`."""
        return self._engine.roots

    def __enter__(self) -> Operation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def copy_file(
    source: StrPath, target: StrPath, *, dry_run: bool = False, poll: FilePoll | None = None
) -> CopyOutcome:
    """Copies one file to the name `target`, verifies it, and only then replaces what was there. A run of its
    own.

    Raises `CopyError` when the file was not copied or the copy was cancelled; the target is then as it was,
    unless `outcome.target_state` says otherwise. For `poll` see `Operation.copy_file`.
    """
    with Operation("copy_file", dry_run=dry_run) as operation:
        outcome = operation.copy_file(source, target, poll)
    if not outcome.success:
        raise CopyError(outcome)
    return outcome


def compare(
    left: StrPath,
    right: StrPath,
    *,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    poll: TreePoll | None = None,
) -> Comparison:
    """Compares two folders by the settings `compare_*` and changes nothing.

    Patterns are those of `fcs --include` and `--exclude`. `poll(phase, done, total, bytes_done, bytes_total)`
    is called on this thread; a true result cancels, and the comparison says so. Raises `OSError`,
    `ValueError`, `EngineError`.
    """
    return _engine.compare(left, right, include, exclude, poll)


def copy_tree(
    left: StrPath,
    right: StrPath,
    *,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    dry_run: bool = False,
    max_change: int | None = None,
    poll: TreePoll | None = None,
) -> RunReport:
    """Copies what differs from left to right and removes nothing; one run.

    `EngineError` when more files would get other content than `max_change` or, without it, than the
    settings `max_change_percent` and `max_change_files` allow. Other arguments and errors as for `compare`.
    """
    return _engine.copy_tree(left, right, include, exclude, dry_run, max_change, poll)


def sync_tree(
    left: StrPath,
    right: StrPath,
    *,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    dry_run: bool = False,
    max_delete: int | None = None,
    max_change: int | None = None,
    poll: TreePoll | None = None,
    mode: str = "mirror",
    conflicts: str = "later",
    custom: Mapping[str, str] | None = None,
) -> RunReport:
    """Copies, then removes what only the right side has, into the undo store; one run.

    `mode` is "mirror" (that), "update" (as `copy_tree`), "add" (only what is missing), "newest" (both sides
    get what they lack, and of what differs the newer version), "two-way" (changes and removals since
    the last time go both ways; the first time nothing is removed) or "custom". With "two-way",
    `conflicts` says what becomes of files that were changed on both sides: "later" (nothing), "newest",
    "left", "right" or "keep-both". With "custom", `custom` says what is done with each category, such as
    `{"left-only": "to-right", "right-only": "skip"}`:

    - "left-only": "to-right", "remove" or "skip"; "right-only": "to-left", "remove" or "skip"
    - "left-newer", "right-newer", "same-time-different", "conflict": "to-right", "to-left", "keep-both"
      or "skip"
    - "moved", "kind-change": "to-right", "to-left" or "skip"

    What it does not name is as in the default: one-sided items and newer versions go to the other side,
    the rest is skipped. `ValueError` for other words.

    `EngineError` when it would remove more items than `max_delete` or, without it, than the settings
    `max_delete_percent` and `max_delete_items` allow; or if it would change more files than
    `max_change` or the settings for that allow. Other arguments and errors as for `compare`.
    """
    return _engine.sync_tree(
        left,
        right,
        include,
        exclude,
        dry_run,
        max_delete,
        max_change,
        poll,
        mode,
        conflicts,
        None if custom is None else list(custom.items()),
    )


def undo(root: StrPath, run_id: str | None = None) -> RecoveryReport:
    """Restores what a finished run replaced or removed and removes what it created; without `run_id`, the
    last run.

    Items that changed since are left alone and named in `errors`.
    """
    return _engine.undo(root, run_id)


def recover(root: StrPath) -> list[RecoveryReport]:
    """Brings every interrupted run on a folder to a safe end; one report for each."""
    return _engine.recover(root)


def runs(root: StrPath) -> list[RunInfo]:
    """The runs that a folder remembers. Times in nanoseconds since 1970."""
    return _engine.runs(root)


class Times(NamedTuple):
    """Times in nanoseconds since 1970 (UTC)."""

    created_ns: int | None
    """`None` where the volume does not keep it."""
    modified_ns: int


def times(path: StrPath) -> Times:
    """The times of a file, folder or link; links are not followed. Raises `OSError`."""
    return Times(*_engine.times_ns(path))


def set_times(path: StrPath, *, created_ns: int | None = None, modified_ns: int | None = None) -> bool:
    """Sets times in nanoseconds since 1970; what is `None` stays, and so does the access time.

    `False` where the item does not have one of them as asked: this system cannot set it (created, on Linux),
    or the volume stores coarser steps; the other is set all the same. Raises `OSError`, and `ValueError` when
    both are `None`.
    """
    if created_ns is None and modified_ns is None:
        raise ValueError("Could not set times: neither created_ns nor modified_ns was given.")
    return _engine.set_times_ns(path, created_ns, modified_ns)


def copy_times(source: StrPath, target: StrPath) -> bool:
    """Sets the times of `source` on `target`, exactly. Raises `OSError`.

    `True` also where this volume cannot have one of them as it is.
    """
    return _engine.copy_times(source, target)


def drive_type(path: StrPath) -> str:
    """What a path is on: "local_fixed", "local_removable", "network_mapped", "network_unc", "cloud_storage",
    "relative", "unknown".
    """
    return _engine.drive_type(path)


def strategy(source: StrPath, target: StrPath, size: int) -> str:
    """How a file of `size` bytes would be copied: "direct" or "staged"."""
    return _engine.strategy(source, target, size)


def is_unc(path: StrPath) -> bool:
    """Whether a path names a server instead of a drive; such paths are refused: map a drive letter."""
    return _engine.is_unc(path)


class Setting(NamedTuple):
    """One row of the settings table."""

    name: str
    unit: str
    """"bytes", "count", "milliseconds", "nanoseconds", "choice", "switch", "path" or "name"."""
    default: int | bool | str
    least: int | None
    most: int | None
    choices: tuple[str, ...] | None
    meaning: str


class _Settings(MutableMapping[str, "int | bool | str"]):
    """The one settings table of this process. What is assigned is in force for every call that begins later.

    `KeyError` for an unknown name, `ValueError` for a value outside its range. Nothing is written to the
    settings file of `fcs`, and nothing is read from it.
    """

    def __getitem__(self, name: str) -> int | bool | str:
        return _engine.setting(name)

    def __setitem__(self, name: str, value: int | bool | str) -> None:
        _engine.set_setting(name, value)

    def __delitem__(self, name: str) -> None:
        """The setting has its default again."""
        for row in self.table():
            if row.name == name:
                return _engine.set_setting(name, row.default)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (row.name for row in self.table())

    def __len__(self) -> int:
        return len(self.table())

    def table(self) -> list[Setting]:
        """Name, unit, default, range, choices and meaning of every setting."""
        return [
            Setting(name, unit, default, least, most, None if choices is None else tuple(choices), meaning)
            for name, unit, default, least, most, choices, meaning in _engine.settings_table()
        ]

    def reset(self) -> None:
        """Every setting has its default again."""
        _engine.reset_settings()

    @contextmanager
    def override(self, **values: int | bool | str) -> Iterator[None]:
        """Changes settings for the length of a `with` block. They change for every thread: there is one
        table.
        """
        before = {name: self[name] for name in values}
        try:
            for name, value in values.items():
                self[name] = value
            yield
        finally:
            for name, value in before.items():
                self[name] = value


settings = _Settings()
"""The one settings table of this process."""
