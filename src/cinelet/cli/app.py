"""The `cinelet` command and its verbs; turns errors into one line and an exit code."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

from cinelet import __version__
from cinelet.cli.batch import batch
from cinelet.cli.cost import cost
from cinelet.cli.doctor import doctor
from cinelet.cli.export import export
from cinelet.cli.forecast import forecast
from cinelet.cli.generate import generate
from cinelet.cli.jobs import jobs
from cinelet.cli.keys import keys
from cinelet.cli.load import load
from cinelet.cli.loras import loras
from cinelet.cli.models import models
from cinelet.cli.scale import scale
from cinelet.cli.serve import gateway, serve, worker
from cinelet.cli.simulate import simulate
from cinelet.errors import CineletError, ConflictError, ModelFilesError, NotFoundError, RequestError

CALLERS_FAULT = (RequestError, NotFoundError, ConflictError, ModelFilesError)

app = typer.Typer(
    help="One sentence in, a short video out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(generate)
app.command()(doctor)
app.command()(batch)
app.command()(export)
app.command()(load)
app.command()(forecast)
app.command()(simulate)
app.command()(cost)
app.command()(serve)
app.command()(gateway)
app.command()(worker)
app.add_typer(keys, name="keys")
app.add_typer(models, name="models")
app.add_typer(loras, name="loras")
app.add_typer(jobs, name="jobs")
app.add_typer(scale, name="scale")


@app.callback(invoke_without_command=True)
def cinelet(*, version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    """One sentence in, a short video out."""
    if version:
        print(__version__)  # noqa: T201 - a result goes to stdout
        raise typer.Exit


def main() -> None:
    """Run the command line; the process ends here."""
    stderr = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        app()
    except CineletError as error:
        stderr.print(f"[bold red]error[/] {escape(error.message)}")
        sys.exit(2 if isinstance(error, CALLERS_FAULT) else 1)
    except KeyboardInterrupt:
        stderr.print("interrupted; nothing was written")
        sys.exit(130)
