"""`zhiling gates RUN`: whether a run may be used."""

from __future__ import annotations

import typer

from zhiling.cli.console import AsJson, RunName, find_run, print_json


def gates_command(run: RunName = None, as_json: AsJson = False) -> None:
    """Show a run's gates; exit 1 where one failed."""
    found = find_run(run)
    gates = found.folder.manifest.gates
    if as_json:
        print_json({"run": found.id, "gates": gates})
    else:
        for gate in gates:
            bounds = [
                f"{name.replace('_', ' ')} {gate[name]:g}"
                for name in ("at_least", "at_most")
                if gate[name] is not None
            ]
            answer = "ok    " if gate["ok"] else "FAILED"
            detail = f"; {gate['detail']}" if gate.get("detail") else ""
            typer.echo(f"{answer} {gate['check']}: {gate['value']:g} ({', '.join(bounds)}){detail}")
        if not gates:
            typer.echo("the recipe names no gates")
    if not all(gate["ok"] for gate in gates):
        raise typer.Exit(1)
