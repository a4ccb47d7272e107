"""A command in a fork: what ``python -m`` does, without the imports of a new interpreter."""

import importlib
import os
import sys
from pathlib import Path


def run(folder: Path, module: str, *words: str) -> None:
    """``python -m module words...`` in a folder, what it prints into the file ``output`` there.

    There is no ``PATH``: a command needs no other program.
    """
    os.environ["PATH"] = ""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.argv = [module, *words]
    for number in (1, 2):
        os.dup2(os.open("output", os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    importlib.import_module(f"{module}.cli").main()
