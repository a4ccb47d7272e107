"""The progress bar of everything that takes long.

Decision: on a terminal it redraws smoothly; in a log file (CI, DVC's captured output) it prints at
most one line every ten seconds. Cost: none.
"""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def bar(*args: Any, **kwargs: Any) -> tqdm:
    """``tqdm`` with an interval that suits a terminal or a log file."""
    return tqdm(*args, mininterval=0.1 if sys.stderr.isatty() else 10.0, **kwargs)
