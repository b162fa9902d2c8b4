"""Writes what becomes of each test to the file FCS_PYTEST_LOG, a line at once, and ends a test that hangs.

The lines are `outcome<TAB>test<TAB>text`, with backslash, tab and line break escaped. A test that is started and not
finished took the interpreter down with it.
"""

import faulthandler
import os

import pytest

# Seconds that one test may take.
LIMIT = 120

# Before pytest redirects it: for the threads of a test that hangs.
_stderr = os.fdopen(os.dup(2), "w")
_log = open(os.environ["FCS_PYTEST_LOG"], "a", encoding="utf-8", errors="backslashreplace")


def _write(outcome, name, text=""):
    fields = (outcome, name, text)
    escaped = (f.replace("\\", "\\\\").replace("\t", "\\t").replace("\r", "").replace("\n", "\\n") for f in fields)
    _log.write("\t".join(escaped) + "\n")
    _log.flush()


def _reason(report):
    """What a skipped report says: a tuple of file, line and `Skipped: reason`."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return getattr(report, "wasxfail", "") or str(report.longrepr or "")


def pytest_runtest_logstart(nodeid):
    _write("started", nodeid)
    faulthandler.dump_traceback_later(LIMIT, exit=True, file=_stderr)


def pytest_runtest_logreport(report):
    if report.skipped:
        _write("skipped", report.nodeid, _reason(report))
    elif report.failed:
        _write("failed", report.nodeid, f"{report.when}: {report.longreprtext}")
    elif report.when == "call":
        _write("passed", report.nodeid)


# Last: what the fixtures of others do at the end of a test is still part of it.
@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish(nodeid):
    faulthandler.cancel_dump_traceback_later()
    _write("finished", nodeid)


def pytest_collectreport(report):
    # A module that cannot be imported, or skips as a whole.
    if report.failed:
        _write("failed", report.nodeid, report.longreprtext)
    elif report.skipped:
        _write("skipped", report.nodeid, _reason(report))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure():
    _log.close()
    _stderr.close()
