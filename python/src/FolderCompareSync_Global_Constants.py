"""`import FolderCompareSync_Global_Constants as C`: the engine's settings, the window's values and Windows
constants.

Three kinds of names, all read as attributes:

* settings of the engine. Reading and writing goes to the one settings table, so a change is in force for the
  next call and a reader never sees a stale value. Under the name that the owner's program uses where it has
  one, and under `FILECOPY_` and the upper-case name of the setting elsewhere (`FILECOPY_BATCH_MAX_FILES`).
* values that no engine needs, such as `COPY_PREVIEW_MAX_ITEMS`, with a type and a range.
* constants of the Windows API, read-only.

Invariant: a value outside its range raises `ValueError` (a wrong type `TypeError`) in the line that assigns
it and changes nothing; an unknown name raises `AttributeError`, on reading and on writing. This module holds
no copy of a setting. `describe(name)` tells unit, default, range and meaning; `reset()` restores every
default.
"""

import ctypes as _ctypes
import os as _os
import sys as _sys
from collections.abc import Callable as _Callable
from types import ModuleType as _ModuleType
from typing import Any as _Any
from typing import NamedTuple as _NamedTuple

from foldercomparesync import _engine


class Description(_NamedTuple):
    """What `describe` tells of a name."""

    name: str
    unit: str
    default: _Any
    least: _Any
    most: _Any
    choices: tuple | None
    meaning: str


# --- Settings of the engine ---------------------------------------------------------------------------------


def _same(value: _Any) -> _Any:
    return value


class _Mapped(_NamedTuple):
    """An owner's name for a setting whose value is written differently there."""

    setting: str
    unit: str | None = None
    from_engine: _Callable[[_Any], _Any] = _same
    to_engine: _Callable[[_Any], _Any] = _same


_POLICY_OF_VERIFY = {"none": "none", "below": "lt_threshold", "all": "all"}
_VERIFY_OF_POLICY = {policy: verify for verify, policy in _POLICY_OF_VERIFY.items()}


def _verify_of_policy(policy: _Any) -> str:
    if not isinstance(policy, str):
        raise TypeError(f"FILECOPY_VERIFY_POLICY is a str, not {type(policy).__name__}.")
    try:
        return _VERIFY_OF_POLICY[policy]
    except KeyError:
        raise ValueError(
            f'FILECOPY_VERIFY_POLICY accepts "none", "lt_threshold" or "all", not {policy!r}.'
        ) from None


def _nanoseconds(seconds: _Any) -> int:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"TIMESTAMP_TOLERANCE is a number of seconds, not {type(seconds).__name__}.")
    if not 0 <= seconds <= 3600:  # also refuses NaN, which int() could not take
        raise ValueError(f"TIMESTAMP_TOLERANCE = {seconds} is outside its range 0 to 3600 seconds.")
    return round(seconds * 1_000_000_000)


def _seconds(nanoseconds: int) -> float:
    return nanoseconds / 1_000_000_000


_OWNERS = {
    "FILECOPY_COPY_STRATEGY_THRESHOLD_BYTES": _Mapped("direct_max_bytes"),
    "FILECOPY_MMAP_WINDOW_BYTES": _Mapped("mmap_window_bytes"),
    "FILECOPY_MMAP_FALLBACK_MAX_CONSECUTIVE_FAILURES": _Mapped("mmap_max_failures"),
    "FILECOPY_NETWORK_CHUNK_BYTES": _Mapped("network_chunk_bytes"),
    "FILECOPY_VERIFY_THRESHOLD_BYTES": _Mapped("verify_below_bytes"),
    "FILECOPY_VERIFY_POLICY": _Mapped("verify", None, _POLICY_OF_VERIFY.__getitem__, _verify_of_policy),
    "FILECOPY_FREE_DISK_SPACE_MARGIN": _Mapped("space_margin_bytes"),
    "TIMESTAMP_TOLERANCE": _Mapped("time_tolerance_nanos", "seconds", _seconds, _nanoseconds),
    "MAX_FILES_FOLDERS": _Mapped("max_items"),
}


def _settings() -> dict[str, _Mapped]:
    named = {mapped.setting for mapped in _OWNERS.values()}
    ours = {
        f"FILECOPY_{row[0].upper()}": _Mapped(row[0])
        for row in _engine.settings_table()
        if row[0] not in named
    }
    return {**_OWNERS, **ours}


_SETTINGS = _settings()

# --- Values that are no setting of the engine ---------------------------------------------------------------


class _Local(_NamedTuple):
    default: _Any
    kind: type
    least: _Any
    most: _Any
    choices: tuple | None
    unit: str
    meaning: str


def _log_folder() -> str:
    """The folder in which `fcs` keeps its logs of runs, so that both kinds are found together."""
    if _sys.platform == "win32":
        local = _os.environ.get("LOCALAPPDATA") or _os.path.expanduser("~/AppData/Local")
        return _os.path.join(local, "FolderCompareSync", "data", "logs")
    if _sys.platform == "darwin":
        return _os.path.expanduser("~/Library/Application Support/FolderCompareSync/logs")
    state = _os.environ.get("XDG_STATE_HOME") or _os.path.expanduser("~/.local/state")
    return _os.path.join(state, "foldercomparesync", "logs")


_LARGEST_FILE = (1 << 63) - 1
_LOCALS = {
    "FILECOPY_VERIFY_POLICY_DEFAULT": _Local(
        "all",
        str,
        None,
        None,
        ("none", "lt_threshold", "all"),
        "choice",
        "What a window offers first. The engine obeys FILECOPY_VERIFY_POLICY.",
    ),
    "FILECOPY_MAXIMUM_COPY_FILE_SIZE_BYTES": _Local(
        _LARGEST_FILE,
        int,
        1,
        _LARGEST_FILE,
        None,
        "bytes",
        "copy_file refuses larger files. The default refuses none.",
    ),
    "FILECOPY_ATTRIBUTE_SPARSE_FILE_WARNING": _Local(
        True,
        bool,
        None,
        None,
        None,
        "switch",
        "Tell once for each file when its source is sparse.",
    ),
    "FILECOPY_UNC_PATH_REJECTION_STRICT": _Local(
        True,
        bool,
        None,
        None,
        (True,),
        "switch",
        "UNC paths are refused. The engine has no other mode.",
    ),
    "FILECOPY_ENABLE_CLOUD_DETECTION": _Local(
        True,
        bool,
        None,
        None,
        None,
        "switch",
        "get_drive_type tells CLOUD_STORAGE; otherwise such a folder is LOCAL_FIXED.",
    ),
    "FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ": _Local(
        2.0,
        float,
        0.1,
        60.0,
        None,
        "hertz",
        "How often the progress dialogs are redrawn.",
    ),
    "FILECOPY_GROUP_AFTER_FILES": _Local(
        (1 << 64) - 1,
        int,
        0,
        (1 << 64) - 1,
        None,
        "count",
        "Files of an operation that get their names one by one; small ones after them do in groups (never).",
    ),
    "FILECOPY_LOG_FOLDER": _Local(
        _log_folder(),
        str,
        None,
        None,
        None,
        "path",
        "Where the logs of copy operations are written.",
    ),
    "COPY_PREVIEW_MAX_ITEMS": _Local(10, int, 1, 10_000, None, "count", "Paths that a copy preview lists."),
    "STATUS_LOG_MAX_HISTORY": _Local(
        5000, int, 1, 1_000_000, None, "count", "Lines that a status log keeps."
    ),
}
_VALUES = {name: local.default for name, local in _LOCALS.items()}


def _checked(name: str, value: _Any) -> _Any:
    local = _LOCALS[name]
    if local.kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    # `bool` is an `int` to isinstance; a size of `True` bytes is a slip all the same.
    if type(value) is not local.kind:
        raise TypeError(f"{name} is of type {local.kind.__name__}, not {type(value).__name__}.")
    if local.choices is not None and value not in local.choices:
        raise ValueError(f"{name} accepts {', '.join(map(repr, local.choices))}, not {value!r}.")
    if local.least is not None and not local.least <= value <= local.most:
        raise ValueError(f"{name} = {value} is outside its range {local.least} to {local.most}.")
    if local.unit == "path" and not value:
        raise ValueError(f"{name} must name a folder.")
    return value


# --- The Windows API (winbase.h, winnt.h, fileapi.h, minwinbase.h, winerror.h, shellapi.h) ------------------

_WINDOWS = {
    "MAX_PATH": 260,
    # CopyFileEx: flags, answers of its callback, reasons of the call
    "COPY_FILE_FAIL_IF_EXISTS": 0x00000001,
    "COPY_FILE_RESTARTABLE": 0x00000002,
    "COPY_FILE_OPEN_SOURCE_FOR_WRITE": 0x00000004,
    "COPY_FILE_ALLOW_DECRYPTED_DESTINATION": 0x00000008,
    "COPY_FILE_COPY_SYMLINK": 0x00000800,
    "COPY_FILE_NO_BUFFERING": 0x00001000,
    "COPY_FILE_REQUEST_SECURITY_PRIVILEGES": 0x00002000,
    "COPY_FILE_RESUME_FROM_PAUSE": 0x00004000,
    "COPY_FILE_NO_OFFLOAD": 0x00040000,
    "PROGRESS_CONTINUE": 0,
    "PROGRESS_CANCEL": 1,
    "PROGRESS_STOP": 2,
    "PROGRESS_QUIET": 3,
    "CALLBACK_CHUNK_FINISHED": 0x00000000,
    "CALLBACK_STREAM_SWITCH": 0x00000001,
    # CreateFile
    "DELETE": 0x00010000,
    "READ_CONTROL": 0x00020000,
    "SYNCHRONIZE": 0x00100000,
    "GENERIC_ALL": 0x10000000,
    "GENERIC_EXECUTE": 0x20000000,
    "GENERIC_WRITE": 0x40000000,
    "GENERIC_READ": 0x80000000,
    "FILE_READ_DATA": 0x0001,
    "FILE_WRITE_DATA": 0x0002,
    "FILE_APPEND_DATA": 0x0004,
    "FILE_READ_ATTRIBUTES": 0x0080,
    "FILE_WRITE_ATTRIBUTES": 0x0100,
    "FILE_SHARE_READ": 0x00000001,
    "FILE_SHARE_WRITE": 0x00000002,
    "FILE_SHARE_DELETE": 0x00000004,
    "CREATE_NEW": 1,
    "CREATE_ALWAYS": 2,
    "OPEN_EXISTING": 3,
    "OPEN_ALWAYS": 4,
    "TRUNCATE_EXISTING": 5,
    "FILE_FLAG_OPEN_NO_RECALL": 0x00100000,
    "FILE_FLAG_OPEN_REPARSE_POINT": 0x00200000,
    "FILE_FLAG_POSIX_SEMANTICS": 0x01000000,
    "FILE_FLAG_BACKUP_SEMANTICS": 0x02000000,
    "FILE_FLAG_DELETE_ON_CLOSE": 0x04000000,
    "FILE_FLAG_SEQUENTIAL_SCAN": 0x08000000,
    "FILE_FLAG_RANDOM_ACCESS": 0x10000000,
    "FILE_FLAG_NO_BUFFERING": 0x20000000,
    "FILE_FLAG_OVERLAPPED": 0x40000000,
    "FILE_FLAG_WRITE_THROUGH": 0x80000000,
    # What `CreateFileW` with `restype = wintypes.HANDLE` returns on failure: all bits of a pointer.
    "INVALID_HANDLE_VALUE": _ctypes.c_void_p(-1).value,
    "INVALID_FILE_ATTRIBUTES": 0xFFFFFFFF,
    "INVALID_FILE_SIZE": 0xFFFFFFFF,
    # Attributes
    "FILE_ATTRIBUTE_READONLY": 0x00000001,
    "FILE_ATTRIBUTE_HIDDEN": 0x00000002,
    "FILE_ATTRIBUTE_SYSTEM": 0x00000004,
    "FILE_ATTRIBUTE_DIRECTORY": 0x00000010,
    "FILE_ATTRIBUTE_ARCHIVE": 0x00000020,
    "FILE_ATTRIBUTE_DEVICE": 0x00000040,
    "FILE_ATTRIBUTE_NORMAL": 0x00000080,
    "FILE_ATTRIBUTE_TEMPORARY": 0x00000100,
    "FILE_ATTRIBUTE_SPARSE_FILE": 0x00000200,
    "FILE_ATTRIBUTE_REPARSE_POINT": 0x00000400,
    "FILE_ATTRIBUTE_COMPRESSED": 0x00000800,
    "FILE_ATTRIBUTE_OFFLINE": 0x00001000,
    "FILE_ATTRIBUTE_NOT_CONTENT_INDEXED": 0x00002000,
    "FILE_ATTRIBUTE_ENCRYPTED": 0x00004000,
    "FILE_ATTRIBUTE_RECALL_ON_OPEN": 0x00040000,
    "FILE_ATTRIBUTE_PINNED": 0x00080000,
    "FILE_ATTRIBUTE_UNPINNED": 0x00100000,
    "FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS": 0x00400000,
    # GetDriveType
    "DRIVE_UNKNOWN": 0,
    "DRIVE_NO_ROOT_DIR": 1,
    "DRIVE_REMOVABLE": 2,
    "DRIVE_FIXED": 3,
    "DRIVE_REMOTE": 4,
    "DRIVE_CDROM": 5,
    "DRIVE_RAMDISK": 6,
    # MoveFileEx and ReplaceFile
    "MOVEFILE_REPLACE_EXISTING": 0x00000001,
    "MOVEFILE_COPY_ALLOWED": 0x00000002,
    "MOVEFILE_DELAY_UNTIL_REBOOT": 0x00000004,
    "MOVEFILE_WRITE_THROUGH": 0x00000008,
    "REPLACEFILE_WRITE_THROUGH": 0x00000001,
    "REPLACEFILE_IGNORE_MERGE_ERRORS": 0x00000002,
    "REPLACEFILE_IGNORE_ACL_ERRORS": 0x00000004,
    # SHFileOperation
    "FO_MOVE": 0x0001,
    "FO_COPY": 0x0002,
    "FO_DELETE": 0x0003,
    "FO_RENAME": 0x0004,
    "FOF_SILENT": 0x0004,
    "FOF_NOCONFIRMATION": 0x0010,
    "FOF_ALLOWUNDO": 0x0040,
    "FOF_NOERRORUI": 0x0400,
    # System error codes
    "ERROR_SUCCESS": 0,
    "ERROR_INVALID_FUNCTION": 1,
    "ERROR_FILE_NOT_FOUND": 2,
    "ERROR_PATH_NOT_FOUND": 3,
    "ERROR_ACCESS_DENIED": 5,
    "ERROR_INVALID_HANDLE": 6,
    "ERROR_NOT_ENOUGH_MEMORY": 8,
    "ERROR_NOT_SAME_DEVICE": 17,
    "ERROR_NO_MORE_FILES": 18,
    "ERROR_WRITE_PROTECT": 19,
    "ERROR_NOT_READY": 21,
    "ERROR_CRC": 23,
    "ERROR_GEN_FAILURE": 31,
    "ERROR_SHARING_VIOLATION": 32,
    "ERROR_LOCK_VIOLATION": 33,
    "ERROR_HANDLE_EOF": 38,
    "ERROR_HANDLE_DISK_FULL": 39,
    "ERROR_NOT_SUPPORTED": 50,
    "ERROR_BAD_NETPATH": 53,
    "ERROR_NETWORK_BUSY": 54,
    "ERROR_DEV_NOT_EXIST": 55,
    "ERROR_UNEXP_NET_ERR": 59,
    "ERROR_NETNAME_DELETED": 64,
    "ERROR_NETWORK_ACCESS_DENIED": 65,
    "ERROR_BAD_NET_NAME": 67,
    "ERROR_FILE_EXISTS": 80,
    "ERROR_INVALID_PARAMETER": 87,
    "ERROR_DISK_FULL": 112,
    "ERROR_INSUFFICIENT_BUFFER": 122,
    "ERROR_INVALID_NAME": 123,
    "ERROR_DIR_NOT_EMPTY": 145,
    "ERROR_ALREADY_EXISTS": 183,
    "ERROR_FILENAME_EXCED_RANGE": 206,
    "ERROR_MORE_DATA": 234,
    "ERROR_OPERATION_ABORTED": 995,
    "ERROR_IO_PENDING": 997,
    "ERROR_IO_DEVICE": 1117,
    "ERROR_NETWORK_UNREACHABLE": 1231,
    "ERROR_REQUEST_ABORTED": 1235,
    "ERROR_PRIVILEGE_NOT_HELD": 1314,
}

# --- The module is an object whose attributes are looked up, not stored -------------------------------------


def describe(name: str) -> Description:
    """Unit, default, range and meaning of a constant. `AttributeError` for an unknown name."""
    if name in _SETTINGS:
        mapped = _SETTINGS[name]
        row = next(row for row in _engine.settings_table() if row[0] == mapped.setting)
        _, unit, default, least, most, choices, meaning = row
        convert = mapped.from_engine
        return Description(
            name,
            mapped.unit or unit,
            convert(default),
            None if least is None else convert(least),
            None if most is None else convert(most),
            None if choices is None else tuple(convert(choice) for choice in choices),
            meaning,
        )
    if name in _LOCALS:
        local = _LOCALS[name]
        return Description(
            name, local.unit, local.default, local.least, local.most, local.choices, local.meaning
        )
    if name in _WINDOWS:
        value = _WINDOWS[name]
        return Description(name, "Windows", value, value, value, None, "A constant of the Windows API.")
    raise AttributeError(_unknown(name))


def reset() -> None:
    """Every setting of the engine and every value of this module has its default again."""
    _engine.reset_settings()
    _VALUES.update((name, local.default) for name, local in _LOCALS.items())


def _unknown(name: str) -> str:
    return f"FolderCompareSync_Global_Constants has no constant called {name}."


class _Constants(_ModuleType):
    def __getattr__(
        self, name: str
    ) -> _Any:  # called only for what the module's own dictionary does not have
        if name in _SETTINGS:
            mapped = _SETTINGS[name]
            return mapped.from_engine(_engine.setting(mapped.setting))
        if name in _VALUES:
            return _VALUES[name]
        if name in _WINDOWS:
            return _WINDOWS[name]
        raise AttributeError(_unknown(name))

    def __setattr__(self, name: str, value: _Any) -> None:
        if name in _SETTINGS:
            mapped = _SETTINGS[name]
            try:
                _engine.set_setting(mapped.setting, mapped.to_engine(value))
            except (TypeError, ValueError) as error:
                # The engine names its own setting, which the reader of this line may never have heard of.
                text = str(error)
                raise type(error)(text if name in text else f"{name}: {text}") from None
        elif name in _LOCALS:
            _VALUES[name] = _checked(name, value)
        elif name in _WINDOWS:
            raise AttributeError(f"{name} is a constant of the Windows API and cannot be changed.")
        elif name.startswith("__") and name.endswith("__"):  # the import system's own: __spec__, __file__, …
            super().__setattr__(name, value)
        else:
            raise AttributeError(_unknown(name))

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name} cannot be deleted.")

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *__all__})


__all__ = [*_SETTINGS, *_LOCALS, *_WINDOWS]  # noqa: PLE0604 (the names are computed)
_sys.modules[__name__].__class__ = _Constants
