"""Fine-tuning: a trained or released model is trained further on another corpus.

Decisions
* Sizes, features, prompt and vocabulary are those of the model; the numbers of the training are a
  profile's recipe ``finetune``.
* Batches are rounds over the labels, drawn again in each epoch, so that no text of a small
  vocabulary is its own negative.
* The default folder of a fine-tuned run names the corpus and the model that training started from,
  so fine-tuning another model never replaces a run.

Cost: that of a training.
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
from signclip.text import label, same_tokens
from signclip.training.examples import fill

RECIPE = "finetune"


def start(path: Path | str) -> tuple[inference.SignCLIPModel, dict[str, object]]:
    """Load the model to start from; return it with the settings that it fixes.

    Raises:
        SignCLIPError: there is no model, its vocabulary is missing, or its features or prompts are
            not known.
    """
    path = locate_run(Path(path))
    model = inference.load(path)
    if model.variant is None or not model.prompt:
        raise ConfigError(f"{path}: the features or prompts that it was trained on are not known")
    model.vocabulary()  # fails here if it is missing, before clips are read
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
    """The experiment's row for fine-tuning a model, where no row of the table is given."""
    origin = model.config
    return {
        "title": f"fine-tuned from {init}",
        "recipe": RECIPE,
        "cased": origin.cased if origin else True,
        "augment": origin.augment if origin else (),
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
    """Refuse a built corpus whose texts the model cannot distinguish.

    Raises:
        ConfigError: two texts have the same tokens, for instance because the vocabulary lacks their
            script and both are unknown.
    """
    columns = ("text", "sign_language", "spoken_language")
    clips = manifest.read(corpus, columns).drop_duplicates()
    prompts = [text for (text,) in fill([model.prompt], clips)]
    limit = model.model.config.max_tokens
    first: dict[bytes, str] = {}
    for text in dict.fromkeys(prompts):
        tokens = model.vocabulary().encode([text], max_tokens=limit)[0].tobytes()
        earlier = first.setdefault(tokens, text)
        if label(earlier) != label(text):
            raise ConfigError(f"{corpus}: {same_tokens(earlier, text)}")
