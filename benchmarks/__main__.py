"""``python -m benchmarks``: the same as the command ``signbench``."""

from benchmarks.cli import main

if __name__ == "__main__":
    main()
