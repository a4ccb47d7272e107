"""What an index is built from: files, folders and built corpora, as one list of clips.

Decisions
* A path that exists is taken as a path; any other source is the name of a built corpus.
* A folder with ``manifest.csv``, and a built corpus, say each clip's text and sign language. Other
  clips have no text; their language is the one that the caller gives.
* A video is read from the ``.pose`` of the same name beside it. Where there is none, its pose is
  extracted.
* Each file is taken once, however often it is named.

Cost: one look at each file; a built corpus costs reading its manifest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from pose_format import Pose

from signclip import corpora
from signclip.core import files
from signclip.core.errors import ConfigError
from signclip.core.workspace import Workspace
from signclip.corpora import manifest
from signclip.corpora.manifest import MANIFEST_FILE
from signclip.features.store import corpus_fingerprint
from signclip.poses.reader import is_pose_file, is_video, read_pose
from signclip.search.index import EMBEDDINGS, META, SIGNS
from signclip.text import sign_language as find_language


class Clip(NamedTuple):
    """A clip to embed; ``sha256`` is that of a built corpus's manifest, else empty."""

    id: str
    path: Path
    text: str = ""
    sign_language: str = ""
    sha256: str = ""


class Dropped(NamedTuple):
    """A clip that cannot be used."""

    id: str
    path: str
    reason: str


class Sources(NamedTuple):
    """The clips, those refused before they are read, and built corpora -> their fingerprints."""

    clips: list[Clip]
    dropped: list[Dropped]
    corpora: dict[str, str]


def with_pose(path: Path) -> Path:
    """The ``.pose`` of the same name beside a video, if there is one; any other path as it is."""
    pose = path.with_suffix(".pose")
    return pose if is_video(path) and pose.is_file() else path


def read_clip(path: Path) -> Pose:
    """Read a clip; a video's pose from the file beside it, or from the video itself.

    Raises:
        PoseError, VideoError: the file cannot be used.
    """
    path = with_pose(path)
    if not is_video(path):
        return read_pose(path)
    from signclip.extraction import holistic  # MediaPipe takes half a second to import

    return holistic.pose_of(path)


def clip_files(path: Path) -> list[Path]:
    """A file as it is; a folder as the clips below it, in the order of their names.

    Hidden files are left out, and those of an index, which have suffixes of clips.

    Raises:
        ConfigError: the folder has no clip.
    """
    if not path.is_dir():
        return [with_pose(path)]
    inside = sorted(
        file
        for file in path.rglob("*")
        if (is_pose_file(file) or is_video(file))
        and not (file.is_dir() or files.is_hidden(file.relative_to(path)) or _of_index(file))
    )
    found = list(dict.fromkeys(with_pose(file) for file in inside))
    if not found:
        raise ConfigError(f"{path}: neither a pose file nor a video in this folder")
    return found


def _of_index(file: Path) -> bool:
    return file.name in (EMBEDDINGS, SIGNS) and (file.parent / META).is_file()


def find_clips(
    sources: Iterable[Path | str], *, sign_language: str = "", workspace: Workspace | None = None
) -> Sources:
    """The clips of all sources.

    Args:
        sources: pose files, videos, folders of them, folders with ``manifest.csv``, folders of
            built corpora, or names of built corpora.
        sign_language: tag of clips whose source says none.
        workspace: where built corpora lie, and ``params.yaml``.

    Raises:
        ConfigError: a source is neither a path nor a built corpus, or a folder has no clip.
        ManifestError: the manifest of a folder or corpus is damaged.
        LanguageTagError: a tag is not in the registry.
    """
    workspace = workspace or Workspace()
    if sign_language:
        find_language(sign_language)
    found = Sources([], [], {})
    for source in sources:
        path = Path(source)
        if (path / MANIFEST_FILE).is_file():
            _add_corpus(found, path, workspace)
        elif path.is_dir() and corpora.LOADERS[corpora.FOLDER].missing(path) is None:
            _add_folder(found, path)
        elif path.exists():
            found.clips.extend(
                Clip(files.as_text(file), file, sign_language=sign_language)
                for file in clip_files(path)
            )
        elif (workspace.corpus(str(source)) / MANIFEST_FILE).is_file():
            _add_corpus(found, workspace.corpus(str(source)), workspace)
        else:
            built = sorted(x.parent.name for x in workspace.data.glob(f"*/{MANIFEST_FILE}"))
            raise ConfigError(
                f"{source}: neither a file nor a folder nor a built corpus in {workspace.data} "
                f"({', '.join(built) or '`signclip corpora build` makes one'})"
            )
    once = {clip.path: clip for clip in reversed(found.clips)}  # the first of each path
    return found._replace(clips=[clip for clip in found.clips if once[clip.path] is clip])


def _add_corpus(found: Sources, folder: Path, workspace: Workspace) -> None:
    table = manifest.read(folder)
    root = corpora.root(folder.name, params=workspace.params)
    found.clips.extend(_clips(table, root))
    found.corpora[folder.name] = corpus_fingerprint(table)


def _add_folder(found: Sources, folder: Path) -> None:
    rows, refused = corpora.LOADERS[corpora.FOLDER].rows(folder)
    table = pd.DataFrame(rows, columns=list(manifest.GIVEN))
    manifest.check_rows(table, source=str(folder))
    found.clips.extend(_clips(table, folder))
    found.dropped.extend(_refused(refused, folder))


def _clips(table: pd.DataFrame, root: Path) -> Iterator[Clip]:
    sums = table["sha256"] if "sha256" in table else [""] * len(table)
    columns = (table["id"], table["path"], table["text"], table["sign_language"], sums)
    for clip, path, text, language, sha256 in zip(*columns, strict=True):
        yield Clip(clip, root / path, text, language, sha256)


def _refused(rows: Iterable[Mapping[str, str]], folder: Path) -> Iterator[Dropped]:
    for row in rows:
        yield Dropped(row["id"], files.as_text(folder / row["path"]), row["reason"])
