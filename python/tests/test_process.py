"""The module in its process: the GIL, references, forks, interpreters, interrupts."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time

import foldercomparesync
import FolderCompareSync_Global_Constants as C
import pytest
from FileCopyManager_class import FileCopyManager_class
from foldercomparesync import _engine


def test_another_thread_makes_progress_during_a_large_copy(manager, large_file, tmp_path):
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            stop.wait(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        began = time.perf_counter()
        assert manager.copy_file(large_file, tmp_path / "copy").success
        ended = time.perf_counter()
    finally:
        stop.set()
        thread.join()
    inside = [began, *(t for t in ticks if began < t < ended), ended]
    longest = max(b - a for a, b in zip(inside, inside[1:]))
    # Held through the copy, the GIL would leave one gap as long as the copy.
    assert len(inside) > 20 and longest < (ended - began) / 2, (len(inside), longest, ended - began)


def blocks_after(function, calls, settle=lambda: None):
    """How many memory blocks of Python more there are after so many calls."""
    for _ in range(200):
        function()
    settle()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(calls):
        function()
    settle()
    gc.collect()
    return sys.getallocatedblocks() - before


def test_ten_thousand_calls_leave_no_references(tree):
    folder = tree("a", {"f": b"x"})
    source, target = str(folder / "f"), str(folder / "g")
    poll = lambda *_: False  # noqa: E731
    references = sys.getrefcount(poll)
    rehearsal = _engine.Operation("leaks", True)
    questions = {
        "copy_file": lambda: rehearsal.copy_file(source, target, poll),
        "setting": lambda: _engine.set_setting("verify", _engine.setting("verify")),
        "times_ns": lambda: _engine.set_times_ns(source, None, _engine.times_ns(source)[1]),
        "drive_type": lambda: _engine.drive_type(source),
        "Operation": lambda: _engine.Operation("x", True).end(),
    }
    for name, question in questions.items():
        assert blocks_after(question, 10_000) < 1_000, name
    assert sys.getrefcount(poll) == references


def test_ten_thousand_copied_files_leave_no_references(tree):
    folder = tree("a", {"f": b"x"})
    source = str(folder / "f")
    manager = FileCopyManager_class()
    numbers = iter(range(1 << 30))
    C.FILECOPY_VERIFY_POLICY = "none"
    C.FILECOPY_GROUP_AFTER_FILES = 0
    C.FILECOPY_LOG_LEVEL = "error"
    manager.start_copy_operation("many")
    grown = blocks_after(
        lambda: manager.copy_file(source, str(folder / f"g{next(numbers)}")),
        10_000,
        # Results of files that wait are kept until their group has its names, which setting times brings
        # about.
        lambda: manager.timestamp_manager.copy_timestamps(source, source),
    )
    assert manager.end_copy_operation()["copied"] == 10_200
    assert grown < 1_000, grown


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_after_fork_is_refused_and_the_parents_run_lives_on(tree, run_python):
    source, target = tree("a", {"f": b"1", "g": b"2"}), tree("b", {})
    printed = run_python(
        """
import os, sys, warnings
warnings.simplefilter("ignore")
from FileCopyManager_class import FileCopyManager_class
from foldercomparesync import Operation
import FolderCompareSync_Global_Constants as C
C.FILECOPY_LOG_FOLDER = sys.argv[3]
source, target = sys.argv[1:3]
manager = FileCopyManager_class()
manager.start_copy_operation("parent")
assert manager.copy_file(source + "/f", target + "/f").success
operation = Operation("typed")
assert operation.copy_file(source + "/f", target + "-typed/f").success
import threading
class Progress:  # at the fork another thread is in mid-copy, and has the turn for ever in the child
    def update_file_progress(self, *_):
        copying.set()
        forked.wait(60)
copying, forked = threading.Event(), threading.Event()
with open(source + "/large", "wb") as file:
    file.write(os.urandom(1 << 20) * 100)
manager.progress_manager = Progress()
other = threading.Thread(target=manager.copy_file, args=(source + "/large", target + "/large"))
other.start()
assert copying.wait(60)
child = os.fork()
if child == 0:
    result = manager.copy_file(source + "/g", target + "/child")
    print("child", result.success, "fork" in result.error_message, flush=True)
    try:
        operation.copy_file(source + "/g", target + "-typed/child")
    except RuntimeError as error:
        print("typed", error, flush=True)
    manager.end_copy_operation(0, 1, 0)
    sys.exit(0)  # as a program ends: with every exit handler and destructor
assert os.waitpid(child, 0)[1] == 0
forked.set()
other.join()
assert manager.copy_file(source + "/g", target + "/g").success
print("parent", manager.end_copy_operation(2, 0, 2)["copied"])
print("typed", operation.end()["copied"])
""",
        source, target, C.FILECOPY_LOG_FOLDER,
    )  # fmt: skip
    assert "child False True" in printed and "parent 3" in printed and "typed 1" in printed
    assert "typed This operation belongs to the process" in printed
    assert not (target / "child").exists()
    assert [run.state for run in foldercomparesync.runs(target)] == ["done"]


def interpreters():
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            return __import__(name)
        except ImportError:
            continue
    return None


@pytest.mark.skipif(interpreters() is None, reason="this Python offers no further interpreters")
def test_a_second_interpreter_is_refused_clearly(run_python):
    printed = run_python(
        """
import foldercomparesync, sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
inner = interpreters.create()
script = '''
import sys
sys.path[:] = %r
try:
    import foldercomparesync
except ImportError as error:
    print("refused:", error, flush=True)
else:
    print("imported", flush=True)
''' % (sys.path,)
interpreters.run_string(inner, script)
print("outer", foldercomparesync.settings["verify"])
"""
    )
    assert "refused:" in printed and "interpreter" in printed and "outer all" in printed


@pytest.mark.skipif(os.name != "posix", reason="the signal is sent the way of POSIX")
def test_an_interrupt_from_the_keyboard_ends_a_large_copy(tree, large_file, tmp_path):
    script = """
import signal, sys
from FileCopyManager_class import FileCopyManager_class
import FolderCompareSync_Global_Constants as C
# A shell has its jobs in the background ignore it, and that is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)
C.FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ = 60
class Progress:
    def update_file_progress(self, *_):
        print("copying", flush=True)
        sys.stdin.readline()
manager = FileCopyManager_class()
manager.progress_manager = Progress()
try:
    manager.copy_file(sys.argv[1], sys.argv[2])
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    target = tmp_path / "copy"
    child = subprocess.Popen(
        [sys.executable, "-c", script, large_file, target],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout.readline() == "copying\n"
        child.send_signal(signal.SIGINT)
        printed, _ = child.communicate("\n" * 10_000, timeout=60)
    finally:
        child.kill()
    assert "interrupted" in printed
    assert not target.exists() and [run.state for run in foldercomparesync.runs(tmp_path)] in (
        ["done"],
        [],
        ["rolled-back"],
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")
def test_a_childs_lock_is_its_own_and_the_parents_is_free_when_its_run_has_ended(tree, run_python):
    source, parents, childs = tree("a", {"f": b"1"}), tree("b", {}), tree("c", {})
    printed = run_python(
        """
import os, sys, time, warnings
warnings.simplefilter("ignore")
from foldercomparesync import Operation, runs
source, parents, childs = sys.argv[1:]
operation = Operation("parent")
assert operation.copy_file(source + "/f", parents + "/f").success
to_child, to_parent = os.pipe(), os.pipe()

def entry(root):
    with open(root + "/.fcs/lock") as lock:
        return dict(line.split("=", 1) for line in lock.read().splitlines() if "=" in line)

child = os.fork()
if child == 0:
    own = Operation("child")
    assert own.copy_file(source + "/f", childs + "/f").success
    first = entry(childs)
    assert int(first["process"]) == os.getpid(), first
    while entry(childs)["beat"] == first["beat"]:
        time.sleep(0.05)
    os.write(to_parent[1], b"x")
    os.read(to_child[0], 1)
    own.end()
    os._exit(0)
os.read(to_parent[0], 1)
operation.end()
again = Operation("again")  # the child lives, and has every handle of its parent
outcome = again.copy_file(source + "/f", parents + "/g")
print("again", outcome.success, outcome.error, flush=True)
again.end()
os.write(to_child[1], b"x")
assert os.waitpid(child, 0)[1] == 0
print("runs", [run.state for run in runs(childs)], flush=True)
""",
        source,
        parents,
        childs,
    )
    assert printed.splitlines() == ["again True ", "runs ['done']"]


def test_many_threads_ask_and_set_at_once():
    """Settings, questions and rehearsals from eight threads: nothing hangs, nothing is torn."""
    errors = []

    def work(n):
        try:
            operation = _engine.Operation(f"thread {n}", True)
            for _ in range(200):
                _engine.set_setting("copy_workers", n)
                assert 0 <= _engine.setting("copy_workers") < 8
                assert _engine.drive_type(os.getcwd())
                operation.copy_file(__file__, os.path.join(os.getcwd(), "never-written"))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    assert not errors and not any(thread.is_alive() for thread in threads)
