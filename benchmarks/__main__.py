"""``python -m benchmarks``: the same as the command ``signbench``."""

from benchmarks.cli import main

main()
