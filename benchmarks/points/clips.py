"""The clips of the corpus: what tables and figures group clips by.

Cost: milliseconds.
"""

from __future__ import annotations

from benchmarks.points import Made, Points
from benchmarks.source import Source
from signclip.corpora import manifest
from signclip.features.store import corpus_fingerprint
from signclip.text import label


def make(source: Source) -> Made:
    """Columns id, label, text, sign_language, spoken_language, signer, frames."""
    clips = manifest.read(source.workspace.corpus(source.corpus))
    columns = ["id", "text", "sign_language", "spoken_language", "signer", "frames"]
    table = clips[columns].sort_values("id")
    table.insert(1, "label", table["text"].map(label))
    return Made(table, [f"{source.corpus}: {corpus_fingerprint(clips)}"])


POINTS = Points("clips", "the clips of the corpus", make)
