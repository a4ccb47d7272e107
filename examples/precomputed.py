"""Embeddings that were computed elsewhere, as a file: ids, embeddings, and metadata beside it.

    python -m examples.precomputed embeddings.npz
    signbench run embeddings.npz --metadata embeddings.yaml

This script stands for your own: it embeds the clips of the embedded corpus by their lengths.
"""

import sys
from pathlib import Path

import numpy as np
import yaml

from signclip.corpora import manifest

METADATA = {
    "name": "clip-length",
    "revision": "1",
    "title": "length of the clip (precomputed)",
    "authors": ["The SignCLIP benchmark suite authors"],
    "licence": "MIT",
    "link": None,
    "training_corpora": [],
    "parameters": 0,
    "run_by": "us",
    "input": {"kind": "pose"},
}


def main(path):
    """Write the embeddings, and their metadata beside them."""
    clips = manifest.read("data/spreadthesign-fingerspelling")
    frames = clips["frames"].to_numpy(np.float32)
    embeddings = np.stack([np.sin(frames / scale) for scale in (10, 20, 40, 80)], axis=1)
    np.savez(path, ids=clips["id"].to_numpy(np.str_), embeddings=embeddings)
    path.with_suffix(".yaml").write_text(yaml.safe_dump(METADATA, sort_keys=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
