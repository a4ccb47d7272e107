"""The corpora of ``make repro CORPORA=open``: downloaded without a form, then trained on.

Decisions
* They are small and say what the embedded corpus cannot: LSA64 by unseen signers, and the
  fingerspelling of six sign languages by unseen languages (whose signers are not recorded).
* A corpus is fetched into ``downloads/<name>`` and written into ``params.yaml`` with the use
  ``open``; the stages of local corpora then do the rest. One that is registered already keeps its
  folder.
* Whether the servers can be reached is asked first, so that a machine without a connection learns
  it within seconds and keeps its ``params.yaml``.

Cost: 0.4 GB of downloads, as much again unpacked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from signclip.core.errors import FetchError
from signclip.core.workspace import Workspace
from signclip.corpora import fetch, local

NAMES = ("lsa64", "openhands-fingerspelling")
DOWNLOADS = Path("downloads")
USE: local.Use = "open"


def prepare(workspace: Workspace, *, download: bool = True) -> Iterator[str]:
    """Fetch and register the corpora; yields a line about each.

    Args:
        download: False registers them only, for a plan of the stages.

    Raises:
        FetchError: a server cannot be reached (then nothing was changed), or a download failed.
        ConfigError: ``params.yaml`` cannot take the entry.
    """
    entries = local.entries(workspace.params)
    ours = {name: workspace.params.parent / DOWNLOADS / name for name in NAMES}
    folders = {name: entries[name].path if name in entries else ours[name] for name in NAMES}
    missing = [
        name
        for name, folder in folders.items()
        if folder == ours[name] and not fetch.is_complete(name, folder)
    ]
    if download:
        for name in missing:
            if reason := fetch.unreachable(name):
                advice = f"connect, or name a mirror in {fetch.MIRROR}, and run it again"
                raise FetchError(f"CORPORA=open, {name}", f"{reason}; nothing was changed", advice)
        for name in missing:
            fetch.fetch(name, folders[name])
    for name in NAMES:
        loader, uses = (entries[name].loader, entries[name].use) if name in entries else (name, ())
        if USE not in uses:
            where = dict(loader=loader, params=workspace.params)
            local.enable(name, folders[name], use=(*uses, USE), **where)
        yield f"{workspace.params}: {name} is {folders[name]}, for {USE}"
