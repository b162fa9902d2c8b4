"""Progress in a real window: bars move, the window answers, and nothing but Tk's thread calls Tk."""

import gc
import logging
import os
import threading
import time
import weakref

import FolderCompareSync_Global_Constants as C
import pytest
from FileCopyManager_class import FileCopyManager_class

tk = pytest.importorskip("tkinter", reason="this Python has no Tk")

from CopyProgressManager_class import CopyProgressManager_class  # noqa: E402
from foldercomparesync.tk import LogHandler, Pump  # noqa: E402
from ProgressDialog_class import ProgressDialog_class  # noqa: E402


class Worker(threading.Thread):
    """A thread whose failure fails the test."""

    def __init__(self, function):
        super().__init__(daemon=True)
        self.function, self.error, self.result = function, None, None
        self.start()

    def run(self):
        try:
            self.result = self.function()
        except BaseException as error:
            self.error = error

    def done(self):
        return not self.is_alive()


@pytest.fixture(autouse=True)
def fast():
    C.FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ = 30


@pytest.fixture(autouse=True)
def only_tks_thread_calls_tk(monkeypatch):
    """Every call into Tk goes through a few methods of tkinter's widgets; a foreign thread in one of them is
    a failure.
    """
    mine = threading.get_ident()
    strangers = []

    def watched(name):
        real = getattr(tk.Misc, name)

        def method(self, *arguments, **named):
            if threading.get_ident() != mine:
                strangers.append(f"{name} on {threading.current_thread().name}")
            return real(self, *arguments, **named)

        monkeypatch.setattr(tk.Misc, name, method)

    for name in (
        "after",
        "after_cancel",
        "update",
        "update_idletasks",
        "bind",
        "_configure",
        "destroy",
        "event_generate",
        "cget",
    ):
        watched(name)
    yield
    assert strangers == []


class Gaps:
    """How long Tk did not come round to its own callbacks: what a user would feel as a window that hangs."""

    def __init__(self, root):
        self.root, self.gaps, self.last = root, [], time.perf_counter()
        self.tick()

    def tick(self):
        now = time.perf_counter()
        self.gaps.append(now - self.last)
        self.last = now
        self.root.after(5, self.tick)

    def check(self, record_property):
        gaps = sorted(self.gaps)
        longest, almost_all, usual = gaps[-1], gaps[len(gaps) * 99 // 100], gaps[len(gaps) // 2]
        record_property("longest_gap_seconds", longest)
        print(
            f"{len(gaps)} rounds; longest gap {longest * 1000:.0f} ms, 99 % below {almost_all * 1000:.0f} ms, "
            f"half below {usual * 1000:.0f} ms"
        )
        # A machine that is busy with something else may stop the whole process now and then; Tk held by a copy
        # would stand as long as that takes.
        assert usual < 0.1
        assert longest < 2.0


# --- Pump ---


def test_only_the_latest_value_of_a_channel_arrives_and_in_bounded_number(root, loop):
    pump = Pump(root, 30)
    seen, lines, lost = [], [], []
    pump.subscribe("n", seen.append)
    pump.on_log(lambda new, dropped: (lines.extend(new), lost.append(dropped)))
    began = time.perf_counter()

    def flood():
        for n in range(200_000):
            pump.put("n", n)
            pump.log(f"line {n}")
        return time.perf_counter() - began

    gaps = Gaps(root)
    worker = Worker(flood)
    loop(lambda: worker.done() and seen and seen[-1] == 199_999 and lines and lines[-1] == "line 199999")
    assert worker.error is None and worker.result < 20, (
        "a hundred thousand in a second is what the owner's loops do"
    )
    assert seen == sorted(seen) and len(seen) < 50 + 40 * (time.perf_counter() - began)
    assert len(lines) + sum(lost) == 200_000
    assert sorted(gaps.gaps)[len(gaps.gaps) // 2] < 0.1


def test_an_urgent_value_does_not_wait_for_a_slow_frequency(root, loop):
    pump = Pump(root, 0.1)
    seen = []
    pump.subscribe("slow", seen.append)
    pump.subscribe("fast", seen.append)
    pump.drain()
    pump.put("slow", "slow")
    Worker(lambda: pump.put("fast", "fast", urgent=True))
    loop(lambda: seen)
    assert seen == ["fast"]


def test_a_callback_that_raises_is_logged_and_the_others_go_on(root, loop, caplog):
    pump = Pump(root, 60)
    seen = []
    pump.subscribe("bad", lambda value: 1 / 0)
    pump.subscribe("good", seen.append)
    for n in range(2):
        pump.put("bad"), pump.put("good", n)
        loop(lambda n=n: n in seen)
    assert caplog.text.count("ZeroDivisionError") == 2


def test_the_pump_ends_with_its_window_and_puts_are_harmless_then(root):
    pump = Pump.install(root, 60)
    assert Pump.of(tk.Frame(root)) is pump and pump.running
    child = tk.Toplevel(root)
    child.destroy()
    assert pump.running, "another window's end is not its own"
    root.destroy()
    assert not pump.running and pump.put("x", 1) is False
    pump.log("line"), pump.stop()


def test_a_pump_can_be_stopped_from_any_thread(root, loop):
    pump = Pump(root, 60)
    seen = []
    pump.subscribe("x", seen.append)
    worker = Worker(pump.stop)
    loop(lambda: worker.done() and pump._root is None)
    assert worker.error is None
    pump.put("x", 1)
    root.update()
    assert seen == []


def test_a_first_pump_on_a_worker_is_refused_with_what_to_do(root):
    worker = Worker(lambda: ProgressDialog_class(root, "title", "message"))
    worker.join(30)
    assert isinstance(worker.error, RuntimeError) and "Pump.install" in str(worker.error)


def test_logging_reaches_the_log_of_a_window(root, loop):
    pump = Pump(root, 60)
    lines = []
    pump.on_log(lambda new, lost: lines.extend(new))
    handler = LogHandler(pump)
    logger = logging.getLogger("test of the pump")
    logger.addHandler(handler)
    Worker(lambda: logger.warning("from a worker"))
    loop(lambda: lines)
    logger.removeHandler(handler)
    assert lines == ["from a worker"]


# --- ProgressDialog ---


def text_of(dialog, name):
    return dialog._widgets[name].cget("text")


def value_of(dialog, name):
    return float(dialog._widgets[f"{name}_bar"].cget("value"))


def test_a_single_bar_shows_value_and_message(root, loop):
    dialog = ProgressDialog_class(root, "Comparing", "Reading", max_value=200)
    assert isinstance(dialog.dialog, tk.Toplevel) and dialog.dialog.title() == "Comparing"
    Worker(lambda: (dialog.update_message("Reading folders"), dialog.update_progress(50)))
    loop(lambda: value_of(dialog, "value") == 250)
    assert text_of(dialog, "message") == "Reading folders" and text_of(dialog, "value_percent") == "25 %"
    dialog.update_progress(1000, "more than all")
    loop(lambda: value_of(dialog, "value") == 1000)
    dialog.close()
    assert dialog.dialog is None


def test_without_a_maximum_the_bar_shows_activity(root, loop):
    dialog = ProgressDialog_class(root, "Comparing", "Reading")
    dialog.update_progress(7)
    loop(lambda: str(dialog._widgets["value_bar"].cget("mode")) == "indeterminate")
    dialog.set_completion_phase("Done")
    loop(lambda: text_of(dialog, "button") == "Close" and value_of(dialog, "value") == 1000)
    dialog._widgets["button"].invoke()
    assert dialog.dialog is None


def test_dual_bars_follow_their_phases(root, loop):
    dialog = ProgressDialog_class(root, "Copying", "Begins", dual_progress=True)
    Worker(lambda: dialog.update_dual_progress(40, 10, "overall", "copying", "verifying"))
    loop(lambda: value_of(dialog, "copy") == 400 and value_of(dialog, "verify") == 100)
    assert [text_of(dialog, n) for n in ("message", "copy_message", "verify_message")] == [
        "overall",
        "copying",
        "verifying",
    ]
    Worker(dialog.set_verify_phase)
    loop(lambda: value_of(dialog, "copy") == 1000)
    Worker(dialog.set_copy_phase)
    loop(lambda: value_of(dialog, "copy") == 0 == value_of(dialog, "verify"))
    Worker(dialog.set_completion_phase)
    loop(lambda: value_of(dialog, "copy") == 1000 == value_of(dialog, "verify"))


def test_a_dialog_can_be_made_updated_and_closed_by_a_worker(root, loop):
    Pump.install(root, 30)
    box = []

    def work():
        dialog = ProgressDialog_class(root, "From a worker", "…", 10)
        box.append(dialog)
        dialog.update_progress(5)

    worker = Worker(work)
    loop(lambda: box and box[0].dialog is not None and value_of(box[0], "value") == 500)
    worker = Worker(box[0].close)
    loop(lambda: worker.done() and box[0].dialog is None)
    assert worker.error is None
    box[0].update_progress(1), box[0].set_completion_phase(), box[0].close()  # after its end: nothing

    early = []
    worker = Worker(
        lambda: early.append(ProgressDialog_class(root, "Closed at once", "")) or early[0].close()
    )
    loop(worker.done)
    root.update()
    loop(lambda: True)
    assert early[0].dialog is None and not [w for w in root.winfo_children() if isinstance(w, tk.Toplevel)]


def test_the_cancel_button_calls_its_handler_once_and_says_so(root, loop, caplog):
    dialog = ProgressDialog_class(root, "Copying", "…", 10)
    root.update()
    assert not dialog._widgets["buttons"].winfo_ismapped(), "nothing can be cancelled yet"
    calls = []
    Worker(lambda: dialog.set_cancel_handler(lambda: calls.append(threading.get_ident())))
    loop(lambda: dialog._widgets["buttons"].winfo_ismapped())
    dialog._widgets["button"].invoke()
    dialog._on_window_closed()
    assert calls == [threading.get_ident()] and text_of(dialog, "button") == "Cancelling…"
    dialog.close()

    dialog = ProgressDialog_class(root, "Copying", "…", 10)
    dialog.set_cancel_handler(lambda: 1 / 0)
    dialog._draw(None)
    dialog._widgets["button"].invoke()
    assert "ZeroDivisionError" in caplog.text


def test_a_caller_on_tks_own_thread_sees_its_bars_move_without_a_main_loop(root):
    C.FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ = 60
    dialog = ProgressDialog_class(root, "Busy", "…", 2_000_000)
    seen = set()
    n = 0
    while len(seen) < 5 and n < 2_000_000:
        n += 1
        dialog.update_progress(n)
        seen.add(value_of(dialog, "value"))
    assert len(seen) == 5
    dialog.close()


def test_long_and_unprintable_names_fit_the_window(root, loop):
    dialog = ProgressDialog_class(root, "Copying", "Begins", dual_progress=True)
    root.update()
    width = dialog.dialog.winfo_width()
    dialog.update_dual_progress(1, 1, "x" * 5000, "/long/" + "n" * 3000 + "/\udcff\n.bin", "short")
    loop(lambda: "…" in text_of(dialog, "message"))
    root.update()
    assert dialog.dialog.winfo_width() == width
    assert text_of(dialog, "copy_message").endswith(r"/\udcff\n.bin")


# --- CopyProgressManager ---


def test_bytes_are_counted_for_each_file_and_for_all(root, loop):
    C.FILECOPY_VERIFY_POLICY = "all"
    progress = CopyProgressManager_class(root, "Copy", total_files=4, total_bytes=400)
    dialog = progress.progress_dialog

    def work():
        progress.update_file_progress("/a/first", 100, 100, "direct")
        progress.update_verify_progress(100, 100)
        progress.complete_file("/a/first", True)
        progress.complete_file("/a/empty", True, 0)
        progress.start_copy_phase("/a/second", 200)
        progress.update_file_progress("/a/second", 100, 200)

    Worker(work)
    loop(lambda: value_of(dialog, "copy") == 500)
    # 100 bytes are copied and verified, and of 200 more a half is copied, which is a quarter of the work on
    # them.
    assert value_of(dialog, "overall") == pytest.approx(1000 * 150 / 400)
    assert "file 3 of 4" in text_of(dialog, "message") and "200 B of 400 B" in text_of(
        dialog, "overall_message"
    )
    assert "second" in text_of(dialog, "copy_message") and "100 B of 200 B" in text_of(dialog, "copy_message")

    def rest():
        progress.start_verify_phase("/a/second", 200)
        progress.update_verify_progress(200, 200)
        progress.update_file_progress("/a/third", 100, 100)  # the second file's end was never told

    Worker(rest)
    loop(lambda: "third" in text_of(dialog, "copy_message"))
    assert value_of(dialog, "overall") == pytest.approx(1000 * 350 / 400)
    Worker(lambda: (progress.complete_file(False), progress.complete_operation(False, "1 failed")))
    loop(lambda: text_of(dialog, "button") == "Close")
    assert value_of(dialog, "overall") == 1000 and "4 files, 400 B" in text_of(dialog, "overall_message")
    assert "1 failed" in text_of(dialog, "message")
    progress.close()
    assert progress.dialog is None


def test_without_totals_there_is_activity_and_without_bytes_files_count(root, loop):
    unknown = CopyProgressManager_class(root, "Copy")
    unknown.complete_file("a")
    loop(lambda: str(unknown.progress_dialog._widgets["overall_bar"].cget("mode")) == "indeterminate")
    files = CopyProgressManager_class(root, "Copy", total_files=4)
    files.complete_file("a")
    loop(lambda: value_of(files.progress_dialog, "overall") == 250)
    unknown.close(), files.close()


def test_a_hundred_thousand_updates_a_second_leave_the_window_alive(root, loop, record_property):
    progress = CopyProgressManager_class(root, "Flood", 1000, 10**9)
    gaps = Gaps(root)

    def flood():
        began = time.perf_counter()
        for n in range(500_001):
            progress.update_file_progress("/a/file", n, 500_000, "direct")
            # As fast as a hundred thousand a second, and no faster: whoever computes without a pause keeps every
            # other thread of Python waiting, whatever it computes.
            if n % 1000 == 0:
                time.sleep(max(0.0, began + n / 100_000 - time.perf_counter()))
        return 500_000 / (time.perf_counter() - began)

    worker = Worker(flood)
    loop(lambda: worker.done() and value_of(progress.progress_dialog, "copy") == 1000)
    assert worker.error is None
    record_property("updates_per_second", worker.result)
    print(f"{worker.result:,.0f} updates a second")
    gaps.check(record_property)


# --- Real copies ---


@pytest.fixture
def many(tree, large_file):
    source = tree("many", {f"{n // 100:02}/{n:04}": os.urandom(50) * 40 for n in range(2000)})
    os.replace(large_file, source / "large.bin")
    return source


def copy_everything(manager, progress, source, target):
    copied = failed = size = 0
    manager.start_copy_operation("Copy")
    for folder, _, names in os.walk(source):
        there = os.path.join(target, os.path.relpath(folder, source))
        os.makedirs(there, exist_ok=True)
        for name in sorted(names):
            path = os.path.join(folder, name)
            result = manager.copy_file(path, os.path.join(there, name))
            progress.complete_file(path, result.success, result.file_size)
            copied += result.success
            failed += not result.success
            size += result.bytes_copied
    manager.end_copy_operation(copied, failed, size)
    progress.complete_operation(not failed)
    return copied, failed, size


def test_two_thousand_files_and_a_large_one_with_a_window_that_answers(
    root, loop, many, tmp_path, record_property
):
    target = tmp_path / "target"
    total = sum(path.stat().st_size for path in many.rglob("*") if path.is_file())
    manager = FileCopyManager_class()
    progress = CopyProgressManager_class(root, "Copy left to right", 2001, total)
    manager.progress_manager = progress
    dialog = progress.progress_dialog
    seen = {"copy": set(), "verify": set(), "overall": set()}
    gaps = Gaps(root)
    worker = Worker(lambda: copy_everything(manager, progress, many, target))

    def look():
        for name, values in seen.items():
            values.add(value_of(dialog, name))
        return worker.done() and text_of(dialog, "button") == "Close"

    loop(look)
    assert worker.error is None and worker.result == (2001, 0, total)
    gaps.check(record_property)
    print({name: len(values) for name, values in seen.items()})
    # How often depends on the machine; that they do not jump from one end to the other does not.
    assert len(seen["copy"] - {0.0, 1000.0}) > 1 and len(seen["overall"] - {0.0, 1000.0}) > 1
    assert seen["verify"] - {0.0, 1000.0}, "the large file was verified before one's eyes"
    assert (target / "large.bin").stat().st_size == (many / "large.bin").stat().st_size
    progress.close()


def test_cancel_in_the_dialog_ends_the_copy_at_a_safe_point(root, loop, many, tmp_path):
    target = tmp_path / "target"
    manager = FileCopyManager_class()
    manager.cancel_event = threading.Event()
    progress = CopyProgressManager_class(root, "Copy", 2001)
    progress.set_cancel_handler(manager.cancel_event.set)
    manager.progress_manager = progress
    root.update()
    worker = Worker(lambda: copy_everything(manager, progress, many, target))
    loop(lambda: 0 < value_of(progress.progress_dialog, "copy") < 1000)
    progress.progress_dialog._widgets["button"].invoke()
    loop(lambda: worker.done())
    copied, failed, _ = worker.result
    assert failed and copied + failed == 2001
    assert not list(target.rglob("*.part"))
    for path in target.rglob("*"):
        if path.is_file() and ".fcs" not in path.parts:
            assert path.read_bytes() == (many / path.relative_to(target)).read_bytes()


def test_a_window_closed_in_mid_copy_cancels_it_and_hurts_nobody(root, loop, large_file, tmp_path):
    manager = FileCopyManager_class()
    progress = CopyProgressManager_class(root, "Copy", 1)
    manager.progress_manager = progress
    results = []

    def work():
        results.append(manager.copy_file(large_file, tmp_path / "copy"))
        progress.complete_file(), progress.complete_operation(), progress.close()
        results.append(progress.cancellation_callback())

    worker = Worker(work)
    loop(lambda: 0 < value_of(progress.progress_dialog, "copy") < 1000)
    root.destroy()
    worker.join(60)
    assert worker.error is None and results[0].cancelled_by_user and results[1] is True
    assert not (tmp_path / "copy").exists() and progress.dialog is None


def test_a_window_that_the_program_closes_cancels_nothing(root, tmp_path):
    (tmp_path / "f").write_bytes(b"x")
    manager = FileCopyManager_class()
    progress = CopyProgressManager_class(root, "Copy", 1)
    manager.progress_manager = progress
    progress.close()
    assert manager.copy_file(tmp_path / "f", tmp_path / "g").success


def test_the_callers_cancellation_is_asked_and_may_raise(root):
    answers = iter([False, True])
    progress = CopyProgressManager_class(root, "Copy", cancellation_callback=lambda: next(answers))
    assert [progress.cancellation_callback() for _ in range(3)] == [False, True, False]
    progress.close()


def test_nothing_of_a_closed_dialog_stays(root):
    def show():
        progress = CopyProgressManager_class(root, "Copy", 1, 100)
        progress.update_file_progress("a", 50, 100)
        root.update()
        progress.close()
        root.update()
        return weakref.ref(progress), weakref.ref(progress.progress_dialog)

    references = show()
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    commands = len(root.tk.call("info", "commands"))
    for _ in range(20):
        show()
    assert len(root.tk.call("info", "commands")) <= commands + 2
