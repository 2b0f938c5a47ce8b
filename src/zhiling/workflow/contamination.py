"""What decontamination removed, for which evaluation rows, and how much of that chance alone would remove.

The false hits are estimated by a control: questions of kept rows are put in the place of the evaluation
texts and looked for in other kept rows. They stand in no evaluation set, so each hit is a false one. Rows
that are copies of each other are no chance, so they are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from zhiling.curation.decontaminate import Decontaminate, Evaluation
from zhiling.pipeline.plan import StepLine, steps_of
from zhiling.pipeline.step import Context, Verdict
from zhiling.pipeline.store import Manifest, Stage
from zhiling.pipeline.table import RowTable
from zhiling.rows.conversation import user_text
from zhiling.text.normalise import normalise
from zhiling.text.overlap import jaccard
from zhiling.text.shingles import shingles
from zhiling.workflow.calibrate.bounds import Share
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import Run, encoder_of

RESULT = "contamination"
"""Under which the manifest's results hold it."""
CONTROLS = 1_000
"""Questions that take the place of evaluation texts, at most."""
SEARCHED = 10_000
"""Rows in which they are looked for, at most."""
ENCODED = 2_000
"""The same, where an encoder looks for paraphrases: it takes milliseconds a row."""
COPY_JACCARD = 0.5
MANY_ROWS = 10
MANY_SHARE = 0.005
CONFIDENCE = 0.95

_SHOWN = 5
_EXCERPT = 80


@dataclass(frozen=True)
class Control:
    """Questions of kept rows in the place of the evaluation texts.

    Attributes:
        questions: how many.
        searched: other kept rows that they were looked for in.
        hits: those found, all false.
        share: of the rows that as many questions as there are evaluation texts would remove.
        high: with a confidence of .95 it is no more.
    """

    questions: int
    searched: int
    hits: int
    share: float
    high: float


@dataclass(frozen=True)
class Contamination:
    """What one `decontaminate` step did.

    Attributes:
        seen: rows that it judged.
        removed: rows that it rejected (flagged, where it only flags).
        texts: evaluation texts.
        found: those that removed a row.
        brief: rows removed for a text that is shorter than a quoted run.
        most: `place`, `text`, `rows` of the evaluation texts that removed most.
        control: None where fewer than two rows were kept.
    """

    step: str
    seen: int
    removed: int
    texts: int
    found: int
    brief: int
    most: tuple[dict[str, Any], ...]
    control: Control | None

    def crowded(self) -> list[dict[str, Any]]:
        """Evaluation texts that removed suspiciously many rows: 10, and one of 200 seen."""
        least = max(MANY_ROWS, MANY_SHARE * self.seen)
        return [each for each in self.most if each["rows"] >= least]


def contamination_stage(recipe: Recipe, run: Run, table: RowTable) -> None:
    """Writes `results.contamination` of the manifest: an entry for each `decontaminate` step."""
    steps = [
        line for outer in recipe.steps for line in steps_of(outer) if isinstance(line.step, Decontaminate)
    ]
    if steps:
        told = [asdict(_told(line, recipe, run, table)) for line in steps]
        run.folder.manifest.results[RESULT] = told
        run.folder.save()


def contaminations(manifest: Manifest) -> list[Contamination]:
    """What `contamination_stage` wrote, in the order of the steps."""
    return TypeAdapter(list[Contamination]).validate_python(manifest.results.get(RESULT, []))


def lines_of(told: Contamination) -> Iterator[str]:
    """The same in words, for a terminal."""
    if told.removed:
        brief = f", {told.brief:,} of them for one shorter than a quoted run" if told.brief else ""
        repeated = f"{told.removed:,} rows repeat {told.found:,} of {told.texts:,} evaluation texts"
        yield f"{told.step}: {repeated}{brief}"
    control = told.control
    if control is not None:
        yield (
            f"{told.step}: by chance {control.share:.2%} of the rows would leave, at most {control.high:.2%} "
            f"({control.questions:,} questions of kept rows hit {control.hits:,} of {control.searched:,} "
            "others)"
        )
    for each in told.crowded():
        yield (
            f"{told.step}: warning: {each['place']} alone removed {each['rows']:,} rows: {each['text']!r}; "
            "if that is too general for a leak, take it out, or raise `shortest`, `words` or `share`"
        )


def _told(line: StepLine, recipe: Recipe, run: Run, table: RowTable) -> Contamination:
    step = line.step
    assert isinstance(step, Decontaminate)
    evaluation = step.evaluation(recipe.root)
    ledger = _ledger(run, [stage for stage in run.folder.manifest.stages if stage.id == line.id])
    removed = ledger.filter(pl.col("verdict").is_in([str(Verdict.REJECT), str(Verdict.FLAG)]))
    texts = pl.DataFrame({"related": evaluation.places, "text": evaluation.texts, "brief": evaluation.brief})
    counted = removed.group_by("related").len("rows").join(texts, on="related")
    counted = counted.sort("rows", "related", descending=[True, False])
    most = tuple(
        {"place": place, "text": " ".join(text.split())[:_EXCERPT], "rows": rows}
        for place, text, rows in counted.select("related", "text", "rows").head(_SHOWN).iter_rows()
    )
    brief = int(counted.filter("brief")["rows"].sum())
    control = _control(step, texts.height, recipe, table)
    return Contamination(
        line.id, ledger.height, removed.height, texts.height, counted.height, brief, most, control
    )


def _ledger(run: Run, stages: Sequence[Stage]) -> pl.DataFrame:
    frames = [
        run.folder.read_frame(part.ledger, ["verdict", "related"])
        for stage in stages
        for part in stage.parts
        if part.ledger
    ]
    empty = pl.DataFrame(schema={"verdict": pl.String(), "related": pl.String()})
    return pl.concat([empty, *frames]).filter(pl.col("verdict") != str(Verdict.PASSED))


def _control(step: Decontaminate, texts: int, recipe: Recipe, table: RowTable) -> Control | None:
    """Kept rows, drawn at random: some as questions, the others as what they are looked for in."""
    kept = table.exported()
    most = ENCODED if step.paraphrase is not None else SEARCHED
    questions = min(texts, CONTROLS, len(kept) // 2)
    drawn = np.random.default_rng([recipe.seed, 2026]).permutation(kept)[: questions + most]
    if not questions:
        return None
    context = Context(
        step_id="control", seed=recipe.seed, root=recipe.root, load_encoder=encoder_of(recipe)[0]
    )
    asked = user_text(table.read(["messages"], np.sort(drawn[:questions]))["messages"])
    searched = table.read(list(step.reads()), np.sort(drawn[questions:]))
    names = pl.int_range(len(asked), eager=True).cast(pl.String)
    evaluation = Evaluation.of(names, asked, step.run, edited=step.edited is not None)
    answer = step.compared(searched, evaluation, context)
    hit = np.flatnonzero((answer["verdict"] == str(Verdict.REJECT)).to_numpy())
    other = answer["related"].gather(hit).cast(pl.Int64).to_numpy()
    said = user_text(searched["messages"]).gather(hit)
    sets = shingles(normalise(pl.concat([said, asked.gather(other)])))
    pairs = np.arange(len(hit))
    chance = int((jaccard(sets, pairs, len(hit) + pairs) < COPY_JACCARD).sum())
    found = Share.of(chance, searched.height, CONFIDENCE)
    scale = texts / questions
    return Control(
        questions,
        searched.height,
        chance,
        min(1.0, chance / searched.height * scale),
        min(1.0, found.high * scale),
    )
