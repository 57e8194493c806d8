"""The command line: a group that imports only the verb asked for, and turns errors into one line.

Each verb is a module ``perfmodel.cli.VERB`` with a click command named ``command``; its line of help is also in
``VERBS`` so that ``--help`` imports none of them (a test compares the two).
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from perfmodel import __version__
from perfmodel.errors import PerfmodelError

VERBS = {
    "predict": "Predict the time, memory and cost of one step on a card.",
    "compare": "Compare cards, batches, precisions and block counts.",
    "validate": "Predict every row of a measured table and score the predictions.",
    "fit": "Fit a regression to measured rows and say what it means.",
    "report": "Make one self-contained page of documents and measured tables.",
    "doctor": "Say what is built, found and missing, and what to do.",
    "gpus": "List, search, show, add and check GPUs.",
    "measure": "Measure operators and steps on this machine.",
    "loader": "Load images fast, and predict how long loading takes.",
    "run": "Train a shipped workload, timed phase by phase.",
    "datasets": "List driving data sets, say where to get them, generate look-alikes.",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all verbs; imports none."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb's module and return its command; None where there is no such verb."""
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"perfmodel.cli.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"perfmodel.cli.{cmd_name}.command is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs and their help from the table, importing none."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=LazyGroup, subcommand_metavar="VERB [OPTIONS]", context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="perfmodel")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def group(debug: bool) -> None:
    """Predict how long deep learning takes on a GPU, before renting or buying it.

    Every verb has its own help: perfmodel VERB --help.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments after the program's name; those of this process by default.

    Notes
    -----
    Exit status: 0 for an answer, 1 for a failure, 2 for bad input, 130 after Ctrl-C. Errors are one line on stderr;
    ``--debug``, anywhere on the line, shows the traceback.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = ["--debug", *(word for word in words if word != "--debug")] if debug else words
    sys.exit(_run(words, debug=debug))


def _run(words: list[str], *, debug: bool) -> int:
    """Run and return the exit status."""
    try:
        with group.make_context("perfmodel", list(words), obj=words) as context:
            result = group.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return 2
    except click.ClickException as error:
        return _report(_usage_text(error), error.exit_code, debug=debug)
    except PerfmodelError as error:
        return _report(str(error), error.exit_code, debug=debug)
    except BrokenPipeError:
        _silence_stdout()
        return 141
    except (KeyboardInterrupt, click.Abort):
        return _report("interrupted", 130, debug=False)
    except Exception as error:
        if debug:
            raise
        return _report(f"{type(error).__name__}: {error} (a defect; --debug shows where)", 1, debug=False)
    return result if isinstance(result, int) else 0


def _usage_text(error: click.ClickException) -> str:
    """Click's message with the verb whose help to read."""
    text = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{text} See '{context.command_path} --help'." if context else text


def _report(text: str, status: int, *, debug: bool) -> int:
    """Print one line to stderr, after the traceback where asked for, and return the status."""
    if debug:
        import traceback

        traceback.print_exc()
    print("error: " + " ".join(text.split()), file=sys.stderr)
    return status


def _silence_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's own flush at exit does not fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
