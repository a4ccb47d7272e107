"""Retrieval on a transfer corpus broken down by text, sign language and signer.

Decision: shown are all encoders that have predictions on the ``official`` split, floors first.
"""

from __future__ import annotations

from benchmarks import suites
from benchmarks.evaluation.galleries import OFFICIAL
from benchmarks.report.page import Page, Table
from benchmarks.report.source import Source
from benchmarks.report.tables.breakdown import page, read_all
from signclip.core.errors import ConfigError


def encoders() -> list[str]:
    """Every row of every suite, floors first."""
    return suites.expand([suites.FLOOR_SUITE, suites.SKELETON_SUITE, *suites.read()])


def build(source: Source) -> Page:
    """See the module.

    Raises:
        ConfigError: there are no predictions.
    """
    found = read_all(source, {OFFICIAL: encoders()})
    if not found:
        raise ConfigError(
            f"{source.workspace.predictions / source.group}: no predictions on {OFFICIAL}; "
            f"`signbench transfer {source.corpus}` makes them"
        )
    return page(found, source, f"{source.corpus}: retrieval by text, sign language and signer")


TABLE = Table("breakdown", "Retrieval by text, sign language and signer", (), build)
