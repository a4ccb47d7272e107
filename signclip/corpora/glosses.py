"""Gloss cleaning, as the paper does it for the zero-shot test and for SignCLIP-ASL.

Decision: the manifest keeps glosses as published unless it is asked to clean them
(``signclip corpora build --clean-glosses``), because the paper's fine-tunes on single corpora use
them raw (facts 5). Only ASL Citizen and Sem-Lex are cleaned; the others' labels are words already.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable


def _asl_citizen(gloss: str) -> str:
    """Lower case, without the number of a sign among those of one word: WOMAN1 -> woman."""
    return gloss.lower().rstrip(string.digits)


def _sem_lex(gloss: str) -> str:
    """Without a last ``_<number>``, underscores as spaces: ice_cream_2 -> ice cream."""
    return re.sub(r"_\d+$", "", gloss).replace("_", " ")


CLEANING: dict[str, Callable[[str], str]] = {"asl-citizen": _asl_citizen, "sem-lex": _sem_lex}


def clean(gloss: str, corpus: str) -> str:
    """A gloss as the paper compares it; unchanged for corpora that it does not clean.

    A gloss of which nothing would be left (a number) stays as it is: the reference would prompt an
    empty text.
    """
    cleaned = CLEANING[corpus](gloss) if corpus in CLEANING else gloss
    return cleaned if cleaned.strip() else gloss
