"""The app: verbs, errors without tracebacks, exit codes."""

from __future__ import annotations

import sys
import traceback
from importlib import import_module

import typer

from zhiling import __version__
from zhiling.cli.adversarial import adversarial_app
from zhiling.errors import Interrupted, ZhilingError

VERBS = (
    "init", "check", "preview", "run", "batch", "status", "rows", "why", "diff", "export", "gates",
    "train", "evaluate", "compare", "predict", "report", "ablate", "calibrate", "steps", "schema", "doctor",
    "index", "gc", "demo",
)  # fmt: skip

app = typer.Typer(
    name="zhiling",
    help="zhiling (指令): build instruction data, tune language models on it, prove what the data did.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zhiling {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Options of every verb."""


for _verb in VERBS:
    app.command(name=_verb)(getattr(import_module(f"zhiling.cli.{_verb}"), f"{_verb}_command"))
app.add_typer(adversarial_app, name="adversarial")


def run() -> None:
    """Runs the app; a user's error is printed without a traceback and becomes its exit code."""
    verbose = any(flag in sys.argv[1:] for flag in ("-v", "--verbose"))
    sys.argv[1:] = [argument for argument in sys.argv[1:] if argument not in ("-v", "--verbose")]
    try:
        code = app(standalone_mode=False)
    except ZhilingError as error:
        _complain(str(error), verbose)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        _complain("interrupted", verbose)
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(0) from None  # `zhiling rows | head` is no error
    except Exception as error:
        raise SystemExit(_unexpected(error, verbose)) from None
    if code == Interrupted.exit_code:  # typer turns a bare KeyboardInterrupt into this code, without a word
        _complain("interrupted", verbose)
    raise SystemExit(code if isinstance(code, int) else 0)


def _unexpected(error: Exception, verbose: bool) -> int:
    """Usage errors of the command line keep their own words; anything else is a bug, and says so."""
    show = getattr(error, "show", None)
    code = getattr(error, "exit_code", None)
    if callable(show) and isinstance(code, int):
        show()
        return code
    if type(error).__name__ == "Abort":
        return 130
    _complain(
        f"this is a bug in zhiling: {type(error).__name__}: {error}\n  → run again with -v for the traceback",
        verbose,
    )
    return 1


def _complain(message: str, verbose: bool) -> None:
    if verbose:
        traceback.print_exc()
    typer.secho(f"error: {message}", err=True, fg=typer.colors.RED)
