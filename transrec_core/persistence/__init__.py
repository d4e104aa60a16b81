"""Saved runs: one file that holds a fitted run and can be read again to the bit."""

from transrec_core.persistence.saved import (
    ENDING,
    FORMAT,
    SavedRun,
    load_run,
    run_bytes,
    save_run,
)

__all__ = ["ENDING", "FORMAT", "SavedRun", "load_run", "run_bytes", "save_run"]
