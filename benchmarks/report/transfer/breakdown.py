"""Retrieval on a transfer corpus broken down by text, sign language and signer.

Decision: shown are all encoders that have predictions on the ``official`` split, floors first.
"""

from __future__ import annotations

from benchmarks import suites
from benchmarks.evaluation.galleries import OFFICIAL
from benchmarks.points import predictions
from benchmarks.report.page import Page, Table
from benchmarks.report.tables.breakdown import break_down, page
from benchmarks.source import Source
from signclip.core.errors import ConfigError
from signclip.corpora import manifest


def encoders() -> list[str]:
    """Every row of every suite, floors first."""
    return suites.expand([suites.FLOOR_SUITE, suites.SKELETON_SUITE, *suites.read()])


def build(source: Source) -> Page:
    """See the module.

    Raises:
        ConfigError: there are no predictions.
    """
    clips = manifest.read(source.workspace.corpus(source.corpus)).set_index("id", drop=False)
    found = {
        (OFFICIAL, name): break_down(table, clips.rename_axis(None))
        for name in encoders()
        if (table := predictions.read(source.predictions(name, OFFICIAL))) is not None
    }
    if not found:
        raise ConfigError(
            f"{source.workspace.predictions / source.group}: no predictions on {OFFICIAL}; "
            f"`signbench transfer {source.corpus}` makes them"
        )
    title = f"{source.corpus}: retrieval by text, sign language and signer"
    return page(found, source, title=title)


TABLE = Table("breakdown", "Retrieval by text, sign language and signer", (), build)
