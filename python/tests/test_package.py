"""The package `foldercomparesync`: ordinary names over the engine."""

import json
import os

import foldercomparesync as fcs_module
import pytest
from foldercomparesync import CopyError, EngineError, Operation, settings


def test_a_tree_is_compared_copied_and_undone(tree):
    left = tree("left", {"same": b"1", "new/file": b"2", "changed": b"33"})
    right = tree("right", {"same": b"1", "changed": b"3", "extra": b"4"})
    os.utime(left / "same", ns=(1, 1)), os.utime(right / "same", ns=(1, 1))
    found = {row.path: row for row in fcs_module.compare(left, right)}
    assert found["same"].verdict == "same" and found["changed"].verdict == "different"
    assert found["new/file"].verdict == "left only" and found["extra"].verdict == "right only"
    assert (found["changed"].size_left, found["changed"].size_right) == (2, 1)
    assert found["new/file"].path_bytes == b"new/file" and found["new/file"].size_right is None
    assert found["same"].modified_left_ns == 1

    dry = fcs_module.copy_tree(left, right, dry_run=True)
    assert not (right / "new").exists() and dry.result == "dry-run"
    report = fcs_module.copy_tree(str(left), os.fsencode(right))
    assert report.result == "completed" and report.failed == 0 and report.errors == []
    assert (right / "new/file").read_bytes() == b"2" and (right / "extra").exists()
    assert json.loads(report.json)["run"] == report.run_id
    assert {row.path: row.verdict for row in fcs_module.compare(left, right)}["changed"] == "same"

    (run,) = fcs_module.runs(right)
    assert run.run_id == report.run_id and run.undoable and run.started_ns > 1_600_000_000_000_000_000
    assert fcs_module.undo(right).clean
    assert (right / "changed").read_bytes() == b"3" and not (right / "new").exists()


def test_a_sync_removes_within_its_guard(tree):
    left, right = tree("left", {"a": b"1"}), tree("right", {"a": b"1", "b": b"2", "c": b"3", "d": b"4"})
    with pytest.raises(EngineError, match="max_delete"):
        fcs_module.sync_tree(left, right)
    assert (right / "b").exists()
    report = fcs_module.sync_tree(left, right, max_delete=3)
    assert report.removed == 3 and sorted(os.listdir(right)) == [".fcs", "a"]
    assert fcs_module.undo(right, report.run_id).clean and (right / "d").read_bytes() == b"4"


@pytest.mark.usefixtures("home")
def test_both_ways_by_what_is_remembered(tree):
    stays = {f"stays {n}": b"s" for n in range(9)}
    left, right = tree("left", {"l": b"1", **stays}), tree("right", {"r": b"2"})
    first = fcs_module.sync_tree(left, right, mode="two-way")
    assert (left / "r").read_bytes() == b"2" and (right / "l").read_bytes() == b"1"
    assert any("first run" in note for note in json.loads(first.json)["notes"]), first.json
    (left / "r").unlink()
    (right / "l").write_bytes(b"edited")
    fcs_module.sync_tree(left, right, mode="two-way")
    assert not (right / "r").exists() and (left / "l").read_bytes() == b"edited"
    (left / "l").write_bytes(b"by the left"), (right / "l").write_bytes(b"by the right too")
    fcs_module.sync_tree(left, right, mode="two-way")
    assert (left / "l").read_bytes() == b"by the left"
    kept = fcs_module.sync_tree(left, right, mode="two-way", conflicts="keep-both")
    names = sorted(name for name in os.listdir(left) if name.startswith("l"))
    assert len(names) == 2 and names == sorted(name for name in os.listdir(right) if name.startswith("l"))
    assert fcs_module.undo(right, kept.run_id).clean
    assert (left / "l").read_bytes() == b"by the left" and (right / "l").read_bytes() == b"by the right too"
    for wrong in ({"mode": "both"}, {"mode": "two-way", "conflicts": "mine"}, {"conflicts": "left"}):
        with pytest.raises(ValueError):
            fcs_module.sync_tree(left, right, **wrong)


@pytest.mark.usefixtures("home")
def test_custom_does_with_each_category_what_was_chosen(tree):
    stays = {f"stays {n}": b"s" for n in range(9)}
    left = tree("left", {"l": b"1", "newer": b"22", "older": b"3", "d": b"a file", **stays})
    right = tree("right", {"r": b"4", "newer": b"5", "older": b"66", "d/in": b"7", **stays})
    for name in ("newer", "older"):
        times = (2, 1) if name == "newer" else (1, 2)
        os.utime(left / name, (times[0],) * 2), os.utime(right / name, (times[1],) * 2)
    custom = {"left-only": "skip", "right-only": "remove", "right-newer": "keep-both", "kind-change": "to-right"}
    report = fcs_module.sync_tree(left, right, mode="custom", custom=custom)
    assert (report.failed, report.errors) == (0, [])
    assert (left / "l").exists() and not (right / "l").exists() and not (right / "r").exists()
    assert (right / "newer").read_bytes() == b"22", "the default: the newer one goes"
    for side in (left, right):
        assert (side / "older").read_bytes() == b"66" and (side / "older.conflict-left").read_bytes() == b"3"
    assert (right / "d").read_bytes() == b"a file"
    assert fcs_module.undo(right, report.run_id).clean
    assert (right / "r").exists() and (right / "d/in").exists() and (left / "older").read_bytes() == b"3"
    # Nothing chosen is the default.
    fcs_module.sync_tree(left, right, mode="custom")
    assert (right / "l").exists() and (left / "r").exists() and (left / "older").read_bytes() == b"66"
    for wrong in (
        {"custom": {}},
        {"mode": "two-way", "custom": {"left-only": "skip"}},
        {"mode": "custom", "custom": {"left-only": "to-left"}},
        {"mode": "custom", "custom": {"same": "skip"}},
        {"mode": "custom", "conflicts": "left"},
    ):
        with pytest.raises(ValueError, match="custom|conflicts"):
            fcs_module.sync_tree(left, right, **wrong)


def test_patterns_choose_what_takes_part(tree):
    left, right = tree("left", {"a.txt": b"1", "b.tmp": b"2"}), tree("right", {})
    fcs_module.copy_tree(left, right, exclude=["*.tmp"])
    assert (right / "a.txt").exists() and not (right / "b.tmp").exists()
    assert [row.path for row in fcs_module.compare(left, right, include=("*.tmp",))] == ["b.tmp"]


def test_a_poll_cancels(tree):
    left, right = tree("left", {f"{n}": b"x" * 100_000 for n in range(200)}), tree("right", {})
    phases = []

    def poll(phase, done, total, bytes_done, bytes_total):
        phases.append((phase, done, total, bytes_done, bytes_total))
        return True

    # A poll comes every tenth of a second; this run may be over before the first.
    report = fcs_module.copy_tree(left, right, poll=poll)
    assert report.result == ("cancelled" if phases else "completed")
    assert all(isinstance(phase, str) and done >= 0 for phase, done, *_ in phases)


def test_one_file_is_copied_or_the_error_says_why_not(tree):
    folder = tree("a", {"f": b"x"})
    assert fcs_module.copy_file(folder / "f", folder / "g").verified
    with pytest.raises(CopyError, match="missing") as caught:
        fcs_module.copy_file(folder / "missing", folder / "h")
    assert caught.value.outcome.success is False and isinstance(caught.value, EngineError)
    assert (
        fcs_module.copy_file(folder / "f", folder / "h", dry_run=True).success and not (folder / "h").exists()
    )
    with pytest.raises(CopyError) as caught:
        fcs_module.copy_file(folder, folder / "h")


def test_an_operation_is_one_run_and_ends_with_its_block(tree):
    source, target = tree("a", {"f": b"1", "g": b"2"}), tree("b", {})
    with pytest.raises(ZeroDivisionError), Operation("two files", group_after=0) as operation:
        assert operation.run_id == ""
        for name in ("f", "g"):
            assert operation.copy_file(source / name, target / name).waits
        assert [outcome.success for _, outcome in operation.settle()] == [True, True]
        run = operation.run_id
        assert operation.roots == [target]
        raise ZeroDivisionError
    (found,) = fcs_module.runs(target)
    assert found.run_id == run and found.state == "done" and found.items == 2


def test_settings_are_a_mapping_with_ranges():
    assert settings["verify"] == "all" and len(settings) == len(dict(settings)) > 40
    with settings.override(verify="none", copy_workers=3):
        assert (settings["verify"], settings["copy_workers"]) == ("none", 3)
    assert (settings["verify"], settings["copy_workers"]) == ("all", 0)
    settings["copy_workers"] = 2
    del settings["copy_workers"]
    assert settings["copy_workers"] == 0
    for name in ("nonsense", "Verify"):
        with pytest.raises(KeyError):
            settings[name]
        with pytest.raises(KeyError):
            settings[name] = 1
        with pytest.raises(KeyError):
            del settings[name]
    with pytest.raises(ValueError, match="0 to 64"):
        settings["copy_workers"] = 65
    row = next(row for row in settings.table() if row.name == "verify_below_bytes")
    assert (row.unit, row.default, row.least, row.choices) == ("bytes", 1 << 30, 1, None)


def test_an_override_is_taken_back_when_one_of_its_values_is_refused():
    with pytest.raises(ValueError), settings.override(verify="none", copy_workers=65):
        pass
    assert settings["verify"] == "all"


def test_errors_of_the_system_are_the_systems(tmp_path):
    with pytest.raises((FileNotFoundError, EngineError)):
        fcs_module.compare(tmp_path / "missing", tmp_path)
    with pytest.raises((OSError, EngineError)):
        fcs_module.undo(tmp_path)
    with pytest.raises(ValueError):
        fcs_module.undo(tmp_path, "no such run id")
    assert fcs_module.runs(tmp_path) == [] and fcs_module.recover(tmp_path) == []
