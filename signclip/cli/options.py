"""Options that several commands share, and the defaults of their folders."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from signclip.core.workspace import Workspace

EMBEDDED = "spreadthesign-fingerspelling"
DEFAULT = Workspace()  # its folders are the defaults


class Use(StrEnum):
    """What the pipeline does with a local corpus, as in :mod:`signclip.corpora.local`."""

    pretraining = "pretraining"
    fingerspelling = "fingerspelling"
    transfer = "transfer"
    open = "open"


Data = Annotated[Path, typer.Option(help="Folder of built corpora, one folder each.")]
Features = Annotated[Path, typer.Option(help="Folder of feature stores, CORPUS/VARIANT.")]
Params = Annotated[
    Path, typer.Option(help="File with the profiles and the local corpora (params.yaml).")
]
CorpusPath = Annotated[
    Path | None,
    typer.Option(
        "--path", help="Folder of the corpus. Default: as registered by `signclip corpora enable`."
    ),
]
Jobs = Annotated[
    int, typer.Option(min=1, help="Processes that read clips; the result does not depend on it.")
]

Tokenizer = Annotated[
    str | None,
    typer.Option(
        help="Vocabulary of a released model: a folder with tokenizer.json or vocab.txt, or a "
        "Hugging Face name such as bert-base-cased."
    ),
]
# Settings that a released file does not contain. None: the recipe's (signclip.model.released).
AttentionHeads = Annotated[
    int | None, typer.Option(help="Attention heads of a released model. Default: 12.")
]
MaxFrames = Annotated[
    int | None,
    typer.Option(
        help="max_video_len of a released model's recipe. Default: 256; 128 for FingerCLIP and "
        "version 0."
    ),
]
MaxTokens = Annotated[
    int | None,
    typer.Option(
        help="max_len of a released model's recipe. Default: 64; 96 for FingerCLIP and version 0."
    ),
]
Normalise = Annotated[
    bool, typer.Option("--normalise", help="The released model was trained on unit vectors (E5.2).")
]

# Of the commands that use a model: score, index, search.
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
SignLanguage = Annotated[
    str,
    typer.Option(help="Tag of the texts' sign language, e.g. ase (signclip/text/languages.csv)."),
]
SpokenLanguage = Annotated[str, typer.Option(help="Language of the texts, as in the prompts.")]
Prompt = Annotated[
    str | None,
    typer.Option(help='Template of the texts, e.g. "<en> <ase> {text}". Default: the model\'s.'),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def given(**options: Any) -> dict[str, Any]:
    """The options that were given; the others keep the defaults of the function they go to."""
    return {name: v for name, v in options.items() if v is not None and v is not False}
