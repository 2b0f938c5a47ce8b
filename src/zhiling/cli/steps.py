"""`zhiling steps [NAME]`: what steps there are, and the card of one."""

from __future__ import annotations

from typing import Annotated

import typer

from zhiling.cli.console import AsJson, print_json, print_table


def steps_command(
    name: Annotated[str | None, typer.Argument(help="A step; all of them by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """List all steps, or show one step's card: what it does, settings, reasons, cost, limits."""
    from zhiling.workflow.cards import all_cards, card

    if name is None:
        cards = all_cards()
        if as_json:
            print_json([each.as_dict() for each in cards])
        else:
            print_table(
                ("step", "kind", "sees", "what it does"),
                [(c.name, c.kind, c.scope, c.summary) for c in cards],
            )
        return
    found = card(name)
    if as_json:
        print_json(found.as_dict())
    else:
        typer.echo(found.render())
