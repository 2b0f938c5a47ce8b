"""The answer for a row hangs neither on its place nor on the batch that it comes in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.test_hard_rows import HARD, MODELS, frame, make_step
from tests.contract.test_steps import QUESTIONS, REPLIES, STEPS, reference
from tests.teacher import Scripted, any_reply
from zhiling.encoders.hashing import HashingEncoder
from zhiling.pipeline.apply import apply
from zhiling.pipeline.step import Context, Step

TEXTS = [*QUESTIONS[:10], *HARD.values()]
ANSWERS = [*HARD.values(), *REPLIES[:10]]
SCOPES = {name: make_step(name).scope for name in STEPS if name not in MODELS}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    (folder / "evaluation.jsonl").write_text('{"text": "How do I reset the lock?"}\n', encoding="utf-8")
    return folder


def answered(step: Step, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
    """The ledger and what was measured, in the order of the rows' numbers."""
    outcome = apply(step, rows, context)
    lines = outcome.ledger.sort("n").drop("detail", strict=False)
    if outcome.measures is None or not outcome.measures.height:
        return lines
    return lines.join(outcome.measures.sort("n"), on="n", how="left", maintain_order="left")


def close(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    """Equal but for the last bits of floats."""
    floats = [name for name, dtype in one.schema.items() if dtype.is_float()]
    rounded = pl.col(floats).round(9)
    return one.with_columns(rounded).equals(other.with_columns(rounded))


def learned(step: Step, rows: pl.DataFrame, root: Path) -> Context:
    """What the step knows, having learned from all rows."""
    context = Context(
        step_id="x", seed=3, root=root, load_encoder=HashingEncoder,
        load_models=lambda step: Scripted(any_reply), reference=reference(step),
    )  # fmt: skip
    if not step.fits():
        return context
    state = root / f"state-{step.name}"
    state.mkdir(exist_ok=True)
    step.fit(rows, context, state)
    return replace(context, state=state)


@pytest.mark.parametrize("name", [name for name, scope in SCOPES.items() if scope == "rows"])
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_rows_may_be_shuffled_and_cut_anywhere(name: str, root: Path, data: st.DataObject) -> None:
    step = make_step(name)
    rows = frame(step, TEXTS, ANSWERS)
    context = learned(step, rows, root)
    order = data.draw(st.permutations(range(rows.height)))
    cuts = sorted(data.draw(st.sets(st.integers(1, rows.height - 1), max_size=4)))
    parts = [rows[order][start:end] for start, end in zip([0, *cuts], [*cuts, rows.height], strict=True)]
    pieces = [answered(step, part, context) for part in parts]
    assert close(pl.concat(pieces, how="diagonal").sort("n"), answered(step, rows, context))


@pytest.mark.parametrize("name", [name for name, scope in SCOPES.items() if scope == "table"])
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_table_may_be_shuffled(name: str, root: Path, data: st.DataObject) -> None:
    step = make_step(name)
    rows = frame(step, TEXTS, ANSWERS)
    context = learned(step, rows, root)
    order = data.draw(st.permutations(range(rows.height)))
    assert close(answered(step, rows[order], context), answered(step, rows, context))


@pytest.mark.parametrize("name", [name for name, scope in SCOPES.items() if scope == "group"])
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_groups_may_be_shuffled_and_cut(name: str, root: Path, data: st.DataObject) -> None:
    step = make_step(name)
    rows = frame(step, TEXTS, ANSWERS)
    context = learned(step, rows, root)
    groups = data.draw(st.permutations(rows["group"].unique(maintain_order=True).to_list()))
    parts = [answered(step, rows.filter(pl.col("group") == group), context) for group in groups]
    assert close(pl.concat(parts, how="diagonal").sort("n"), answered(step, rows, context))
