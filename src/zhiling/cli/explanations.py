"""`zhiling predict --explain`: answers with what speaks for them, as text or JSON."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from zhiling.cli.console import print_json, print_table

if TYPE_CHECKING:
    from zhiling.training import Input
    from zhiling.training.trained import Trained
    from zhiling.workflow.proof.explain import Explainer, Explanation

MOST_WORDS = 12
TEXT_LIMIT = 60


def explain_answers(
    trained: Trained, folder: Path, batches: Iterable[Sequence[Input]], label: str | None, *, as_json: bool
) -> None:
    """Prints each input's answer with its explanation.

    Args:
        trained: the model.
        folder: where it lies: a run's folder knows the training rows, a model's own does not.
        batches: the inputs.
        label: explain this label instead of the answer.
        as_json: one JSON object a line.
    """
    from zhiling.training.inputs import shown_text

    explainer = _explainer(trained, folder)
    if explainer.learnt is None:
        typer.echo("the folder holds a model alone: training rows are told of a run's model", err=True)
    for turns in itertools.chain.from_iterable(batches):  # one by one: each takes up to a second
        found = explainer.explain([turns], label=label)[0]
        if as_json:
            print_json({"text": shown_text(turns), **found.as_dict()})
        else:
            typer.echo(shown_text(turns))
            _tell(found)


def _explainer(trained: Trained, folder: Path) -> Explainer:
    from zhiling.workflow.proof.explain import Explainer
    from zhiling.workflow.run import open_run
    from zhiling.workflow.settings import ExplainSettings

    settings = ExplainSettings.model_validate({})
    if (folder / "manifest.json").is_file():
        return Explainer.of_run(open_run(folder), trained, settings)
    return Explainer(trained, None, settings.neighbours)


def _tell(found: Explanation) -> None:
    typer.echo(f"  {found.answer}  {found.score:.2f}")
    if found.attribution is None:
        typer.echo(f"  {found.note}")
    else:
        for line in _attribution(found.attribution):
            typer.echo(f"  {line}")
    if found.nearest:
        rows = [
            (f"{near['cosine']:.2f}", near["answer"], near["source"], near["locator"] or "", near["id"][:12],
             _short(near["text"]))
            for near in found.nearest
        ]  # fmt: skip
        print_table(
            ("cosine", "answer", "source", "place", "id", "text"), rows, title="nearest training rows"
        )
    typer.echo("")


def _attribution(told: dict[str, Any]) -> list[str]:
    """The strongest words and n-grams, with what they add to the score."""
    lines = [
        f"{told['explained']}: {told['score']:+.2f}, of which {told['baseline']:+.2f} without any word"
        + (" (the encoder reads only the beginning)" if told["cut"] else "")
    ]
    words = sorted(told["words"], key=lambda word: -abs(word["score"]))[:MOST_WORDS]
    if words:
        lines.append("words    " + "  ".join(f"{word['text']} {word['score']:+.2f}" for word in words))
    ngrams = [f"{'/'.join(each['texts'])!r} {each['score']:+.3f}" for each in told["ngrams"]]
    if ngrams:
        lines.append(f"n-grams  {told['ngrams_total']:+.2f}: " + "  ".join(ngrams))
    return lines


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 1] + "…"
