"""`python -m chatd` is the command `chatd`."""

from chatd.cli import main

main(prog_name="chatd")
