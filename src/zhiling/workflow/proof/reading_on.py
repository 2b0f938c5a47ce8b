"""The encoder that has read on in a run's unlabelled texts: made once, shared by all arms and later runs."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from zhiling.errors import UsageError
from zhiling.llm.location import content_hash, model_folder
from zhiling.pipeline.fingerprint import canonical, matching
from zhiling.pipeline.runner import Listener
from zhiling.pipeline.table import RowTable
from zhiling.rows.conversation import shown_text
from zhiling.rows.evaluation_file import read_records
from zhiling.rows.schema import digest
from zhiling.training import Examples, TrainSettings
from zhiling.training.transfer.continued_settings import Continued
from zhiling.workflow.proof.examples import apart_from, part_numbers
from zhiling.workflow.proof.repeats import TRAIN
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import Run

FOLDER = "encoders"
"""Beside the runs: an encoder is found again by what it was made of."""


def reading_on(
    settings: TrainSettings, recipe: Recipe, place: tuple[Run, RowTable], tested: Examples, tell: Listener
) -> TrainSettings:
    """The settings with the encoder that has read on as backbone; unchanged where none is asked for.

    Args:
        settings: of the training, the backbone's folder found.
        recipe: tells the file of texts, what near means, and the seed.
        place: the run with its rows.
        tested: no text equal or near to one of these is read.
        tell: hears of each epoch.

    Raises:
        UsageError: there is no encoder, or too few texts.
        MissingInput: the file of texts is not there.
    """
    continued = settings.continued
    if continued is None:
        return settings
    assert settings.backbone is not None
    run, table = place
    found = [*_of_train_part(run, table), *_of_file(continued, recipe.root)]
    texts = apart_from(pl.DataFrame({"text": found}, schema={"text": pl.String}), tested, recipe.split.near)
    read = texts["text"].to_list()
    source = model_folder(settings.backbone)
    key = digest(canonical([continued.model_dump(mode="json"), content_hash(source), recipe.seed, read]))
    folder = run.project.runs / FOLDER / key[:16]
    if not folder.is_dir():
        from zhiling.training.transfer.continued import read_on

        folder.parent.mkdir(parents=True, exist_ok=True)
        read_on(
            source, read, continued, folder, seed=recipe.seed,
            told=lambda epoch, loss: tell({"event": "epoch", "arm": "encoder", "epoch": epoch, "loss": loss}),
        )  # fmt: skip
    return settings.model_copy(update={"backbone": str(folder)})


def _of_train_part(run: Run, table: RowTable) -> list[str]:
    """What all rows of the train part show, labelled or not."""
    return shown_text(table.read(["messages"], part_numbers(run, TRAIN))["messages"]).to_list()


def _of_file(settings: Continued, root: Path) -> list[str]:
    """The texts of the file that the settings name."""
    found: list[str] = []
    for file in matching([settings.texts] if settings.texts else [], root, what="train.continued.texts"):
        for number, record in read_records(file):
            text = record.get(settings.field)
            if not isinstance(text, str):
                raise UsageError(
                    f"field {settings.field!r} is missing or no text",
                    place=f"{file.name}:{number}",
                    hint=f"It has {sorted(record)}: name one as train.continued.field.",
                )
            found.append(text)
    return found
