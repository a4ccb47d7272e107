"""One module per corpus, each with a :class:`signclip.corpora.loader.Loader` named ``LOADER``.

Decision: modules are found by listing this folder and ordered as in the catalogue, so that a new
file is all that a new loader needs. Cost: importing small modules.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from signclip.core.errors import ConfigError
from signclip.corpora.catalogue import catalogue
from signclip.corpora.loader import Loader


def _discover() -> dict[str, Loader]:
    """Loaders by name, in the order of the catalogue.

    Raises:
        ConfigError: a loader has no entry in the catalogue, or an entry no loader.
    """
    modules = (import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__))
    found = {module.LOADER.name: module.LOADER for module in modules}
    if only_one := sorted(found.keys() ^ catalogue().keys()):
        lacks = "entry in catalogue.yaml" if only_one[0] in found else "module in loaders/"
        raise ConfigError(f"corpus {only_one[0]} has no {lacks}")
    return {name: found[name] for name in catalogue()}


LOADERS = _discover()
