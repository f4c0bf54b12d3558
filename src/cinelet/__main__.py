"""`python -m cinelet` is the `cinelet` command."""

from cinelet.cli import main

main()
