"""What surrounds every command: its exit code, and errors of one line."""

from __future__ import annotations

import io
import logging
import signal
import sys
from contextlib import suppress
from typing import NoReturn

import typer

from reproduce.batch.parent import end_with_parent
from reproduce.batch.process import WorkflowError
from reproduce.batch.starting import INTERRUPTED, started
from reproduce.batch.train import BatchError
from reproduce.cli.commands import app
from snnlib.checks import InputError, short
from snnlib.data.checksums import DataError
from snnlib.store.files import StoreError
from snnlib.training.failures import TrainingError

_UsageError = typer.BadParameter.__base__  # of click, which newer versions of typer bring along


def main() -> None:
    """Run the command line.

    Exit codes: 2 after an error, which is one line with its way out; 1 if a part of a batch failed, a line each; 130
    after Ctrl-C or a signal to end, one line too.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no ± gets \xb1
    end_with_parent()
    for level, word in ((logging.INFO, ""), (logging.WARNING, "warning: "), (logging.ERROR, "error: ")):
        logging.addLevelName(level, word)  # by which `figures` knows what in a job's log a reader is to see at once
    logging.basicConfig(format="%(levelname)s%(message)s", stream=sys.stderr)
    logging.raiseExceptions = False  # a log that cannot be written, on a full disk, stops nothing
    for other in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(other) == signal.SIG_DFL:  # nohup has it ignored
            signal.signal(other, signal.default_int_handler)
    try:
        started()  # in here, so that there is no moment in which Ctrl-C is nobody's
        interrupted = app(sys.argv[1:] or ["--help"], standalone_mode=False) == INTERRUPTED
    except _UsageError as error:
        _fail(_usage(error))
    except (InputError, DataError, StoreError, TrainingError, WorkflowError) as error:
        _fail(str(error))
    except BatchError as error:  # a part of it; the rest is done
        print(error, file=sys.stderr)
        sys.exit(1)
    except OSError as error:  # of the output, or of what lies outside of the stores
        _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):  # which of these, or the code, depends on typer's version
        interrupted = True
    if interrupted:
        print("interrupted; the same command goes on from the last finished epoch", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _fail(message: str) -> NoReturn:
    with suppress(OSError):
        print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _usage(error: _UsageError) -> str:
    """What is wrong with a command line; where it is a name, which commands or options there are."""
    message = short(error.format_message(), 300)
    if error.ctx is None or isinstance(error, typer.BadParameter):
        return message
    command = error.ctx.command
    choices = getattr(command, "commands", None) or [o for p in command.params for o in p.opts if o.startswith("-")]
    return f"{message} ({command.name or 'commands'}: {', '.join(choices)})" if choices else message
