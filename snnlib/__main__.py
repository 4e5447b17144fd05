"""Command line: ``python -m snnlib --help``."""

from snnlib.batch.starting import in_one_line

in_one_line()  # what follows takes seconds

from snnlib.cli.main import main  # noqa: E402

if __name__ == "__main__":
    main()
