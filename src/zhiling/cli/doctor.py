"""`zhiling doctor RUN`: a run checked again from disk."""

from __future__ import annotations

import typer

from zhiling.cli.console import AsJson, RunName, find_run, print_json


def doctor_command(run: RunName = None, as_json: AsJson = False) -> None:
    """Recount a run from its files, balance its books, verify its hashes."""
    from zhiling.workflow.doctor import examine

    found = find_run(run)
    findings = examine(found.path)
    healthy = all(finding.ok for finding in findings)
    if as_json:
        print_json({"run": found.id, "ok": healthy, "findings": [finding.__dict__ for finding in findings]})
    else:
        for finding in findings:
            typer.secho(
                f"{'ok ' if finding.ok else 'BAD'} {finding.check}: {finding.detail}",
                fg=None if finding.ok else typer.colors.RED,
            )
        typer.echo(f"{found.id} is {'healthy' if healthy else 'damaged'}")
    if not healthy:
        raise typer.Exit(1)
