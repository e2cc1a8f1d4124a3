"""The command line: which commands there are, and the one place where errors become exit codes.

A command is imported when it is called, so that `--help` stays quick.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

import click

from gitops_ci import __version__
from gitops_ci.errors import Exit, GitopsCiError

COMMANDS = {
    "check": ("gitops_ci.cli.ops", "check", "Preview the gate of an ops merge request."),
    "demo": ("gitops_ci.cli.learn", "demo", "Watch a release travel through four stages."),
    "init": ("gitops_ci.cli.init", "init", "Write what a repository needs."),
    "promote": ("gitops_ci.cli.dev", "promote", "Propose a release for a stage."),
    "reconcile": ("gitops_ci.cli.ops", "reconcile", "Do the next step of every promotion."),
    "schema": ("gitops_ci.cli.learn", "schema", "Print a JSON Schema of our files."),
    "status": (
        "gitops_ci.cli.ops",
        "status",
        "Show which release is where, and what it waits for.",
    ),
    "wait": ("gitops_ci.cli.dev", "wait", "Be green only when a release is live."),
}


class LazyGroup(click.Group):
    """Knows names and summaries of its commands, and loads one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{attribute} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][2]) for name in sorted(COMMANDS)])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="gitops-ci")
def cli() -> None:
    """Reviewed promotions from CI.

    A release enters ITG, TST, PERF and PROD one after the other, each by a merge request on the ops
    repository, each only when it was live and tested in the stage before.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command; every way out is an exit code of `errors.Exit`."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        code = cli.main(list(arguments), prog_name="gitops-ci", standalone_mode=False)
        if sys.stdout:  # None where the caller has closed it
            sys.stdout.flush()
        return code if isinstance(code, int) else Exit.DONE
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted; run the same command again to go on", Exit.INTERRUPTED)
    except _Terminated:
        return _say("terminated; run the same command again to go on", Exit.TERMINATED)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except GitopsCiError as error:
        return _report(error)
    except OSError as error:
        return _operating_system(error)
    except Exception:  # the last line of defence: a bug, told as one
        return _bug()


class _Terminated(BaseException):
    """SIGTERM arrived; not an Exception, so that nothing on the way swallows it."""


def _terminated(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
    raise _Terminated


def _say(message: str, code: Exit) -> Exit:
    click.echo(message, err=True)
    return code


def _report(error: GitopsCiError) -> Exit:
    click.echo(f"{click.style('error', fg='red')}: {printable(error.message)}", err=True)
    if error.hint:
        click.echo(f"\n{click.style('hint', fg='cyan')}: {printable(error.hint)}", err=True)
    return error.exit_code


def _operating_system(error: OSError) -> Exit:
    from gitops_ci.files import is_full  # only where it is needed

    _drop_output()
    if isinstance(error, BrokenPipeError):
        return Exit.FAILED
    code = Exit.TEMPORARY if is_full(error) else Exit.FAILED
    return _say(f"error: {printable(str(error))}", code)


def _drop_output() -> None:
    """Let what nobody takes go nowhere, or Python fails once more when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())


def _bug() -> Exit:
    import platform
    import traceback

    traceback.print_exc()
    versions = f"gitops-ci {__version__}, Python {platform.python_version()}, {platform.platform()}"
    return _say(
        f"\nthis is a bug in gitops-ci, please report it with the lines above ({versions})",
        Exit.BUG,
    )


def printable(text: str) -> str:
    """Foreign text for a terminal or a job log: no control characters, no workflow commands."""
    lines = text.split("\n")
    clean = (
        line
        if line.isprintable()
        else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
        for line in lines
    )
    return "\n".join(
        line.replace("::", ": :") if line.lstrip().startswith("::") else line for line in clean
    )
