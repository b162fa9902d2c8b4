"""What the tests share: settings that are restored, a log folder of their own, Tk where there is a display,
`fcs`.
"""

import gc
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parent.parent / "src"
EXAMPLES = SOURCES.parent / "examples"
try:
    import foldercomparesync  # noqa: F401  (installed: the wheel is tested)
except ImportError:
    # A checkout: the compiled module lies beside the sources. Child processes of the tests find it the same
    # way.
    sys.path.insert(0, str(SOURCES))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(SOURCES), os.environ.get("PYTHONPATH")]))

import FolderCompareSync_Global_Constants as C
from FileCopyManager_class import FileCopyManager_class


@pytest.fixture(autouse=True)
def constants(tmp_path_factory):
    """Every test begins and ends with the defaults, and writes its logs where nobody else's are."""
    C.reset()
    C.FILECOPY_LOG_FOLDER = str(tmp_path_factory.mktemp("logs"))
    yield C
    C.reset()


@pytest.fixture
def home(monkeypatch, tmp_path_factory):
    """A home of its own, where nothing is remembered yet."""
    path = tmp_path_factory.mktemp("home")
    for name in ("HOME", "XDG_STATE_HOME", "LOCALAPPDATA", "USERPROFILE"):
        monkeypatch.setenv(name, str(path))
    return path


@pytest.fixture
def manager():
    return FileCopyManager_class()


@pytest.fixture
def log_text():
    """The text of the only log that was written."""

    def read():
        (path,) = Path(C.FILECOPY_LOG_FOLDER).iterdir()
        return path.read_text(encoding="utf-8")

    return read


@pytest.fixture
def tree(tmp_path):
    """`make(name, {path: bytes})` makes a folder with files."""

    def make(name, files):
        folder = tmp_path / name
        folder.mkdir()
        for path, content in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return folder

    return make


@pytest.fixture(scope="session")
def large_source(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "source.bin"
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for _ in range(256):
            file.write(block)
    return path


@pytest.fixture
def large_file(large_source, tmp_path):
    """A file that takes the engine several polls to copy. Its copies do not stay after the test."""
    path = tmp_path / "large.bin"
    try:
        os.link(large_source, path)
    except OSError:
        shutil.copyfile(large_source, path)
    yield path
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.stat().st_size >= 64 << 20:
            file.unlink()


@pytest.fixture
def run_python():
    """Runs a script in a new interpreter and returns what it printed."""

    def run(script, *arguments):
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def fcs():
    """The command line program."""
    program = os.environ.get("FCS_PROGRAM") or shutil.which("fcs")
    if program is None:
        pytest.skip("the program fcs is not on PATH and FCS_PROGRAM is not set")

    def run(*arguments):
        return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=120)

    return run


@pytest.fixture
def root():
    """A window of Tk; skipped where there is no Tk or no display."""
    tk = pytest.importorskip("tkinter", reason="this Python has no Tk")
    try:
        window = tk.Tk()
    except tk.TclError as error:
        pytest.skip(f"Tk has no display: {error}")
    window.geometry("700x500+20+20")
    window.update()
    yield window
    try:
        window.destroy()
    except tk.TclError:  # a test closed it
        pass
    # Tk must be freed on this thread; left to chance, the collector might run on a later test's worker.
    del window
    gc.collect()


@pytest.fixture
def loop(root):
    """`loop(condition)` runs Tk's event loop until the condition holds; it fails after a minute."""

    def run(condition):
        finished = threading.Event()

        def look():
            if condition():
                finished.set()
                root.quit()
            else:
                root.after(5, look)

        root.after(0, look)
        guard = root.after(60_000, root.quit)
        root.mainloop()
        assert finished.is_set(), "the condition did not come true within a minute"
        try:
            root.after_cancel(guard)
        except Exception:  # the window was closed by the test
            pass

    return run


@pytest.fixture
def example():
    """Imports a program from `examples/`."""
    import importlib.util

    def load(name):
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
