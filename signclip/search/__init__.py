"""Searching signs: an exact index of clip embeddings, scores of texts, sign spotting.

>>> from signclip import load, search
>>> model = load("runs/X/0/in_domain")
>>> search.build(search.find_clips(["clips/"]), model, "index")
>>> index = search.Index.open("index")
>>> index.search(model.embed_text(search.prompts(model, ["house"], sign_language="ase")), k=5)

Decision: what other code needs is imported from here; the modules are :mod:`.sources` (which
clips), :mod:`.building`, :mod:`.index`, :mod:`.exact` (the product and the order), :mod:`.queries`
(prompts, scores), :mod:`.spotting` (a sign in a long clip) and :mod:`.skeletons` (looking at
hits). Cost: none of them imports torch; a model brings it.
"""

from __future__ import annotations

from signclip.search.building import Built, build
from signclip.search.index import Hit, Index, fingerprint
from signclip.search.queries import Scores, prompts, score
from signclip.search.sources import Clip, Sources, find_clips
from signclip.search.spotting import Spotted, Window, spot

__all__ = [
    "Built",
    "Clip",
    "Hit",
    "Index",
    "Scores",
    "Sources",
    "Spotted",
    "Window",
    "build",
    "find_clips",
    "fingerprint",
    "prompts",
    "score",
    "spot",
]
