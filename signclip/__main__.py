"""``python -m signclip``: the same as the command ``signclip``."""

from signclip.cli import main

main()
