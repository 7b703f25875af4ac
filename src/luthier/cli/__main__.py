"""`python -m luthier.cli`, where the command itself is not on the path."""

from luthier.cli import main

main()
