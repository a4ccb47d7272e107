"""Fine-tuning: a trained or released model goes on learning from one's own clips, by one command.

Decisions
* Sizes, features, prompt and vocabulary are the model's that it starts from; the numbers of the
  training are a profile's recipe ``finetune``.
* A folder with ``manifest.csv`` is enough as a corpus: it is built and packed first, anew each time
  its clips changed.
* Batches are rounds over the labels, drawn anew each epoch, so that no text of a small vocabulary
  is its own negative.

Cost: reading the folder's clips (1 to 5 ms each), then that of a training.
"""

from __future__ import annotations

from pathlib import Path

from signclip import checkpoint, corpora, inference
from signclip.core import files
from signclip.core.errors import ConfigError, RunError, StoreError
from signclip.core.workspace import Workspace, locate_run
from signclip.corpora import manifest
from signclip.experiments.config import Towers
from signclip.experiments.run_folder import read_config
from signclip.features import store
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


def prepare(given: str, variant: str, workspace: Workspace, *, jobs: int) -> str:
    """Name of a corpus that is built and packed: ``given``, or that of a folder with manifest.csv.

    Under ``torchrun`` the first process does it for all.

    Raises:
        SignCLIPError: there is neither, or its clips cannot be used: none to train on, all of one
            text, or a folder that would replace another corpus.
    """
    root = corpora.find(corpora.FOLDER, given)
    if root is None:
        if not (workspace.corpus(given) / manifest.MANIFEST_FILE).is_file():
            raise ConfigError(
                f"{given}: neither a corpus below {workspace.data} nor a folder with manifest.csv"
            )
        return given
    name = root.resolve().name
    if name in set(corpora.LOADERS) - {corpora.FOLDER}:
        raise ConfigError(f"{given}: {name} is the name of another corpus; rename the folder")
    clips, dropped = corpora.build(corpora.FOLDER, root, workers=jobs)
    train = clips[clips["split"] == "train"]
    if len(train[["text", "sign_language", "spoken_language"]].drop_duplicates()) == 1:
        raise ConfigError(
            f"{given}: all training clips have one text; there is nothing to tell apart"
        )
    corpora.write(
        workspace.corpus(name), clips, dropped, corpora.split_table(corpora.FOLDER, clips)
    )
    out = workspace.store(name, variant)
    try:
        store.FeatureStore.of(clips, out)
    except StoreError:
        store.write(clips, root, variant, out, workers=jobs)
    return name


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
