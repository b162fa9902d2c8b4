"""A window with progress bars that any thread may update.

Invariant: every method may be called from any thread, and none of them makes a Tk call off Tk's thread: it
notes what is to be shown, and the pump of the root window draws the latest state
`FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ` times a second. After the window is gone every method does nothing.
The window knows nothing of copying.

The object may even be created on a worker thread, once `foldercomparesync.tk.Pump.install(root)` was called
on Tk's thread or a dialog was created there; `dialog` is `None` until Tk has built the window.
"""

import itertools
import logging
import threading
import tkinter as tk
from tkinter import font as tkfont
from tkinter import ttk

import FolderCompareSync_Global_Constants as C
from foldercomparesync._operation_log import printable
from foldercomparesync.tk import Pump

_log = logging.getLogger("foldercomparesync.tk")
_numbers = itertools.count(1)
_WIDTH_CHARACTERS = 64
_TROUGH = "#e3e7ee"
_COPY, _VERIFY, _OVERALL = "#2f6fde", "#2b9a66", "#5a6b85"
_MUTED = "#5c6675"
# These draw bars in their own way, which users know from all their programs.
_NATIVE_THEMES = {"vista", "winnative", "xpnative", "aqua"}


class ProgressDialog_class:
    """See the head of this module. `dialog` is the `Toplevel`, or `None` before it is built and after it is
    closed.
    """

    def __init__(self, parent, title, message, max_value=None, dual_progress=False):
        """Shows the window. Without `max_value` a single bar shows activity only; dual bars count to 100
        then.
        """
        self.dialog = None
        self._pump = Pump.of(parent, lambda: C.FILECOPY_PROGRESS_UPDATE_FREQUENCY_HZ)
        self._channel = f"dialog-{next(_numbers)}"
        self._lock = threading.Lock()
        self._dual = bool(dual_progress)
        self._closed = False
        self._destroyed_handler = None
        self._cancel_handler = None
        self._widgets = {}
        self._parent = parent
        self._state = {
            "title": str(title),
            "message": str(message),
            "maximum": 100.0 if dual_progress and not max_value else max_value,
            "value": 0.0,
            "copy": 0.0,
            "verify": 0.0,
            "copy_message": "",
            "verify_message": "",
            "overall": None,
            "overall_message": "",
            "phase": "",
            "cancelling": False,
            "cancellable": False,
        }
        if self._pump.on_tk_thread():
            self._build()
        else:
            self._pump.subscribe(self._channel, self._draw)  # a dict assignment: no Tk call
            self._pump.put(self._channel, urgent=True)

    # --- From any thread ---

    def update_message(self, message):
        """The line above the bars."""
        self._note(message=str(message))

    def update_progress(self, value, message=None):
        """The single bar, from 0 to `max_value`."""
        self._note(value=float(value), **({} if message is None else {"message": str(message)}))

    def update_dual_progress(
        self, copy, verify, overall_message=None, copy_message=None, verify_message=None
    ):
        """Both bars of a file, from 0 to `max_value` (100 without one); a message that is `None` stays."""
        given = {"message": overall_message, "copy_message": copy_message, "verify_message": verify_message}
        self._note(
            copy=float(copy), verify=float(verify), **{k: str(v) for k, v in given.items() if v is not None}
        )

    def update_overall_progress(self, fraction, message=""):
        """A third bar, for all files together, from 0.0 to 1.0; `None` shows activity only. Dual windows
        only.
        """
        self._note(overall=-1.0 if fraction is None else float(fraction), overall_message=str(message))

    def set_copy_phase(self, message=None):
        """A file begins: both its bars are empty."""
        self._note(
            phase="copy", copy=0.0, verify=0.0, **({} if message is None else {"copy_message": str(message)})
        )

    def set_verify_phase(self, message=None):
        """The file is copied and is now compared with its source."""
        self._note(
            phase="verify", copy=self._full(), **({} if message is None else {"verify_message": str(message)})
        )

    def set_completion_phase(self, message=None):
        """Everything is done: the bars are full and the button closes the window."""
        state = {} if message is None else {"message": str(message)}
        with self._lock:
            if self._state["overall"] is not None:
                state["overall"] = 1.0
        self._note(phase="done", copy=self._full(), verify=self._full(), value=self._full(), **state)

    def set_cancel_handler(self, handler):
        """`handler()` is called on Tk's thread when the user presses Cancel or closes the window; `None`
        removes it.
        """
        self._cancel_handler = handler
        self._note(cancellable=handler is not None)

    def close(self):
        """Takes the window away. May be called again."""
        with self._lock:
            self._closed = True
        if self._pump.on_tk_thread():
            self._destroy()
        else:
            self._pump.put(self._channel, urgent=True)

    def _full(self):
        return float(self._state["maximum"] or 1.0)

    def _note(self, **changes):
        with self._lock:
            if self._closed:
                return
            self._state.update(changes)
        self._pump.put(self._channel)
        if self._pump.on_tk_thread() and self.dialog is not None:
            # The caller keeps Tk busy, so nobody else draws. Only redraws: no event of the user is handled in
            # here.
            if self._pump.drain(only_if_due=True) and self.dialog is not None:
                self._call_tk(self.dialog.update_idletasks)

    # --- On Tk's thread ---

    def _call_tk(self, function):
        try:
            function()
        except (tk.TclError, AttributeError) as error:  # the window went away in between
            _log.debug("the progress window is gone: %s", error)

    def _build(self):
        parent, self._parent = self._parent, None
        window = self.dialog = tk.Toplevel(parent)
        window.withdraw()
        style = ttk.Style(window)
        window.configure(background=style.lookup("TFrame", "background") or window.cget("background"))
        window.title(self._state["title"])
        _style_bars(style)

        frame = ttk.Frame(window, padding=(18, 16, 18, 14))
        frame.pack(fill="both", expand=True)
        frame.columnconfigure(0, weight=1)
        normal = tkfont.nametofont("TkDefaultFont", root=window)
        bold = (normal.actual("family"), normal.actual("size"), "bold")
        self._measure = _Measure(window, str(normal), bold)
        width = normal.measure("0") * _WIDTH_CHARACTERS
        w = self._widgets
        w["message"] = ttk.Label(frame, font=bold, anchor="w")
        w["message"].grid(row=0, column=0, sticky="ew", pady=(0, 10))
        if self._dual:
            self._add_bar(frame, 1, "copy", "Copy", width)
            self._add_bar(frame, 4, "verify", "Verify", width)
            self._add_bar(frame, 7, "overall", "All files", width)
            self._show_overall(False)
        else:
            self._add_bar(frame, 1, "value", "", width)
        buttons = ttk.Frame(frame)
        buttons.grid(row=20, column=0, sticky="e", pady=(4, 0))
        w["button"] = ttk.Button(buttons, text="Cancel", command=self._on_button)
        w["button"].grid(row=0, column=0)
        w["buttons"] = buttons
        self._width = width

        window.resizable(False, False)
        window.protocol("WM_DELETE_WINDOW", self._on_window_closed)
        window.bind("<Escape>", lambda _event: self._on_button())
        window.bind("<Destroy>", self._on_destroy, add="+")
        self._pump.subscribe(self._channel, self._draw)
        self._draw(None)
        window.update_idletasks()
        _centre(window, parent)
        window.deiconify()
        window.lift()

    def _add_bar(self, frame, row, name, caption, width):
        w = self._widgets
        line = ttk.Frame(frame)
        line.grid(row=row, column=0, sticky="ew")
        line.columnconfigure(0, weight=1)
        ttk.Label(line, text=caption).grid(row=0, column=0, sticky="w")
        w[f"{name}_percent"] = ttk.Label(line, anchor="e")
        w[f"{name}_percent"].grid(row=0, column=1, sticky="e")
        kind = {"verify": "Verify", "overall": "Overall"}.get(name, "Copy")
        bar = ttk.Progressbar(frame, length=width, maximum=1000, style=f"Fcs{kind}.Horizontal.TProgressbar")
        bar.grid(row=row + 1, column=0, sticky="ew", pady=(3, 2))
        w[f"{name}_bar"] = bar
        w[f"{name}_message"] = ttk.Label(frame, style="FcsMuted.TLabel", anchor="w")
        w[f"{name}_message"].grid(row=row + 2, column=0, sticky="ew", pady=(0, 10))
        w[f"{name}_parts"] = (line, bar, w[f"{name}_message"])

    def _show_overall(self, shown):
        for part in self._widgets["overall_parts"]:
            part.grid() if shown else part.grid_remove()
        self._overall_shown = shown

    def _draw(self, _value):
        with self._lock:
            closed, state = self._closed, dict(self._state)
        if closed:
            self._destroy()
            return
        if self.dialog is None:
            if self._parent is None:  # it was closed by the user before
                return
            self._build()
            return
        self._set_text("message", state["message"])
        if self._dual:
            self._set_bar("copy", state["copy"] / self._full(), state["copy_message"])
            self._set_bar("verify", state["verify"] / self._full(), state["verify_message"])
            if state["overall"] is not None:
                if not self._overall_shown:
                    self._show_overall(True)
                overall = state["overall"]
                self._set_bar("overall", None if overall < 0 else overall, state["overall_message"])
        elif state["maximum"]:
            done = f"{state['value']:,.0f} of {float(state['maximum']):,.0f}"
            self._set_bar("value", state["value"] / self._full(), done)
        else:
            done = state["phase"] == "done"
            count = f"{state['value']:,.0f}" if state["value"] and not done else ""
            self._set_bar("value", 1.0 if done else None, count)
        self._draw_button(state)

    def _draw_button(self, state):
        button = self._widgets["button"]
        if state["phase"] == "done":
            text, enabled = "Close", True
        elif state["cancelling"]:
            text, enabled = "Cancelling…", False
        else:
            text, enabled = "Cancel", state["cancellable"]
        button.configure(text=text)
        button.state(["!disabled"] if enabled else ["disabled"])
        if enabled or state["cancelling"]:
            self._widgets["buttons"].grid()
        else:
            self._widgets["buttons"].grid_remove()

    def _set_text(self, name, text):
        self._widgets[name].configure(
            text=self._measure.shorten(printable(text), self._width, name == "message")
        )

    def _set_bar(self, name, fraction, message):
        bar, percent = self._widgets[f"{name}_bar"], self._widgets[f"{name}_percent"]
        if fraction is None:
            if str(bar.cget("mode")) != "indeterminate":
                bar.configure(mode="indeterminate")
                bar.start(25)
            percent.configure(text="")
        else:
            if str(bar.cget("mode")) != "determinate":
                bar.stop()
                bar.configure(mode="determinate")
            fraction = min(1.0, max(0.0, fraction))
            bar.configure(value=fraction * 1000)
            percent.configure(text=f"{int(fraction * 100)} %")
        self._set_text(f"{name}_message", message)

    def _on_button(self):
        if self._state["phase"] == "done":
            self.close()
        elif self._cancel_handler is not None and not self._state["cancelling"]:
            self._note(cancelling=True)
            self._call_handler(self._cancel_handler)
            if self.dialog is not None:
                self._draw(None)

    def _on_window_closed(self):
        if self._cancel_handler is not None and self._state["phase"] != "done":
            self._on_button()  # the window stays and says that it is cancelling
        else:
            self.close()

    def _on_destroy(self, event):
        if event.widget is not self.dialog:
            return
        with self._lock:
            asked, self._closed = self._closed, True
            unfinished = self._state["phase"] != "done" and not self._state["cancelling"]
        cancel, destroyed = self._cancel_handler, self._destroyed_handler
        self._forget()
        if not asked and unfinished:
            # The main window was closed in mid-copy: nobody watches any more, so it ends at its next safe
            # point.
            self._call_handler(cancel)
        self._call_handler(destroyed)

    def _call_handler(self, handler):
        if handler is None:
            return
        try:
            handler()
        except Exception:
            _log.exception("a handler of the progress window failed")

    def _destroy(self):
        window = self.dialog
        if window is not None:
            self._call_tk(window.destroy)
        self._forget()

    def _forget(self):
        """Drops every widget here, on Tk's thread: the last reference must not go in a worker."""
        self._pump.unsubscribe(self._channel)
        self.dialog = None
        self._parent = None
        self._measure = None
        self._widgets.clear()
        self._cancel_handler = None
        self._destroyed_handler = None


class _Measure:
    """Shortens text to a width. Without a `Font` object, whose end would be a Tk call on whatever thread it
    has.
    """

    def __init__(self, window, normal, bold):
        self._tk = window.tk
        self._window = str(window)
        self._fonts = {False: normal, True: bold}

    def _width(self, text, bold):
        return int(self._tk.call("font", "measure", self._fonts[bold], "-displayof", self._window, text))

    def shorten(self, text, width, bold):
        if self._width(text, bold) <= width:
            return text
        # In the middle: both the folder at the beginning and the name at the end tell which file it is.
        low, high = 0, len(text)
        while low < high:
            keep = (low + high + 1) // 2
            head, tail = keep // 2, keep - keep // 2
            if self._width(f"{text[:head]}…{text[len(text) - tail :]}", bold) <= width:
                low = keep
            else:
                high = keep - 1
        head, tail = low // 2, low - low // 2
        return f"{text[:head]}…{text[len(text) - tail :]}" if low else "…"


def _style_bars(style):
    native = style.theme_use() in _NATIVE_THEMES
    for kind, colour in (("Copy", _COPY), ("Verify", _VERIFY), ("Overall", _OVERALL)):
        name = f"Fcs{kind}.Horizontal.TProgressbar"
        if native:
            style.configure(name)
        else:
            style.configure(
                name,
                background=colour,
                troughcolor=_TROUGH,
                bordercolor=_TROUGH,
                lightcolor=colour,
                darkcolor=colour,
                thickness=10,
                borderwidth=0,
            )
    style.configure("FcsMuted.TLabel", foreground=_MUTED)


def _centre(window, parent):
    """Over the middle of the parent's window, and on the screen."""
    owner = parent.winfo_toplevel()
    width, height = window.winfo_reqwidth(), window.winfo_reqheight()
    if owner.winfo_viewable():
        x = owner.winfo_rootx() + (owner.winfo_width() - width) // 2
        y = owner.winfo_rooty() + (owner.winfo_height() - height) // 3
        window.transient(owner)
    else:
        x = (window.winfo_screenwidth() - width) // 2
        y = (window.winfo_screenheight() - height) // 3
    x = max(0, min(x, window.winfo_screenwidth() - width))
    y = max(0, min(y, window.winfo_screenheight() - height))
    window.geometry(f"+{x}+{y}")
