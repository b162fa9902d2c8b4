"""A program in the owner's style: plain modules by name, `C.` for constants, `I.` for imports, one copy
manager.

    python owner_style.py SOURCE TARGET [--dry-run]

Nothing in here knows which engine is behind the modules.
"""

import sys

import FolderCompareSync_Global_Constants as C
import FolderCompareSync_Global_Imports as I
from FileCopyManager_class import FileCopyManager_class
from FileTimestampManager_class import FileTimestampManager_class


class FolderCompareSync_class:
    """As much of the owner's main class as copies left to right."""

    def __init__(self, source, target, dry_run=False):
        self.source = I.Path(source)
        self.target = I.Path(target)
        self.status_log = I.deque(maxlen=C.STATUS_LOG_MAX_HISTORY)
        self.copy_cancel = I.threading.Event()
        self.copy_manager = FileCopyManager_class(status_callback=self.add_status)
        self.copy_manager.cancel_event = self.copy_cancel
        self.copy_manager.set_dry_run_mode(dry_run)
        self.timestamp_manager = FileTimestampManager_class(dry_run=dry_run)

    def add_status(self, message):
        self.status_log.append(f"{I.datetime.now():%H:%M:%S} {message}")
        print(message)

    def preview(self):
        files = [path for path in sorted(self.source.rglob("*")) if path.is_file()]
        for path in files[: C.COPY_PREVIEW_MAX_ITEMS]:
            strategy = self.copy_manager.determine_copy_strategy(
                path, self.target / path.name, path.stat().st_size
            )
            print(f"  {path.relative_to(self.source)}  ({strategy.value})")
        if len(files) > C.COPY_PREVIEW_MAX_ITEMS:
            print(f"  … and {len(files) - C.COPY_PREVIEW_MAX_ITEMS} more")
        return files

    def copy_left_to_right(self):
        files = self.preview()
        Strategy = self.copy_manager.CopyStrategy
        counts = {Strategy.DIRECT: 0, Strategy.STAGED: 0}
        copied = failed = total_bytes = 0
        self.copy_manager.start_copy_operation("Copy left to right", dry_run=self.copy_manager.dry_run_mode)
        self.copy_manager._log_status(f"{len(files)} files, verify policy {C.FILECOPY_VERIFY_POLICY}")
        for path in files:
            if self.copy_cancel.is_set():
                break
            target = self.target / path.relative_to(self.source)
            if not self.copy_manager.dry_run_mode:
                target.parent.mkdir(parents=True, exist_ok=True)
            result = self.copy_manager.copy_file(str(path), str(target))
            if result.success:
                copied += 1
                total_bytes += result.bytes_copied
                counts[result.strategy_used] += 1
                if result.strategy_used is Strategy.STAGED:
                    self.add_status(f"{path.name} was copied by the {result.strategy_used.value} strategy")
            else:
                failed += 1
                self.add_status(f"{path.name}: {result.error_message}")
        folders = sorted((f for f in self.source.rglob("*") if f.is_dir()), key=lambda f: -len(f.parts))
        for folder in [*folders, self.source]:
            self.copy_manager.timestamp_manager.copy_timestamps(
                str(folder), str(self.target / folder.relative_to(self.source))
            )
        self.copy_manager.end_copy_operation(copied, failed, total_bytes)
        return copied, failed, total_bytes, counts


def main(arguments):
    paths = [argument for argument in arguments if not argument.startswith("--")]
    if len(paths) != 2:
        print(__doc__)
        return 2
    window = FolderCompareSync_class(*paths, dry_run="--dry-run" in arguments)
    copied, failed, total_bytes, counts = window.copy_left_to_right()
    split = ", ".join(f"{number} {strategy.value}" for strategy, number in counts.items() if number)
    print(f"{copied} copied ({split or 'none'}), {failed} failed, {total_bytes} bytes")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
