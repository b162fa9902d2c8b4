"""`import FolderCompareSync_Global_Imports as I`, or `from FolderCompareSync_Global_Imports import *`: shared
imports.

The names are those that a Tkinter program of this kind uses: modules under their own names, `tk` for tkinter,
and the classes of `datetime`, `pathlib`, `dataclasses`, `enum`, `typing` and `collections`. `datetime` is the
class, as after `from datetime import datetime`; the module is `datetime_module`.

Invariant: importing this module opens no window, and works where Tk is not installed; there the star import
leaves out the names of Tk and reading one raises `ImportError`.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import copy
import csv
import ctypes
import ctypes.wintypes as wintypes
import datetime as datetime_module
import errno
import fnmatch
import functools
import gc
import glob
import hashlib
import importlib
import io
import itertools
import json
import logging
import logging.handlers
import math
import mmap
import os
import pathlib
import platform
import queue
import re
import shutil
import stat
import string
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import typing
import uuid
import weakref
import webbrowser
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from ctypes import byref, sizeof
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta, timezone
from enum import Enum, IntEnum, auto
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set, Tuple, Union
from zoneinfo import ZoneInfo

_TK_NAMES = (
    "tk",
    "tkinter",
    "ttk",
    "filedialog",
    "messagebox",
    "simpledialog",
    "scrolledtext",
    "font",
    "tkfont",
)

try:
    import tkinter
    import tkinter as tk
    import tkinter.font as font
    from tkinter import filedialog, messagebox, scrolledtext, simpledialog, ttk

    tkfont = font
except ImportError as _error:
    _why_no_tk: str | None = str(_error)
else:
    _why_no_tk = None


def __getattr__(name: str) -> object:
    if name in _TK_NAMES:
        raise ImportError(f"Could not import {name}: {_why_no_tk}. Install Tk for this Python.")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = sorted(name for name in globals() if not name.startswith("_"))
