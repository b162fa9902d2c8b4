"""Refuses interpreters in which the engine must not be loaded.

CPython 3.12 and newer refuse by themselves, since the engine does not claim to support several interpreters;
3.11 asks no module, and would share one settings table and one set of classes between interpreters that must
share nothing.
"""


def refuse_second_interpreter() -> None:
    """Raises `ImportError` in any interpreter but the main one."""
    try:
        import _xxsubinterpreters as interpreters  # type: ignore[import-not-found]  # 3.11 and 3.12
    except ImportError:
        return
    if int(interpreters.get_current()) != int(interpreters.get_main()):
        raise ImportError(
            "Could not import foldercomparesync: the engine works in the main interpreter of a process only, "
            "not in a second one. Import it there."
        )
