"""`zhiling report RUN`: static pages."""

from __future__ import annotations

import typer

from zhiling.cli.console import AsJson, RunName, find_run, print_json


def report_command(run: RunName = None, as_json: AsJson = False) -> None:
    """Write a run's report again: pages that open from disk and ask no host for anything."""
    from zhiling.workflow.report.report import write_report

    page = write_report(find_run(run).path)
    if as_json:
        print_json({"report": str(page)})
    else:
        typer.echo(str(page))
