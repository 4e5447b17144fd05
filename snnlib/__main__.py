"""Command line: ``python -m snnlib --help``."""

from snnlib.cli.main import main

if __name__ == "__main__":
    main()
