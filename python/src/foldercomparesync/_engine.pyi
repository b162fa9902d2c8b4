"""The compiled engine: what the module offers to Python, kept by hand and compared with it in a test.

Paths are `str`, `bytes` or `os.PathLike`, with the meaning of `os.fsencode`. Long calls release the GIL.
Errors of the system are `FileNotFoundError`, `PermissionError` or another `OSError` with `errno`; a bad value
is a `ValueError`; what the engine refuses is an `EngineError` whose text is a whole sentence.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import final

_Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]
_Value = int | bool | str
_FilePoll = Callable[[int, int, int, str], object]
_TreePoll = Callable[[str, int, int, int, int], object]

VERSION: str

class EngineError(Exception):
    """What the engine refuses; `str()` is a whole sentence that says what happened and what to do."""

def settings_table() -> list[
    tuple[str, str, _Value, int | None, int | None, list[str] | tuple[str, ...] | None, str]
]:
    """One row for each setting: name, unit, default, least, most, choices, meaning.

    The unit is "bytes", "count", "milliseconds", "nanoseconds", "choice", "switch", "path" or "name".
    """

def setting(name: str) -> _Value:
    """The value in force. `KeyError` for an unknown name."""

def set_setting(name: str, value: _Value) -> None:
    """Changes a setting of this process, for every call that begins later.

    `ValueError` names the range that a value is outside of; `KeyError` for an unknown name.
    """

def reset_settings() -> None:
    """Every setting has its default again."""

def drive_type(path: _Path) -> str:
    """One of "local_fixed", "local_removable", "network_mapped", "network_unc", "cloud_storage", "relative",
    "unknown".
    """

def strategy(source: _Path, target: _Path, size: int) -> str:
    """Tells "direct" or "staged" for a file of `size` bytes; asks both volumes, never raises."""

def is_unc(path: _Path) -> bool:
    """Whether the path names a server (`\\\\server\\share`)."""

def times_ns(path: _Path) -> tuple[int | None, int]:
    """Created (`None` where the volume does not keep it) and modified, in nanoseconds since 1970; links not
    followed.
    """

def set_times_ns(path: _Path, created: int | None, modified: int | None) -> bool:
    """Sets times in nanoseconds since 1970; `None` leaves one as it is.

    `False` where the item does not have one of them as asked: this system cannot set it, or the volume stores
    it in coarser steps; the other is set all the same. Raises `OSError`.
    """

def copy_times(source: _Path, target: _Path) -> bool:
    """Gives one item the times of another, exactly. Raises `OSError`.

    `True` also where this volume cannot have one of them as it is: the created time that no program can set
    here, or steps that it cuts to.
    """

@final
class CopyOutcome:
    """What became of one file."""

    @property
    def success(self) -> bool: ...
    @property
    def strategy(self) -> str:
        """One of "direct" or "staged"."""
    @property
    def file_size(self) -> int:
        """Bytes of the source."""
    @property
    def bytes_copied(self) -> int: ...
    @property
    def verified(self) -> bool: ...
    @property
    def verification(self) -> str:
        """One of "none", "comparison", "hash" or "shared blocks"."""
    @property
    def evidence(self) -> str:
        """One of "device", "cache", "shared", "not requested" or "none"."""
    @property
    def evidence_why(self) -> str:
        """Why the evidence is only "cache"."""
    @property
    def waits(self) -> bool:
        """It gets its name with its group: see `Operation.settle`."""
    @property
    def hash(self) -> str:
        """64 hexadecimal digits, or ""."""
    @property
    def hash_algorithm(self) -> str:
        """The name "BLAKE3", or ""."""
    @property
    def error(self) -> str:
        """A whole sentence, or ""."""
    @property
    def error_code(self) -> int:
        """The system's number, or 0."""
    @property
    def error_details(self) -> str: ...
    @property
    def hint(self) -> str:
        """What to do, or ""."""
    @property
    def target_state(self) -> str:
        """One of "original", "absent", "unknown" or "new"."""
    @property
    def rolled_back(self) -> bool:
        """It failed after it began, and the target is as it was."""
    @property
    def cancelled(self) -> bool: ...
    @property
    def sparse(self) -> bool: ...
    @property
    def replaced(self) -> bool:
        """An original was kept for undo."""
    @property
    def retries(self) -> int: ...
    @property
    def run_id(self) -> str: ...
    @property
    def staged_path(self) -> str: ...
    @property
    def kept_path(self) -> str:
        """Where the original is kept, or ""."""
    @property
    def seconds_copy(self) -> float: ...
    @property
    def seconds_verify(self) -> float: ...
    @property
    def seconds(self) -> float:
        """From the call to its end, commit included."""
    @property
    def warnings(self) -> list[str]:
        """What the copy does not have, and what was worth knowing beforehand."""
    @property
    def target_text(self) -> str:
        """`target` as text, which costs less to make."""
    @property
    def target(self) -> Path:
        """Absolute."""

@final
class Operation:
    """Files that are copied in one run: one journal, undone as a whole. Nothing is written before the first
    file.
    """

    def __new__(cls, name: str, dry_run: bool = False, group_after: int | None = None) -> Operation:
        """With `group_after`, so many files end one by one; small ones after them get their names in groups
        (`CopyOutcome.waits`), and their sources must be kept until then. Without it no file waits.
        """
    def copy_file(
        self, source: _Path, target: _Path, poll: _FilePoll | None = None, interval: float = 0.1
    ) -> CopyOutcome:
        """Copies one file; a problem with it is in the outcome, never raised.

        `poll(copied, verified, total, strategy)`, all in bytes, is called on this thread every `interval`
        seconds while a large file is copied, and at the end; a true result cancels. What it raises is
        swallowed. `RuntimeError` after `fork()` in the child, and from its own poll.
        """

    def settle(self) -> list[CopyOutcome]:
        """Gives waiting files their names; the outcomes of all that waited since the last call."""

    def take_settled(self) -> list[CopyOutcome]:
        """The same for groups that are complete already."""

    def end(self) -> dict[str, object]:
        """Ends the run: `run_ids`, `roots`, `copied`, `failed`, `bytes`, `errors` and `notes` (sentences).

        May be called again; it then tells of nothing.
        """

    @property
    def run_id(self) -> str:
        """Empty before the first file."""
    @property
    def roots(self) -> list[Path]:
        """The folders on which a run of this operation is under way."""

@final
class Row:
    """One item of a comparison. Sizes in bytes, times in nanoseconds since 1970; `None` where a side has no
    such item.
    """

    @property
    def path(self) -> str: ...
    @property
    def path_bytes(self) -> bytes: ...
    @property
    def verdict(self) -> str:
        """One of "same", "left only", "right only", "different", "kinds differ", "names clash", "unreadable"
        or "not comparable".
        """
    @property
    def kind_left(self) -> str | None: ...
    @property
    def kind_right(self) -> str | None: ...
    @property
    def size_left(self) -> int | None: ...
    @property
    def size_right(self) -> int | None: ...
    @property
    def modified_left_ns(self) -> int | None: ...
    @property
    def modified_right_ns(self) -> int | None: ...

@final
class Comparison:
    """Both sides, item by item."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Row: ...
    def __iter__(self) -> Iterator[Row]: ...
    @property
    def differences(self) -> int: ...
    @property
    def notes(self) -> list[str]: ...
    @property
    def cancelled(self) -> bool: ...

@final
class RunReport:
    """What a run did."""

    @property
    def run_id(self) -> str: ...
    @property
    def result(self) -> str:
        """One of "completed", "completed-with-failures", "cancelled", "stopped", "dry-run", "rolled-back" or
        "partly-rolled-back".
        """
    @property
    def copied(self) -> int: ...
    @property
    def replaced(self) -> int: ...
    @property
    def removed(self) -> int: ...
    @property
    def skipped(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def json(self) -> str:
        """The whole report."""
    @property
    def errors(self) -> list[str]: ...

@final
class RecoveryReport:
    """What undo or recovery did with one run."""

    @property
    def run_id(self) -> str: ...
    @property
    def clean(self) -> bool:
        """Everything is as it is meant to be."""
    @property
    def items(self) -> int: ...
    @property
    def errors(self) -> list[str]: ...

@final
class RunInfo:
    """A run that a folder remembers."""

    @property
    def run_id(self) -> str: ...
    @property
    def command(self) -> str: ...
    @property
    def started_ns(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def items(self) -> int: ...
    @property
    def undoable(self) -> bool: ...

def compare(
    left: _Path,
    right: _Path,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    poll: _TreePoll | None = None,
) -> Comparison:
    """Compares two folders and changes nothing."""

def copy_tree(
    left: _Path,
    right: _Path,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    dry_run: bool = False,
    max_change: int | None = None,
    poll: _TreePoll | None = None,
) -> RunReport:
    """Copies what differs from left to right; removes nothing."""

def sync_tree(
    left: _Path,
    right: _Path,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    dry_run: bool = False,
    max_delete: int | None = None,
    max_change: int | None = None,
    poll: _TreePoll | None = None,
    mode: str = "mirror",
    conflicts: str = "later",
    custom: Sequence[tuple[str, str]] | None = None,
) -> RunReport:
    """Copies, then removes what only the right side has, at most `max_delete` items."""

def undo(root: _Path, run_id: str | None = None) -> RecoveryReport:
    """Restores what a run replaced or removed and removes what it created; without `run_id`, the last run."""

def recover(root: _Path) -> list[RecoveryReport]:
    """Brings interrupted runs to a safe end."""

def runs(root: _Path) -> list[RunInfo]:
    """The runs that a folder remembers."""
