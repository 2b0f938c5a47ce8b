"""Dialogues of SGD and CrossWOZ replay turn by turn, as whole as their labels are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks.sources.sets import DATA, sources
from zhiling.pipeline.step import Context
from zhiling.verification.dialogue_replay import DialogueReplay

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here"),
]

MEANT = ("intent", "price_range", "playback_device", "category", "event_type", "year")
"""Slots of SGD whose values are said in other words."""


@pytest.mark.parametrize(
    ("name", "settings", "most"),
    [
        ("sgd", {"unspoken": MEANT, "never_before": {"confirm": ("notify_success",)}}, 0.01),
        ("sgd", {"unspoken": MEANT, "never_before": {"notify_success": ("confirm",)}}, 1.0),
        ("crosswoz_state", {"said": False}, 0.1),
    ],
)
def test_few_real_dialogues_are_flagged(name: str, settings: dict[str, Any], most: float) -> None:
    (source,) = (each.model_copy(update={"with_acts": True}) for each in sources(name))
    files = [Path(path) for path in source.paths()]
    rows = pl.concat(batch.rows.select("messages", "target", "group") for batch in source.read(files, DATA))
    whole = rows.group_by("group", maintain_order=True).last().head(100)
    step = DialogueReplay(**settings)
    assert step.applies(whole).all()
    flagged = (step.decide(whole, Context("replay"))["verdict"] != "keep").mean()
    assert flagged <= most
    assert most < 1 or flagged > 0.5
