"""Making a corpus ready for training: a folder of clips is built and packed when it is named.

Decisions
* A folder with ``manifest.csv`` is enough as a corpus. It is built anew each time, and packed anew
  if its clips changed.
* A corpus given by name has to be built already; the error names the commands that do it.

Cost: reading the folder's clips (1 to 5 ms each).
"""

from __future__ import annotations

from pathlib import Path

from signclip import corpora
from signclip.core.errors import ConfigError, StoreError
from signclip.core.workspace import Workspace, outside_project
from signclip.corpora import local, manifest
from signclip.features import store


def is_folder(given: str) -> bool:
    """Whether a corpus is given as a folder with ``manifest.csv``."""
    return corpora.LOADERS[corpora.FOLDER].missing(Path(given)) is None


def built_name(given: str, workspace: Workspace) -> str:
    """The name of a corpus that is built already, given by name or by its folder below ``data``.

    Raises:
        ConfigError: it is not built; the message says what to do.
    """
    path = Path(given)
    name = path.name if path.parent.resolve() == workspace.data.resolve() else given
    folder = workspace.corpus(name)
    if (folder / manifest.MANIFEST_FILE).is_file():
        return name
    registered, outside = local.entries(workspace.params), outside_project(folder, workspace.params)
    if name in registered or (name in corpora.LOADERS and name != corpora.FOLDER):
        advice = f"`signclip corpora build {name}` builds it{outside}"
        raise ConfigError(f"{folder}: not built yet; {advice}")
    if path.name != given:
        raise ConfigError(f"{given}: not a folder with manifest.csv, nor a corpus below data")
    raise ConfigError(
        f"{folder}: no such corpus, and {given} is not a folder with manifest.csv{outside}"
    )


def packed_name(given: str, variant: str, workspace: Workspace) -> str:
    """:func:`built_name` of a corpus that has a feature store of a variant.

    Raises:
        ConfigError: it is not built, or not packed; the message names the command.
    """
    name = built_name(given, workspace)
    folder = workspace.store(name, variant)
    if not (folder / store.META).is_file():
        known = name in corpora.LOADERS or name in local.entries(workspace.params)
        corpus = name if known else f"{corpora.FOLDER} --path FOLDER --name {name}"
        command = f"signclip pack {corpus} --variant {variant}"
        raise ConfigError(f"{folder}: no feature store here; `{command}` makes it")
    return name


def prepare(given: str, variant: str, workspace: Workspace, *, jobs: int) -> str:
    """Build and pack the corpus of a folder; return the name of the corpus.

    Args:
        given: a folder with ``manifest.csv``, or the name of a corpus that is built and packed
            already, which is returned as it is.
        variant: of the features.
        jobs: processes that read clips.

    Raises:
        SignCLIPError: there is neither, or the clips cannot be used: none to train on, all with the
            same text, or a folder that would replace another corpus.
    """
    if not is_folder(given):
        return packed_name(given, variant, workspace)
    root = Path(given)
    name = root.resolve().name
    registered = local.entries(workspace.params).get(name)
    taken = name in corpora.LOADERS and name != corpora.FOLDER
    if taken if registered is None else registered.path.resolve() != root.resolve():
        raise ConfigError(f"{given}: {name} is the name of another corpus; rename the folder")
    clips, dropped = corpora.build(corpora.FOLDER, root, workers=jobs, params=workspace.params)
    train = clips[clips["split"] == "train"]
    if len(train[["text", "sign_language", "spoken_language"]].drop_duplicates()) == 1:
        raise ConfigError(f"{given}: all training clips have one text; at least two are needed")
    table = corpora.split_table(corpora.FOLDER, clips, params=workspace.params)
    corpora.write(workspace.corpus(name), clips, dropped, table)
    out = workspace.store(name, variant)
    try:
        store.FeatureStore.of(clips, out)
    except StoreError:
        store.write(clips, root, variant, out, workers=jobs)
    return name
