"""A small Tk program: copies one folder into another with progress, cancel, a log, and undo.

    python tk_copy.py [SOURCE TARGET]

The copy runs on a worker thread. The worker never touches a widget: progress goes through
`CopyProgressManager_class` and lines for the log through a `Pump`, both of which bring them to Tk's thread.
"""

import os
import sys
import threading
import tkinter as tk
from tkinter import filedialog, messagebox, ttk

import foldercomparesync
import FolderCompareSync_Global_Constants as C
from CopyProgressManager_class import CopyProgressManager_class
from FileCopyManager_class import FileCopyManager_class
from foldercomparesync.tk import Pump

VERIFY = [("every file", "all"), ("files below 1 GiB", "lt_threshold"), ("no file", "none")]


class CopyWindow:
    """The main window."""

    def __init__(self, root, source="", target=""):
        self.root = root
        root.title("Copy a folder")
        root.minsize(640, 420)
        self.pump = Pump.install(root, 10)
        self.pump.on_log(self.show_lines)
        self.pump.subscribe("finished", self.finished)
        self.manager = FileCopyManager_class(self.pump.log)
        self.manager.cancel_event = threading.Event()
        self.progress = None
        self.worker = None
        self.undoable = []  # (folder with the journal, run), as the last operation reported them
        self.build(source, target)
        root.protocol("WM_DELETE_WINDOW", self.close)

    def build(self, source, target):
        frame = ttk.Frame(self.root, padding=14)
        frame.pack(fill="both", expand=True)
        frame.columnconfigure(1, weight=1)
        frame.rowconfigure(4, weight=1)
        self.source, self.target = (
            self.add_folder(frame, row, caption, path)
            for row, (caption, path) in enumerate([("From", source), ("To", target)])
        )

        choices = ttk.Frame(frame)
        choices.grid(row=2, column=1, columnspan=2, sticky="w", pady=(6, 0))
        ttk.Label(frame, text="Verify").grid(row=2, column=0, sticky="w", pady=(6, 0))
        self.verify = tk.StringVar(self.root, C.FILECOPY_VERIFY_POLICY_DEFAULT)
        for text, policy in VERIFY:
            ttk.Radiobutton(choices, text=text, value=policy, variable=self.verify).pack(
                side="left", padx=(0, 14)
            )
        self.dry_run = tk.BooleanVar(self.root, False)
        ttk.Checkbutton(choices, text="Dry run", variable=self.dry_run).pack(side="left", padx=(14, 0))

        buttons = ttk.Frame(frame)
        buttons.grid(row=3, column=0, columnspan=3, sticky="e", pady=12)
        self.undo_button = ttk.Button(buttons, text="Undo", command=self.undo, state="disabled")
        self.undo_button.pack(side="left", padx=(0, 8))
        self.copy_button = ttk.Button(buttons, text="Copy", command=self.copy)
        self.copy_button.pack(side="left")

        self.log = tk.Text(
            frame, height=12, state="disabled", wrap="none", relief="flat", background="white", padx=6, pady=4
        )
        self.log.grid(row=4, column=0, columnspan=3, sticky="nsew")

    def add_folder(self, frame, row, caption, path):
        ttk.Label(frame, text=caption).grid(row=row, column=0, sticky="w", padx=(0, 10), pady=3)
        entry = ttk.Entry(frame)
        entry.insert(0, path)
        entry.grid(row=row, column=1, sticky="ew", pady=3)

        def browse():
            chosen = filedialog.askdirectory(parent=self.root, initialdir=entry.get() or None)
            if chosen:
                entry.delete(0, "end")
                entry.insert(0, chosen)

        ttk.Button(frame, text="Browse…", command=browse).grid(row=row, column=2, padx=(8, 0), pady=3)
        return entry

    # --- Tk's thread ---

    def copy(self):
        source, target = self.source.get(), self.target.get()
        if not os.path.isdir(source) or not target:
            messagebox.showerror("Copy", "Choose a folder to copy from and one to copy to.", parent=self.root)
            return
        C.FILECOPY_VERIFY_POLICY = self.verify.get()
        self.copy_button.state(["disabled"])
        self.undo_button.state(["disabled"])
        self.manager.cancel_event.clear()
        self.progress = CopyProgressManager_class(self.root, f"Copying to {os.path.basename(target)}")
        self.progress.set_cancel_handler(self.manager.cancel_event.set)
        self.manager.progress_manager = self.progress
        # Daemonic, so that a program that is closed in mid-copy ends; `fcs recover` brings the run to its end
        # then.
        self.worker = threading.Thread(
            target=copy_folder,
            args=(self.manager, self.progress, source, target, self.dry_run.get(), self.pump),
            daemon=True,
        )
        self.worker.start()

    def finished(self, report):
        self.copy_button.state(["!disabled"])
        self.undoable = list(zip(report["roots"], report["run_ids"])) if report else []
        if self.undoable:
            self.undo_button.state(["!disabled"])

    def undo(self):
        self.undo_button.state(["disabled"])
        for folder, run in reversed(self.undoable):
            try:
                done = foldercomparesync.undo(folder, run)
            except (OSError, foldercomparesync.EngineError) as error:
                self.pump.log(str(error))
                continue
            self.pump.log(f"Undid run {run}: {done.items} items.")
            for error in done.errors:
                self.pump.log(error)

    def show_lines(self, lines, lost):
        self.log.configure(state="normal")
        if lost:
            self.log.insert("end", f"… {lost} lines are not shown; they are in the log file\n")
        self.log.insert("end", "".join(f"{line}\n" for line in lines))
        excess = int(self.log.index("end-1c").split(".")[0]) - C.STATUS_LOG_MAX_HISTORY
        if excess > 0:
            self.log.delete("1.0", f"{excess + 1}.0")
        self.log.see("end")
        self.log.configure(state="disabled")

    def close(self):
        """Cancels, waits for the copy's safe point without blocking Tk, and only then goes."""
        self.manager.cancel_event.set()
        if self.worker is not None and self.worker.is_alive():
            self.root.after(50, self.close)
        else:
            self.root.destroy()


# --- The worker ---


def measure(source):
    files = size = 0
    for folder, _, names in os.walk(source):
        for name in names:
            files += 1
            size += os.lstat(os.path.join(folder, name)).st_size
    return files, size


def copy_folder(manager, progress, source, target, dry_run, pump):
    """Copies every file, then the times of the folders, deepest first: a file that arrives changes its
    folder's.
    """
    good = bad = size = 0
    report = None
    try:
        manager.start_copy_operation(f"Copy of {source}", dry_run)
        progress.total_files, progress.total_bytes = measure(source)
        folders = []
        for folder, _, names in os.walk(source):
            there = os.path.normpath(os.path.join(target, os.path.relpath(folder, source)))
            folders.append((folder, there))
            if not dry_run:
                os.makedirs(there, exist_ok=True)
            for name in names:
                path = os.path.join(folder, name)
                result = manager.copy_file(path, os.path.join(there, name))
                progress.complete_file(path, result.success, result.file_size)
                good += result.success
                bad += not result.success
                size += result.bytes_copied
                if result.cancelled_by_user:
                    return
        for folder, there in reversed(folders):
            manager.timestamp_manager.copy_timestamps(folder, there)
    except OSError as error:
        bad += 1
        pump.log(str(error))
    finally:
        report = manager.end_copy_operation(good, bad, size)
        cancelled = manager.cancel_event.is_set()
        progress.complete_operation(
            not bad, "Cancelled" if cancelled else f"{bad} failed" if bad else "Finished"
        )
        pump.put("finished", report, urgent=True)


def main():
    root = tk.Tk()
    if ttk.Style().theme_use() == "default":  # Tk's plainest, which only X11 starts with
        ttk.Style().theme_use("clam")
    CopyWindow(root, *sys.argv[1:3])
    root.mainloop()


if __name__ == "__main__":
    main()
