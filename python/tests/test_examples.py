"""The programs in `examples/` do what they show."""

import os
import subprocess
import sys
from pathlib import Path

import foldercomparesync
import FolderCompareSync_Global_Constants as C
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run(*arguments):
    return subprocess.run(
        [sys.executable, EXAMPLES / "owner_style.py", *arguments], capture_output=True, text=True, timeout=120
    )


def test_a_program_in_the_owners_style_copies_a_tree(tree, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "state"))
    source = tree("source", {f"{n}/file": b"%d" % n for n in range(15)})
    target = tmp_path / "target"
    for folder in [*source.iterdir(), source]:
        os.utime(folder, ns=(1, 1_400_000_000_000_000_000))
    rehearsed = run(source, target, "--dry-run")
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert "… and 5 more" in rehearsed.stdout and not target.exists()
    done = run(source, target)
    assert done.returncode == 0, done.stderr
    assert "15 copied (15 direct), 0 failed, 20 bytes" in done.stdout
    assert (target / "14/file").read_bytes() == b"14"
    assert (target / "3").stat().st_mtime_ns == 1_400_000_000_000_000_000
    (info,) = foldercomparesync.runs(target)
    assert info.command == "Copy left to right" and info.items >= 15
    assert run(source).returncode == 2


@pytest.fixture
def window(root, example):
    module = example("tk_copy")
    return lambda source, target: module.CopyWindow(root, str(source), str(target))


def test_the_tk_program_copies_logs_and_undoes(root, loop, window, tree):
    source, target = tree("from", {f"d/{n}": b"%d" % n for n in range(100)}), tree("to", {"d/0": b"old"})
    program = window(source, target)
    program.verify.set("lt_threshold")
    program.copy_button.invoke()
    assert program.copy_button.instate(["disabled"])
    loop(lambda: program.undo_button.instate(["!disabled"]))
    assert C.FILECOPY_VERIFY_POLICY == "lt_threshold"
    assert (target / "d/99").read_bytes() == b"99" and (target / "d/0").read_bytes() == b"0"
    loop(lambda: "ended: 100 copied, 0 failed" in program.log.get("1.0", "end"))
    program.undo_button.invoke()
    loop(lambda: "Undid run" in program.log.get("1.0", "end"))
    assert (target / "d/0").read_bytes() == b"old" and not (target / "d/99").exists()
    program.close()


def test_the_tk_program_rehearses(root, loop, window, tree):
    source, target = tree("from", {"f": b"1"}), tree("to", {})
    program = window(source, target)
    program.dry_run.set(True)
    program.copy_button.invoke()
    loop(lambda: program.copy_button.instate(["!disabled"]))
    assert os.listdir(target) == [] and program.undo_button.instate(["disabled"])
    program.close()


def test_the_tk_program_closed_in_mid_copy_waits_for_a_safe_point(root, window, large_file, tree, tmp_path):
    C.FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ = 60
    source, target = tree("from", {}), tree("to", {})
    os.replace(large_file, source / "large")
    program = window(source, target)
    program.copy_button.invoke()

    def close_in_mid_copy():
        bars = program.progress.progress_dialog._widgets
        if bars and float(bars["copy_bar"].cget("value")) > 0:
            program.close()
        else:
            root.after(5, close_in_mid_copy)

    root.after(5, close_in_mid_copy)
    root.mainloop()  # ends with the window
    assert not program.worker.is_alive() and not (target / "large").exists()
    assert {run.state for run in foldercomparesync.runs(target)} <= {"done", "rolled-back"}
