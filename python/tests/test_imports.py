"""`FolderCompareSync_Global_Imports`: the names that modules of the owner's program use."""

import os
import subprocess
import sys

import FolderCompareSync_Global_Imports as I


def test_modules_and_classes_have_their_usual_names():
    assert I.os is os and I.sys is sys
    assert I.datetime.now().tzinfo is None and I.timedelta(seconds=1) and I.timezone.utc
    assert I.Path("a") / "b" == I.pathlib.Path("a/b")
    assert issubclass(I.Enum, object) and I.dataclass and I.Optional and I.threading.Event


def test_star_import_brings_them_and_nothing_private():
    space = {}
    exec("from FolderCompareSync_Global_Imports import *", space)
    assert space["Path"] is I.Path and space["logging"] is I.logging
    assert not [name for name in space if name.startswith("_") and name != "__builtins__"]


def test_it_works_without_tk_and_says_so_when_tk_is_used():
    script = """
import sys
sys.modules["tkinter"] = None
import FolderCompareSync_Global_Imports as I
space = {}
exec("from FolderCompareSync_Global_Imports import *", space)
assert "tk" not in space and "os" in space
try:
    I.tk
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Could not import tk: ") and "Install Tk" in done.stdout
