"""Command line: ``python -m reproduce --help``."""

from reproduce.batch.starting import in_one_line

in_one_line()  # what follows takes seconds

from reproduce.cli.main import main  # noqa: E402

if __name__ == "__main__":
    main()
