"""`FolderCompareSync_Global_Constants`: one table, live, checked where a value is assigned."""

import subprocess
import sys

import FolderCompareSync_Global_Constants as C
import pytest
from foldercomparesync import _engine, settings


def test_a_change_reaches_the_engine_and_a_change_of_the_engine_is_read():
    C.FILECOPY_MMAP_WINDOW_BYTES = 16 << 20
    assert _engine.setting("mmap_window_bytes") == 16 << 20
    settings["mmap_window_bytes"] = 32 << 20
    assert C.FILECOPY_MMAP_WINDOW_BYTES == 32 << 20


def test_a_threshold_changes_the_strategy_at_once(tmp_path, manager):
    strategy = manager.CopyStrategy
    assert manager.determine_copy_strategy(tmp_path, tmp_path, 1000) is strategy.DIRECT
    C.FILECOPY_COPY_STRATEGY_THRESHOLD_BYTES = 1000
    assert manager.determine_copy_strategy(tmp_path, tmp_path, 1000) is strategy.STAGED
    assert manager.determine_copy_strategy(tmp_path, tmp_path, 999) is strategy.DIRECT


@pytest.mark.parametrize(("policy", "verify"), [("none", "none"), ("lt_threshold", "below"), ("all", "all")])
def test_the_policy_has_the_owners_words(policy, verify):
    C.FILECOPY_VERIFY_POLICY = policy
    assert settings["verify"] == verify
    assert C.FILECOPY_VERIFY_POLICY == policy


def test_the_default_is_to_verify_every_file():
    assert C.FILECOPY_VERIFY_POLICY == C.FILECOPY_VERIFY_POLICY_DEFAULT == "all"


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("FILECOPY_MMAP_WINDOW_BYTES", 1, ValueError),
        ("FILECOPY_MMAP_WINDOW_BYTES", 1.5, TypeError),
        ("FILECOPY_NETWORK_CHUNK_BYTES", 64 << 20, ValueError),
        ("FILECOPY_VERIFY_POLICY", "below", ValueError),
        ("FILECOPY_VERIFY_POLICY", 1, TypeError),
        ("FILECOPY_VERIFY_POLICY_DEFAULT", "some", ValueError),
        ("FILECOPY_UNC_PATH_REJECTION_STRICT", False, ValueError),
        ("FILECOPY_ENABLE_CLOUD_DETECTION", 1, TypeError),
        ("FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ", 0, ValueError),
        ("FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ", float("nan"), ValueError),
        ("FILECOPY_MAXIMUM_COPY_FILE_SIZE_BYTES", True, TypeError),
        ("FILECOPY_LOG_FOLDER", "", ValueError),
        ("TIMESTAMP_TOLERANCE", -0.1, ValueError),
        ("TIMESTAMP_TOLERANCE", float("nan"), ValueError),
        ("TIMESTAMP_TOLERANCE", "1", TypeError),
        ("COPY_PREVIEW_MAX_ITEMS", 0, ValueError),
        ("MAX_FILES_FOLDERS", 0, ValueError),
        ("MAX_PATH", 261, AttributeError),
        ("FILECOPY_VERFIY_POLICY", "all", AttributeError),
    ],
)
def test_a_bad_value_raises_where_it_is_assigned_and_changes_nothing(name, value, error):
    before = getattr(C, name, None)
    with pytest.raises(error, match=name):
        setattr(C, name, value)
    assert getattr(C, name, None) == before


def test_an_unknown_name_raises_when_it_is_read():
    with pytest.raises(AttributeError, match="NO_SUCH_NAME"):
        C.NO_SUCH_NAME  # noqa: B018


def test_every_setting_has_one_constant_that_reads_its_default_and_takes_it_back():
    named = {}
    for name in C.__all__:
        described = C.describe(name)
        assert described.name == name and described.meaning
        if described.unit == "Windows":
            continue
        assert getattr(C, name) == described.default or name == "FILECOPY_LOG_FOLDER", name
        setattr(C, name, getattr(C, name))
        if described.least is not None:
            assert described.least <= described.default <= described.most
    for row in settings.table():
        changed = C._SETTINGS
        named[row.name] = [name for name, mapped in changed.items() if mapped.setting == row.name]
        assert len(named[row.name]) == 1, (row.name, named[row.name])
    assert named["batch_max_files"] == ["FILECOPY_BATCH_MAX_FILES"]


def test_the_tolerance_is_in_seconds():
    C.TIMESTAMP_TOLERANCE = 2
    assert settings["time_tolerance_nanos"] == 2_000_000_000
    settings["time_tolerance_nanos"] = 100_000
    assert C.TIMESTAMP_TOLERANCE == 0.0001


def test_windows_constants_have_the_documented_values():
    documented = {
        "COPY_FILE_FAIL_IF_EXISTS": 1,
        "COPY_FILE_NO_BUFFERING": 4096,
        "PROGRESS_CANCEL": 1,
        "PROGRESS_QUIET": 3,
        "GENERIC_READ": 2147483648,
        "FILE_FLAG_BACKUP_SEMANTICS": 33554432,
        "FILE_ATTRIBUTE_SPARSE_FILE": 512,
        "FILE_ATTRIBUTE_REPARSE_POINT": 1024,
        "DRIVE_REMOTE": 4,
        "ERROR_SHARING_VIOLATION": 32,
        "ERROR_REQUEST_ABORTED": 1235,
        "ERROR_DISK_FULL": 112,
        "OPEN_EXISTING": 3,
    }
    assert {name: getattr(C, name) for name in documented} == documented
    import stat

    for name in dir(stat):
        if name.startswith("FILE_ATTRIBUTE_") and name in C.__all__:
            assert getattr(C, name) == getattr(stat, name), name


def test_the_module_lists_its_names_and_star_import_brings_them():
    assert "FILECOPY_VERIFY_POLICY" in dir(C)
    space = {}
    exec("from FolderCompareSync_Global_Constants import *", space)
    assert space["FILECOPY_VERIFY_POLICY"] == "all" and space["MAX_PATH"] == 260


def test_a_constant_cannot_be_deleted():
    with pytest.raises(AttributeError, match="MAX_PATH"):
        del C.MAX_PATH


def test_the_log_folder_is_beside_the_programs_own_logs(tmp_path):
    script = "import FolderCompareSync_Global_Constants as C; print(C.FILECOPY_LOG_FOLDER)"
    import os

    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    printed = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert "foldercomparesync" in printed.stdout.lower() and printed.stdout.strip().endswith("logs")
