"""SignCLIP: one embedding space for sign-language poses and spoken-language text.

>>> import signclip
>>> model = signclip.load("runs/E3.2/0/letters-0")
>>> scores = model.similarity(["a.pose"], ["Fingerspell the letter A in sign language."])
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["checkpoint", "load", "poses", "search"]


def __getattr__(name: str) -> Any:
    # torch and transformers take seconds to import; `signclip --help` should not
    if name == "load":
        return importlib.import_module("signclip.inference").load
    if name in __all__:
        return importlib.import_module(f"signclip.{name}")
    raise AttributeError(f"module 'signclip' has no attribute {name!r}")
