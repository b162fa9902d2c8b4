"""`FileTimestampManager_class`: exact times, whatever a `datetime` can hold."""

import os
import sys
import time
from datetime import datetime, timedelta, timezone

import foldercomparesync
import pytest
from FileTimestampManager_class import FileTimestampManager_class

MODIFIED = 1_500_000_000_123_456_700  # a whole tick of Windows, not a whole microsecond


@pytest.fixture
def times():
    return FileTimestampManager_class()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x")
    return path


def test_copied_times_are_exact_and_the_access_time_stays(times, file, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"y")
    os.utime(other, ns=(1_000_000_000_000_000_000, 1))
    assert times.set_file_timestamps_ns(file, modification_ns=MODIFIED) is True
    copied = times.copy_timestamps(file, other)
    created, modified = times.get_file_timestamps_ns(file)
    found = times.get_file_timestamps_ns(other)
    assert found[1] == modified == MODIFIED
    assert os.stat(other).st_atime_ns == 1_000_000_000_000_000_000
    # What no program can set here is no failure.
    assert copied is True
    assert found[0] == created or sys.platform != "win32"


def test_times_of_folders_are_copied(times, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir(), second.mkdir()
    times.set_file_timestamps_ns(first, modification_ns=MODIFIED)
    times.copy_timestamps(str(first), str(second))
    assert times.get_file_timestamps_ns(second)[1] == MODIFIED


def test_datetimes_are_aware_and_come_back_to_the_microsecond(times, file):
    when = datetime(2021, 3, 4, 5, 6, 7, 891_011, tzinfo=timezone(timedelta(hours=-7)))
    assert times.set_file_timestamps(file, modification_time=when) is True
    found = times.get_file_timestamps(file)[1]
    assert found == when and found.tzinfo is not None
    assert times.get_file_timestamps_ns(file)[1] == 1_614_859_567_891_011_000


def test_naive_datetimes_are_local(times, file):
    when = datetime(2021, 7, 4, 12, 0, 0, 1)
    times.set_file_timestamps(file, modification_time=when)
    assert times.get_file_timestamps_ns(file)[1] == int(when.timestamp()) * 1_000_000_000 + 1_000


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system cannot change the zone of a process")
def test_an_hour_that_comes_twice_is_told_apart_by_fold(times, file, monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        for fold, seconds in ((0, 1_635_640_200), (1, 1_635_643_800)):
            times.set_file_timestamps(file, modification_time=datetime(2021, 10, 31, 2, 30, fold=fold))
            assert times.get_file_timestamps_ns(file)[1] == seconds * 1_000_000_000
    finally:
        monkeypatch.undo()
        time.tzset()


def test_times_before_1970_work(times, file):
    when = datetime(1965, 1, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
    assert times.set_file_timestamps(file, modification_time=when)
    assert times.get_file_timestamps(file)[1] == when


def test_what_is_missing_raises_and_what_fails_is_false(times, tmp_path, file):
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError):
        times.get_file_timestamps(missing)
    with pytest.raises(FileNotFoundError):
        times.set_file_timestamps(missing, modification_time=datetime.now())
    with pytest.raises(ValueError, match="neither"):
        times.set_file_timestamps(file)
    assert times.copy_timestamps(missing, file) is False
    assert times.copy_timestamps(file, None) is False
    assert times.set_file_timestamps_ns(file, modification_ns=1 << 80) is False


def test_a_created_time_that_cannot_be_set_is_false_and_the_modified_time_is_set(times, file):
    before = times.get_file_timestamps_ns(file)[0]
    wanted = MODIFIED - 1_000_000_000
    done = times.set_file_timestamps_ns(file, creation_ns=wanted, modification_ns=MODIFIED)
    created, modified = times.get_file_timestamps_ns(file)
    assert modified == MODIFIED
    assert done is (created == wanted)
    if sys.platform == "linux":
        assert done is False and created == before


def test_a_dry_run_writes_nothing_and_needs_no_file(file, tmp_path):
    times = FileTimestampManager_class(dry_run=True)
    before = times.get_file_timestamps_ns(file)
    assert times.set_file_timestamps(file, modification_time=datetime(2000, 1, 1)) is True
    assert times.copy_timestamps(tmp_path, file) is True
    assert (
        times.set_file_timestamps(tmp_path / "not there yet", modification_time=datetime(2000, 1, 1)) is True
    )
    assert times.get_file_timestamps_ns(file) == before


def test_verification_has_a_tolerance_and_never_agrees_with_nothing(times, file, tmp_path):
    when = datetime(2020, 1, 1, tzinfo=timezone.utc)
    times.set_file_timestamps(file, modification_time=when)
    assert times.verify_timestamps(file, expected_modification=when + timedelta(seconds=1))
    assert not times.verify_timestamps(
        file, expected_modification=when + timedelta(seconds=1, microseconds=1)
    )
    assert not times.verify_timestamps(
        file, expected_modification=when + timedelta(seconds=1), tolerance_seconds=0.5
    )
    assert times.verify_timestamps(file, times.get_file_timestamps(file)[0], when)
    assert not times.verify_timestamps(file)
    for missing in (tmp_path / "missing", file / "missing"):
        assert not times.verify_timestamps(missing, expected_modification=when)
        with pytest.raises(OSError):
            times.get_file_timestamps(missing)
    exact = times.get_file_timestamps_ns(file)[1]
    assert times.verify_timestamps_ns(file, expected_modification_ns=exact)
    assert not times.verify_timestamps_ns(file, expected_modification_ns=exact + 1)


def test_the_zone_is_named(times):
    name = times.get_timezone_string()
    assert name.startswith("UTC") and name[6] == ":" and name.endswith(")")


@pytest.mark.parametrize("form", [str, os.fsencode, lambda path: path], ids=["str", "bytes", "path"])
def test_every_form_of_path_is_taken(times, file, form):
    assert times.set_file_timestamps_ns(form(file), modification_ns=MODIFIED)
    assert times.get_file_timestamps_ns(form(file))[1] == MODIFIED


def test_the_package_does_the_same_with_integers(file, tmp_path):
    assert foldercomparesync.set_times(file, modified_ns=MODIFIED)
    assert foldercomparesync.times(file).modified_ns == MODIFIED
    with pytest.raises(ValueError, match="neither"):
        foldercomparesync.set_times(file)
    with pytest.raises(FileNotFoundError):
        foldercomparesync.copy_times(tmp_path / "missing", file)
