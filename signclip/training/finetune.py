"""Fine-tuning: a trained or released model goes on learning from one's own clips, by one command.

Decisions
* Sizes, features, prompt and vocabulary are the model's that it starts from; the numbers of the
  training are a profile's recipe ``finetune``.
* Batches are rounds over the labels, drawn anew each epoch, so that no text of a small vocabulary
  is its own negative.

Cost: reading the folder's clips (1 to 5 ms each), then that of a training.
"""

from __future__ import annotations

from pathlib import Path

from signclip import checkpoint, inference
from signclip.core import files
from signclip.core.errors import ConfigError, RunError
from signclip.core.workspace import locate_run
from signclip.corpora import manifest
from signclip.experiments.config import Towers
from signclip.experiments.run_folder import read_config
from signclip.model.config import SWITCHES
from signclip.text import prompt

RECIPE = "finetune"


def start(path: Path | str) -> tuple[inference.SignCLIPModel, dict[str, object]]:
    """The model to start from, and what a run's configuration says because of it.

    Raises:
        SignCLIPError: there is no model, its vocabulary is missing, or it does not say which
            features or prompts it takes.
    """
    path = locate_run(Path(path))
    model = inference.load(path)
    if model.variant is None or not model.prompt:
        raise ConfigError(f"{path}: which features or prompts it was trained on is not known")
    model.vocabulary()  # before clips are read, not after
    sizes = model.model.config
    weights = path / checkpoint.WEIGHTS if path.is_dir() else path
    return model, {
        "variant": model.variant,
        "prompt": model.prompt,
        "split_prompt": model.config is not None and model.config.split_prompt,
        **{name: getattr(sizes, name) for name in SWITCHES},
        "towers": {name: getattr(sizes, name) for name in Towers.model_fields},
        "init_run": str(path),
        "init_sha256": files.sha256_file(weights),
    }


def row_of(model: inference.SignCLIPModel, init: Path | str) -> dict[str, object]:
    """The row of an experiment that goes on from a model, where none is given."""
    before = model.config
    return {
        "title": f"fine-tuned from {init}",
        "recipe": RECIPE,
        "cased": before.cased if before else True,
        "augment": before.augment if before else (),
        "batching": "rounds",
        "reshuffle": True,
    }


def default_runs(runs: Path, corpus: str, init: Path | str) -> Path:
    """The folder for runs fine-tuned on a corpus: ``<runs>/finetune/<corpus>-<origin>``.

    The origin is the id of the run that training starts from (``E3.2-0-letters-0``), or the name
    of an imported or released model; so fine-tuning another model never replaces these runs.

    Args:
        runs: of the workspace.
        corpus: name of the built corpus.
        init: a run, an imported model's folder or a released file.
    """
    path = locate_run(Path(init))
    try:
        run = read_config(path).run_id
    except RunError:  # not trained here
        origin = path.resolve().name if path.is_dir() else path.stem
    else:
        origin = f"{run.experiment}-{run.seed}-{run.name}"
    return runs / RECIPE / f"{corpus}-{origin}"


def check_texts(model: inference.SignCLIPModel, corpus: Path) -> None:
    """Refuse a built corpus whose texts the model cannot tell apart.

    Raises:
        ConfigError: two texts become the same tokens, for instance because the vocabulary has not
            their script and makes both unknown.
    """
    columns = ("text", "sign_language", "spoken_language")
    rows = manifest.read(corpus, columns).drop_duplicates().to_dict("records")
    prompts = list(dict.fromkeys(prompt(model.prompt, **row) for row in rows))
    limit = model.model.config.max_tokens
    first: dict[bytes, str] = {}
    for text in prompts:
        tokens = model.vocabulary().encode([text], max_tokens=limit)[0].tobytes()
        same = first.setdefault(tokens, text)
        if same.casefold() != text.casefold():  # only in case they may be one word
            raise ConfigError(
                f"{corpus}: to the model's vocabulary {same!r} and {text!r} are the same; write "
                "them in a script that it has, or start from another model"
            )
