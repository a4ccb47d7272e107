"""What ``torchrun`` tells the processes that it starts, read without importing torch."""

from __future__ import annotations

import os


def launched() -> bool:
    """Was this process started by ``torchrun`` (or another launcher that sets the same names)?"""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def is_main_process() -> bool:
    """Is this the process that prints and writes for all?"""
    return os.environ.get("RANK", "0") == "0"
