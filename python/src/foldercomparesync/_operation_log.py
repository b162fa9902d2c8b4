"""The log file of one copy operation: where it is, what it is called, and how its lines look.

Invariant: a log that cannot be written stops no copy; the reason goes to `logging` and the operation goes on
without a file. Names of files appear on one line each and are printable, whatever bytes they consist of. This
module knows nothing of copying.
"""

import logging
import os
import re
import time
from collections.abc import Iterable

from . import _engine

PREFIX = "filecopy"
_NAME = re.compile(rf"{PREFIX}_\d{{8}}_\d{{6}}_[0-9a-f]{{8}}\.log")
_DAY_SECONDS = 86_400
_LEVELS = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO}
_RULE = "=" * 100
_log = logging.getLogger("foldercomparesync.copy")


def printable(text: object) -> str:
    """One line that any console, log and widget can show: control characters and undecodable bytes are
    escaped.
    """
    line = str(text)
    if line.isprintable():
        return line
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in line
    )


def open_logger(operation_id: str, folder: str) -> logging.Logger:
    """A logger that writes to a new file in `folder`, and nowhere else: what is for `logging` too is sent
    there by itself.
    """
    # Not `getLogger`: the logging module keeps every logger that it ever named, one for each operation of a
    # session.
    logger = logging.Logger(f"foldercomparesync.copy.{operation_id}", logging.INFO)
    logger.propagate = False
    logger.addHandler(logging.NullHandler())  # else `logging` prints to stderr where there is no file
    level = _LEVELS.get(str(_engine.setting("log_level")))
    if level is None:
        return logger
    name = f"{PREFIX}_{time.strftime('%Y%m%d_%H%M%S')}_{operation_id}.log"
    try:
        os.makedirs(folder, exist_ok=True)
        _prune(folder, int(_engine.setting("log_files")))
        handler = logging.FileHandler(os.path.join(folder, name), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        _log.warning("Could not write the log of the operation in %s: %s", folder, error.strerror or error)
        return logger
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logger.addHandler(handler)
    return logger


def path_of(logger: logging.Logger) -> str:
    """The log file of a logger, or "" where there is none."""
    return next((h.baseFilename for h in logger.handlers if isinstance(h, logging.FileHandler)), "")


def close(logger: logging.Logger) -> None:
    """Closes the file; messages that come later still reach `logging`."""
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def banner(logger: logging.Logger, rows: list[tuple[str, object]]) -> None:
    """A title block: one row for each fact."""
    width = max(len(name) for name, _ in rows)
    lines = [_RULE, *(f"{name:<{width}}  {printable(value)}" for name, value in rows), _RULE]
    for line in lines:
        logger.info(line)


def block(logger: logging.Logger, level: int, title: str, rows: Iterable[tuple[str, object]]) -> None:
    """One file: a title and an indented row for each fact that there is."""
    # One record, and one look for what cannot be printed: row by row both took longer than copying a small file.
    lines = [f"    {name:<12} {value}" for name, value in rows if value]
    if not "".join(lines).isprintable():
        lines = [printable(line) for line in lines]
    logger.log(level, "%s", "\n".join([title, *lines]))


def _prune(folder: str, keep: int) -> None:
    """Deletes the oldest logs beyond `keep`, none of the last day: what the engine does with its own."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                found.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
    found.sort(reverse=True)
    oldest_kept = time.time() - _DAY_SECONDS
    for modified, path in found[max(0, keep - 1) :]:
        if modified < oldest_kept:
            os.unlink(path)
