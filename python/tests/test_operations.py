"""Between `start_copy_operation` and `end_copy_operation`: one run, one log, from any thread."""

import logging
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import foldercomparesync
import FolderCompareSync_Global_Constants as C
import pytest
from FileCopyManager_class import FileCopyManager_class


def copy_all(manager, source, target):
    results = []
    for name in sorted(os.listdir(source)):
        results.append(manager.copy_file(source / name, target / name))
    return results


def test_an_operation_is_one_run_that_is_undone_as_a_whole(manager, tree):
    source = tree("a", {f"{n:03}": b"new %d" % n for n in range(200)})
    target = tree("b", {f"{n:03}": b"old %d" % n for n in range(100)})
    operation = manager.start_copy_operation("Copy left to right")
    assert re.fullmatch("[0-9a-f]{8}", operation) and manager.operation_id == operation
    results = copy_all(manager, source, target)
    assert manager.operation_sequence == 200
    report = manager.end_copy_operation(200, 0, sum(result.bytes_copied for result in results))
    assert all(result.success for result in results)
    (run,) = {result.run_id for result in results}
    assert report["run_ids"] == [run] and report["errors"] == [] and report["copied"] == 200
    assert manager.operation_id is None and manager.operation_logger is None
    assert {name: (target / name).read_bytes() for name in os.listdir(source)} == {
        f"{n:03}": b"new %d" % n for n in range(200)
    }
    (found,) = foldercomparesync.runs(target)
    assert found.run_id == run and found.undoable and found.command == "Copy left to right"
    assert foldercomparesync.undo(target, run).clean
    assert {n: (target / n).read_bytes() for n in os.listdir(target) if n != ".fcs"} == {
        f"{n:03}": b"old %d" % n for n in range(100)
    }


def test_files_outside_an_operation_are_runs_of_their_own(manager, tree):
    source, target = tree("a", {"f": b"1", "g": b"2"}), tree("b", {})
    runs = {result.run_id for result in copy_all(manager, source, target)}
    assert len(runs) == 2 == len(foldercomparesync.runs(target))


def test_the_log_has_a_banner_a_block_for_each_file_and_totals(manager, tree, log_text):
    source, target = tree("a", {"f": b"12345"}), tree("b", {})
    operation = manager.start_copy_operation("Evening copy")
    logger = manager.operation_logger
    assert isinstance(logger, logging.Logger)
    manager.copy_file(source / "f", target / "f")
    manager.copy_file(source / "missing", target / "missing")
    manager._log_status("a word of the window")
    manager.end_copy_operation(1, 1, 5)
    (path,) = Path(C.FILECOPY_LOG_FOLDER).iterdir()
    assert re.fullmatch(rf"filecopy_\d{{8}}_\d{{6}}_{operation}\.log", path.name)
    text = log_text()
    for part in (
        "Evening copy", operation, "Verify     all", "[0001] Copied", "[0002] Could not copy",
        "a word of the window",
        str(source / "f"), "evidence: ", "strategy     direct", "1 copied, 1 failed, 5 bytes", "Run ",
    ):  # fmt: skip
        assert part in text, part
    assert not [h for h in logger.handlers if isinstance(h, logging.FileHandler)], "the file is closed"


def test_messages_go_to_the_callback_and_to_logging(manager, tree, caplog):
    folder = tree("a", {"f": b"1"})
    messages = []
    manager.status_callback = messages.append
    with caplog.at_level(logging.INFO, "foldercomparesync"):
        manager.start_copy_operation("op")
        manager.copy_file(folder / "f", folder / "g")
        manager._log_status("hello")
        manager.end_copy_operation(1, 0, 1)
    assert [m for m in messages if m == "hello"] and [m for m in messages if m.startswith("Copied ")]
    assert caplog.messages.count("hello") == 1


def test_a_log_folder_that_cannot_be_written_stops_nothing(manager, tree, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    C.FILECOPY_LOG_FOLDER = str(tmp_path / "file" / "logs")
    folder = tree("a", {"f": b"1"})
    assert manager.start_copy_operation("op")
    assert manager.copy_file(folder / "f", folder / "g").success
    manager.end_copy_operation(1, 0, 1)


def test_no_log_is_written_when_the_level_is_off_and_old_ones_are_deleted(manager):
    logs = Path(C.FILECOPY_LOG_FOLDER)
    old = [logs / f"filecopy_20200101_00000{n}_0000000{n}.log" for n in range(5)]
    for n, path in enumerate([*old, logs / "notes.log"]):
        path.write_text("old")
        os.utime(path, (n + 1, n + 1))
    C.FILECOPY_LOG_LEVEL = "off"
    manager.start_copy_operation("op")
    manager.end_copy_operation()
    assert len(list(logs.iterdir())) == 6
    C.FILECOPY_LOG_LEVEL = "info"
    C.FILECOPY_LOG_FILES = 3
    manager.start_copy_operation("op")
    manager.end_copy_operation()
    names = {path.name for path in logs.iterdir()}
    assert {old[3].name, old[4].name, "notes.log"} < names and len(names) == 4


def test_ending_twice_and_starting_twice_are_harmless(manager, tree):
    folder = tree("a", {"f": b"1"})
    assert manager.end_copy_operation(0, 0, 0) is None
    first = manager.start_copy_operation("first")
    manager.copy_file(folder / "f", folder / "g")
    assert manager.start_copy_operation("second") != first
    assert manager.operation_sequence == 0
    manager.copy_file(folder / "f", folder / "h")
    assert manager.end_copy_operation(1, 0, 1)["copied"] == 1
    assert manager.end_copy_operation(1, 0, 1) is None
    assert {run.state for run in foldercomparesync.runs(folder)} == {"done"}


def test_a_dry_run_operation_writes_nothing_whatever_the_mode_says(manager, tree):
    source, target = tree("a", {"f": b"new"}), tree("b", {"f": b"old"})
    manager.start_copy_operation("rehearsal", dry_run=True)
    assert manager.dry_run_mode and manager.timestamp_manager.dry_run
    assert manager.copy_file(source / "f", target / "f").success
    manager.set_dry_run_mode(False)
    assert manager.copy_file(source / "f", target / "f").success
    report = manager.end_copy_operation(2, 0, 0)
    assert report["run_ids"] == [] and not manager.dry_run_mode
    assert (target / "f").read_bytes() == b"old" and os.listdir(target) == ["f"]


def test_the_mode_can_turn_dry_in_mid_operation(manager, tree):
    source, target = tree("a", {"f": b"1", "g": b"2"}), tree("b", {})
    manager.start_copy_operation("op")
    manager.copy_file(source / "f", target / "f")
    manager.set_dry_run_mode(True)
    manager.copy_file(source / "g", target / "g")
    manager.end_copy_operation(2, 0, 1)
    assert (target / "f").exists() and not (target / "g").exists()


def test_a_group_that_waits_is_there_when_times_are_copied_and_folders_keep_theirs(manager, tree):
    C.FILECOPY_GROUP_AFTER_FILES = 2
    source, target = tree("a", {f"{n}": b"%d" % n for n in range(10)}), tree("b", {})
    os.utime(source, ns=(1, 1_300_000_000_000_000_000))
    manager.start_copy_operation("op")
    results = copy_all(manager, source, target)
    assert not (target / "9").exists(), "the premise: the last file waits for its group"
    assert results[-1].success and results[-1].evidence == "cache"
    times = manager.timestamp_manager
    assert times.get_file_timestamps_ns(target / "9")[1] == (source / "9").stat().st_mtime_ns
    assert results[-1].evidence in ("device", "cache") and (target / "9").exists()
    times.copy_timestamps(source, target)
    manager.end_copy_operation(10, 0, 10)
    assert target.stat().st_mtime_ns == 1_300_000_000_000_000_000


def test_a_file_that_fails_with_its_group_is_told_and_its_result_changes(manager, tree):
    C.FILECOPY_GROUP_AFTER_FILES = 0
    source, target = tree("a", {"f": b"new", "g": b"new"}), tree("b", {"f": b"old"})
    messages = []
    manager.status_callback = messages.append
    manager.start_copy_operation("op")
    f, g = copy_all(manager, source, target)
    assert f.success and g.success and (target / "f").read_bytes() == b"old"
    (target / "f").unlink()  # somebody else changes the target before the group gets its names
    (target / "f").write_bytes(b"somebody's")
    report = manager.end_copy_operation(2, 0, 6)
    assert not f.success and f.error_message and g.success
    assert (target / "f").read_bytes() == b"somebody's" and (target / "g").read_bytes() == b"new"
    assert report["failed"] == 1 and report["errors"]
    assert any("failed with its group" in message for message in messages)


def test_a_never_ended_operation_is_ended_with_the_program(tree, run_python):
    source, target = tree("a", {"f": b"new"}), tree("b", {})
    run_python(
        """
import sys, pathlib
from FileCopyManager_class import FileCopyManager_class
import FolderCompareSync_Global_Constants as C
C.FILECOPY_LOG_FOLDER, C.FILECOPY_GROUP_AFTER_FILES = sys.argv[3], 0
manager = FileCopyManager_class()
manager.start_copy_operation("forgotten")
manager.copy_file(sys.argv[1] + "/f", sys.argv[2] + "/f")
""",
        source, target, C.FILECOPY_LOG_FOLDER,
    )  # fmt: skip
    assert (target / "f").read_bytes() == b"new"
    assert [run.state for run in foldercomparesync.runs(target)] == ["done"]


# --- Threads ---


def in_threads(*functions):
    raised = []

    def guard(function):
        try:
            function()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guard, args=(function,)) for function in functions]
    [thread.start() for thread in threads]
    [thread.join(120) for thread in threads]
    assert not raised and not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("in_operation", [True, False], ids=["operation", "alone"])
def test_two_threads_at_once_copy_everything(manager, tree, in_operation):
    source = tree("a", {f"{thread}/{n}": b"%d %d" % (thread, n) for thread in range(2) for n in range(40)})
    target = tree("b", {"0/x": b"", "1/x": b""})
    results = [[], []]
    if in_operation:
        manager.start_copy_operation("op")
    in_threads(
        *(
            lambda thread=thread: results[thread].extend(
                manager.copy_file(source / f"{thread}/{n}", target / f"{thread}/{n}") for n in range(40)
            )
            for thread in range(2)
        )
    )
    if in_operation:
        assert manager.operation_sequence == 80
        assert manager.end_copy_operation(80, 0, 0)["copied"] == 80
    assert all(result.success for result in results[0] + results[1]), [
        r.error_message for r in results[0] + results[1]
    ]
    assert len({result.run_id for result in results[0] + results[1]}) == (1 if in_operation else 80)
    for thread in range(2):
        for n in range(40):
            assert (target / f"{thread}/{n}").read_bytes() == b"%d %d" % (thread, n)


def test_an_operation_that_another_thread_ends_in_mid_copy_is_whole(manager, large_file, tmp_path):
    C.FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ = 60
    begun = threading.Event()

    class Progress:
        def update_file_progress(self, *_):
            begun.set()

    manager.progress_manager = Progress()
    manager.start_copy_operation("op")
    results, reports = [], []

    def end():
        assert begun.wait(60)
        reports.append(manager.end_copy_operation(1, 0, 0))

    in_threads(lambda: results.append(manager.copy_file(large_file, tmp_path / "copy")), end)
    assert results[0].success and reports[0]["copied"] == 1
    assert (tmp_path / "copy").read_bytes() == large_file.read_bytes()


def test_a_copy_from_inside_a_callback_is_refused_and_nothing_hangs(manager, large_file, tmp_path):
    C.FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ = 60
    inner = []

    class Progress:
        def update_file_progress(self, *_):
            if not inner:
                inner.append(manager.copy_file(large_file, tmp_path / "inner"))
                inner.append(FileCopyManager_class().copy_file(large_file, tmp_path / "inner"))
                manager.determine_copy_strategy(large_file, tmp_path, 1)
                manager.timestamp_manager.get_file_timestamps(large_file)

    for in_operation in (True, False):
        inner.clear()
        manager.progress_manager = Progress()
        if in_operation:
            manager.start_copy_operation("op")
        assert manager.copy_file(large_file, tmp_path / "outer").success
        if in_operation:
            manager.end_copy_operation(1, 0, 0)
        assert not inner[0].success and "callback" in inner[0].error_message
        assert not inner[1].success
    assert not (tmp_path / "inner").exists()


def test_an_operation_ended_from_inside_a_callback_ends_after_the_file(manager, large_file, tmp_path):
    answers = []

    class Progress:
        def update_file_progress(self, *_):
            if not answers:
                answers.append(manager.end_copy_operation(1, 0, 0))

    manager.progress_manager = Progress()
    manager.start_copy_operation("op")
    result = manager.copy_file(large_file, tmp_path / "copy")
    assert answers == [None] and result.success and manager.operation_id is None
    assert [run.state for run in foldercomparesync.runs(tmp_path)] == ["done"]


def test_a_thread_that_waits_for_its_turn_can_be_cancelled(manager, large_file, tmp_path):
    C.FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ = 60
    manager.cancel_event = threading.Event()
    begun, second_waits = threading.Event(), threading.Event()

    class Progress:
        def update_file_progress(self, *_):
            begun.set()
            assert second_waits.wait(60)
            manager.cancel_event.set()

    manager.progress_manager = Progress()
    results = {}

    def second():
        assert begun.wait(60)
        second_waits.set()
        results["second"] = manager.copy_file(large_file, tmp_path / "second")

    manager.start_copy_operation("op")
    in_threads(lambda: results.update(first=manager.copy_file(large_file, tmp_path / "first")), second)
    manager.end_copy_operation(0, 2, 0)
    assert results["first"].cancelled_by_user and results["second"].cancelled_by_user
    assert not (tmp_path / "first").exists() and not (tmp_path / "second").exists()


# --- A killed program ---

KILLED = """
import sys, os
from FileCopyManager_class import FileCopyManager_class
import FolderCompareSync_Global_Constants as C
C.FILECOPY_LOG_FOLDER = sys.argv[3]
manager = FileCopyManager_class()
manager.start_copy_operation("to be killed")
while True:
    for name in sorted(os.listdir(sys.argv[1])):
        if not manager.copy_file(os.path.join(sys.argv[1], name), os.path.join(sys.argv[2], name)).success:
            sys.exit(1)
        print(name, flush=True)
"""


@pytest.fixture
def killed(tree):
    """A target whose operation was killed in the middle, after at least 150 of 400 files."""
    source = tree("a", {f"{n:03}": b"new %d" % n * 50 for n in range(400)})
    target = tree("b", {f"{n:03}": b"old %d" % n for n in range(0, 400, 2)})
    arguments = [sys.executable, "-c", KILLED, source, target, C.FILECOPY_LOG_FOLDER]
    child = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    try:
        for line in child.stdout:
            if line.strip() == "150":
                break
    finally:
        child.kill()
        child.stdout.close()
        code = child.wait(60)
    assert code == (-signal.SIGKILL if os.name == "posix" else 1)
    return source, target


def check_whole(source, target):
    """Every file is the old one or the new one, whole, and nothing else lies there."""
    names = [name for name in os.listdir(target) if name != ".fcs"]
    assert not [name for name in names if name.startswith(".fcs-")]
    new = 0
    for name in names:
        content = (target / name).read_bytes()
        n = int(name)
        assert content in (b"new %d" % n * 50, b"old %d" % n), name
        new += content.startswith(b"new")
    return new


def test_a_killed_operation_is_recovered_by_fcs(killed, fcs, manager):
    source, target = killed
    refused = manager.copy_file(source / "000", target / "000")
    assert not refused.success and "recover" in (refused.error_message + refused.recovery_suggestion).lower()
    done = fcs("recover", "-y", target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert check_whole(source, target) >= 64
    assert manager.copy_file(source / "000", target / "000").success


def test_a_killed_operation_is_recovered_by_the_package_and_undone(killed):
    source, target = killed
    reports = foldercomparesync.recover(target)
    assert len(reports) == 1 and reports[0].clean and foldercomparesync.recover(target) == []
    assert check_whole(source, target) >= 64
    assert foldercomparesync.undo(target).clean
    assert check_whole(source, target) == 0
    assert len([name for name in os.listdir(target) if name != ".fcs"]) == 200
