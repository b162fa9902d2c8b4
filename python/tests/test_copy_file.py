"""`FileCopyManager_class.copy_file`: what the owner's call sites read, and that no problem of a copy is
raised.
"""

import dataclasses
import os
import pickle
import stat
import sys
import threading
import warnings
from pathlib import Path

import foldercomparesync
import FolderCompareSync_Global_Constants as C
import pytest
from FileCopyManager_class import FileCopyManager_class

OWNERS_FIELDS = (
    "success strategy_used source_path target_path file_size duration_seconds bytes_copied error_message "
    "verification_passed retry_count temp_path backup_path verification_mode hash_algorithm computed_hash "
    "rollback_performed rollback_success sparse_file_detected throughput_mbps cancelled_by_user time_backup "
    "time_copy time_verify time_cleanup error_code error_details recovery_suggestion"
).split()


def test_the_result_has_the_owners_fields_in_their_order_and_then_ours():
    fields = dataclasses.fields(FileCopyManager_class.CopyOperationResult)
    assert [field.name for field in fields] == [*OWNERS_FIELDS, "evidence", "run_id"]
    required = [field.name for field in fields if field.default is dataclasses.MISSING]
    assert required == OWNERS_FIELDS[:6]
    direct = FileCopyManager_class.CopyStrategy.DIRECT
    result = FileCopyManager_class.CopyOperationResult(True, direct, "a", "b", 1, 0.5)
    assert (result.retry_count, result.error_message, result.time_copy, result.cancelled_by_user) == (
        0,
        "",
        0.0,
        False,
    )
    assert pickle.loads(pickle.dumps(result)) == result


def test_enums_have_the_owners_names_and_values():
    assert {s.name: s.value for s in FileCopyManager_class.CopyStrategy} == {
        "DIRECT": "direct", "STAGED": "staged", "NETWORK": "network",
    }  # fmt: skip
    assert [kind.name for kind in FileCopyManager_class.DriveType] == (
        "LOCAL_FIXED LOCAL_REMOVABLE NETWORK_MAPPED NETWORK_UNC CLOUD_STORAGE RELATIVE UNKNOWN".split()
    )
    assert all(kind.value == kind.name.lower() for kind in FileCopyManager_class.DriveType)


def test_a_new_file_arrives_verified_with_its_time(manager, tree):
    folder = tree("a", {"one": b"content"})
    os.utime(folder / "one", ns=(1, 1_234_567_890_123_456_700))
    result = manager.copy_file(str(folder / "one"), str(folder / "two"))
    assert result.success and result.strategy_used is manager.CopyStrategy.DIRECT
    assert result.strategy_used.value == "direct"
    assert (result.file_size, result.bytes_copied, result.error_message) == (7, 7, "")
    assert result.verification_passed and result.verification_mode in ("comparison", "hash")
    assert result.evidence in ("device", "cache") and result.run_id
    assert (result.source_path, result.target_path) == (str(folder / "one"), str(folder / "two"))
    assert result.duration_seconds > 0 and result.backup_path == ""
    assert (folder / "two").read_bytes() == b"content"
    assert (folder / "two").stat().st_mtime_ns == (folder / "one").stat().st_mtime_ns


def test_an_original_is_kept_and_comes_back(manager, tree):
    source, target = tree("a", {"f": b"new"}), tree("b", {"f": b"old"})
    result = manager.copy_file(source / "f", target / "f")
    assert result.success and (target / "f").read_bytes() == b"new"
    assert Path(result.backup_path).read_bytes() == b"old"
    assert foldercomparesync.undo(target, result.run_id).clean
    assert (target / "f").read_bytes() == b"old"


def test_a_staged_copy_is_verified_by_its_hash(manager, tree):
    C.FILECOPY_COPY_STRATEGY_THRESHOLD_BYTES = 1
    folder = tree("a", {"f": b"content"})
    result = manager.copy_file(folder / "f", folder / "g")
    assert result.success and result.strategy_used is manager.CopyStrategy.STAGED
    assert (result.verification_mode, result.hash_algorithm) == ("hash", "BLAKE3")
    assert len(result.computed_hash) == 64 and manager.blake3_available is True


@pytest.mark.parametrize(
    ("policy", "verified"), [("none", [False, False]), ("lt_threshold", [True, False]), ("all", [True, True])]
)
def test_the_policy_decides_what_is_verified(manager, tree, policy, verified):
    C.FILECOPY_VERIFY_POLICY = policy
    C.FILECOPY_VERIFY_THRESHOLD_BYTES = 100
    folder = tree("a", {"small": b"x" * 99, "large": b"x" * 100})
    results = [manager.copy_file(folder / name, folder / f"{name}.copy") for name in ("small", "large")]
    assert all(result.success for result in results)
    assert [result.verification_passed for result in results] == verified


def test_the_third_argument_is_ignored_with_a_warning_only_when_it_is_passed(manager, tree):
    folder = tree("a", {"f": b"1", "g": b"2"})
    with pytest.warns(DeprecationWarning, match="third argument") as caught:
        assert manager.copy_file(folder / "f", folder / "g", False).success
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning):
        assert manager.copy_file(folder / "f", folder / "g", overwrite=True).success
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert manager.copy_file(folder / "f", folder / "g").success


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir], ids=["missing", "folder"])
def test_a_source_that_is_no_file_is_direct_with_a_clear_message(manager, tmp_path, make):
    source, target = tmp_path / "source", tmp_path / "target"
    make(source)
    target.write_bytes(b"old")
    result = manager.copy_file(source, target)
    assert result.success is False and result.strategy_used is manager.CopyStrategy.DIRECT
    assert str(source) in result.error_message and "unchanged" in result.error_message
    assert target.read_bytes() == b"old" and not (tmp_path / ".fcs").exists()


@pytest.mark.parametrize("bad", [None, 3, "", "a\0b", object()])
def test_nonsense_is_a_result_too(manager, tmp_path, bad):
    (tmp_path / "f").write_bytes(b"x")
    for source, target in ((bad, tmp_path / "g"), (tmp_path / "f", bad)):
        result = manager.copy_file(source, target)
        assert result.success is False and result.error_message


def test_a_unc_path_is_refused(manager, tmp_path):
    (tmp_path / "f").write_bytes(b"x")
    result = manager.copy_file(tmp_path / "f", r"\\server\share\f")
    assert not result.success and "drive letter" in result.recovery_suggestion
    assert manager.get_drive_type(r"\\server\share\f") is manager.DriveType.NETWORK_UNC


def test_a_file_over_the_owners_limit_is_refused(manager, tree):
    C.FILECOPY_MAXIMUM_COPY_FILE_SIZE_BYTES = 5
    folder = tree("a", {"f": b"123456", "g": b"12345"})
    result = manager.copy_file(folder / "f", folder / "h")
    assert not result.success and "FILECOPY_MAXIMUM_COPY_FILE_SIZE_BYTES" in result.recovery_suggestion
    assert manager.copy_file(folder / "g", folder / "h").success


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="permissions bind neither root nor Windows"
)
def test_a_target_without_permission_fails_and_stays(manager, tree):
    source, target = tree("a", {"f": b"new"}), tree("b", {"f": b"old"})
    target.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        result = manager.copy_file(source / "f", target / "f")
    finally:
        target.chmod(0o755)
    assert not result.success and result.error_message and (target / "f").read_bytes() == b"old"


def test_a_file_and_its_own_target_are_refused(manager, tree):
    folder = tree("a", {"f": b"x"})
    result = manager.copy_file(folder / "f", folder / "f")
    assert not result.success and "same file" in result.error_message
    assert (folder / "f").read_bytes() == b"x"


def test_a_cancel_before_the_copy_writes_nothing(manager, tree):
    folder = tree("a", {"f": b"x"})
    manager.cancel_event = threading.Event()
    manager.cancel_event.set()
    result = manager.copy_file(folder / "f", folder / "g")
    assert result.cancelled_by_user and not result.success and not (folder / "g").exists()
    manager.cancel_event.clear()
    assert manager.copy_file(folder / "f", folder / "g").success


class Recorder:
    """A progress manager of the caller's own."""

    def __init__(self):
        self.calls = []
        self.answer = False

    def cancellation_callback(self):
        return self.answer

    def update_file_progress(self, path, bytes_done, bytes_total, strategy=""):
        self.calls.append(("copy", path, bytes_done, bytes_total, strategy))

    def update_verify_progress(self, bytes_done, bytes_total):
        self.calls.append(("verify", bytes_done, bytes_total))


def test_progress_rises_to_the_size_of_the_file_for_copy_and_verification(manager, large_file):
    C.FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ = 60
    manager.progress_manager = recorder = Recorder()
    result = manager.copy_file(large_file, large_file.with_suffix(".copy"))
    assert result.success
    size = large_file.stat().st_size
    copied = [call[2] for call in recorder.calls if call[0] == "copy"]
    verified = [call[1] for call in recorder.calls if call[0] == "verify"]
    assert copied == sorted(copied) and verified == sorted(verified)
    assert copied[-1] == verified[-1] == size
    assert any(0 < done < size for done in copied)
    assert {call[1] for call in recorder.calls if call[0] == "copy"} == {str(large_file)}
    assert "direct" in {call[4] for call in recorder.calls if call[0] == "copy"}


@pytest.mark.parametrize("way", ["manager", "event", "event assigned in mid-copy"])
def test_a_cancel_in_mid_copy_leaves_the_target_as_it_was(manager, large_file, way):
    C.FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ = 60
    target = large_file.with_suffix(".copy")
    target.write_bytes(b"old")
    recorder = Recorder()
    event = threading.Event()
    if way == "event":
        manager.cancel_event = event

    def update(path, done, total, strategy=""):
        if way == "manager":
            recorder.answer = True
        else:
            event.set()
            manager.cancel_event = event

    recorder.update_file_progress = update
    manager.progress_manager = recorder
    result = manager.copy_file(large_file, target)
    assert result.cancelled_by_user and not result.success and result.error_message
    assert result.rollback_performed and result.rollback_success
    assert target.read_bytes() == b"old"
    assert not [name for name in os.listdir(target.parent) if name.endswith(".part")]


def test_a_progress_manager_assigned_in_mid_copy_is_used(manager, large_file):
    C.FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ = 60
    second = Recorder()

    class First(Recorder):
        def update_file_progress(self, *arguments):
            super().update_file_progress(*arguments)
            manager.progress_manager = second

    manager.progress_manager = first = First()
    assert manager.copy_file(large_file, large_file.with_suffix(".copy")).success
    assert len(first.calls) == 1 and second.calls


class Broken:
    """Everything raises, in all the ways that there are."""

    def cancellation_callback(self):
        raise RuntimeError("cancellation")

    def update_file_progress(self, *_):
        raise ValueError("file")

    @property
    def update_verify_progress(self):
        raise KeyError("verify")


def test_a_manager_and_a_callback_that_raise_change_nothing_but_the_log(manager, large_file, caplog):
    manager.progress_manager = Broken()
    manager.cancel_event = object()  # has no is_set

    def callback(message):
        raise OSError("status")

    manager.status_callback = callback
    result = manager.copy_file(large_file, large_file.with_suffix(".copy"))
    assert result.success and result.verification_passed
    for what in (
        "cancellation_callback",
        "update_file_progress",
        "update_verify_progress",
        "status_callback",
        "cancel_event",
    ):
        assert f"{what} failed" in caplog.text
    assert caplog.text.count("progress_manager.update_file_progress failed") == 1


def test_an_interrupt_in_a_callback_ends_the_copy_safely_and_is_raised(manager, large_file):
    C.FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ = 60
    recorder = Recorder()

    def interrupted(*_):
        raise KeyboardInterrupt

    recorder.update_file_progress = interrupted
    manager.progress_manager = recorder
    target = large_file.with_suffix(".copy")
    with pytest.raises(KeyboardInterrupt):
        manager.copy_file(large_file, target)
    assert not target.exists()
    manager.progress_manager = None
    assert manager.copy_file(large_file, target).success  # the turn was given back


def test_a_sparse_source_is_told_once(manager, tmp_path):
    source = tmp_path / "sparse"
    with source.open("wb") as file:
        file.truncate(8 << 20)
    if source.stat().st_blocks * 512 >= 8 << 20:
        pytest.skip("this file system keeps no holes")
    messages = []
    manager.status_callback = messages.append
    result = manager.copy_file(source, tmp_path / "copy")
    assert result.success and result.sparse_file_detected
    assert sum("is sparse" in message for message in messages) == 1
    C.FILECOPY_ATTRIBUTE_SPARSE_FILE_WARNING = False
    messages.clear()
    manager.copy_file(source, tmp_path / "copy2")
    assert not any("is sparse" in message for message in messages)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any bytes as a name")
def test_names_that_are_not_utf8_are_copied_and_logged(manager, tmp_path, log_text):
    source = os.fsencode(tmp_path) + b"/\xff\xfe\n.bin"
    target = os.fsencode(tmp_path) + b"/copy-\xff"
    Path(os.fsdecode(source)).write_bytes(b"x")
    messages = []
    manager.status_callback = messages.append
    manager.start_copy_operation("names")
    as_bytes = manager.copy_file(source, target)
    as_text = manager.copy_file(os.fsdecode(source), os.fsdecode(target) + "2")
    manager.end_copy_operation(2, 0, 2)
    assert as_bytes.success and as_text.success
    assert os.fsencode(as_bytes.source_path) == source
    assert Path(os.fsdecode(target)).read_bytes() == b"x"
    assert all("\n" not in message and message.encode() for message in messages)
    assert r"\udcff\udcfe\n.bin" in log_text()


@pytest.mark.parametrize("form", [str, os.fsencode, lambda path: path], ids=["str", "bytes", "path"])
def test_every_form_of_path_is_taken(manager, tree, form):
    folder = tree("a", {"f": b"x"})
    assert manager.copy_file(form(folder / "f"), form(folder / "g")).success
    assert (folder / "g").read_bytes() == b"x"
    assert manager.determine_copy_strategy(form(folder), form(folder), 1) is manager.CopyStrategy.DIRECT
    assert manager.get_drive_type(form(folder)) in manager.DriveType


def test_paths_of_more_than_260_characters_work(manager, tmp_path):
    folder = tmp_path.joinpath(*["long folder name " * 3] * 8)
    folder.mkdir(parents=True)
    (folder / "f").write_bytes(b"x")
    assert len(str(folder)) > 300
    assert manager.copy_file(folder / "f", folder / "g").success


def test_questions_never_raise_and_network_is_never_an_answer(manager):
    assert manager.get_drive_type("relative") is manager.DriveType.RELATIVE
    assert manager.get_drive_type(None) is manager.DriveType.UNKNOWN
    for size in (0, 1 << 60, "nonsense"):
        assert manager.determine_copy_strategy(None, "x", size) is not manager.CopyStrategy.NETWORK


def test_a_dry_run_writes_nothing(manager, tree):
    source, target = tree("a", {"f": b"new"}), tree("b", {"f": b"old"})
    before = manager.timestamp_manager
    manager.set_dry_run_mode(True)
    assert manager.dry_run_mode is True and manager.timestamp_manager is not before
    stamp = (target / "f").stat()
    result = manager.copy_file(source / "f", target / "f")
    assert result.success and result.bytes_copied == 0
    assert manager.timestamp_manager.copy_timestamps(source / "f", target / "f") is True
    assert (target / "f").read_bytes() == b"old" and (target / "f").stat() == stamp
    assert sorted(os.listdir(target)) == ["f"]
    manager.dry_run_mode = False
    assert manager.timestamp_manager.dry_run is False
    assert manager.copy_file(source / "f", target / "f").success and (target / "f").read_bytes() == b"new"
