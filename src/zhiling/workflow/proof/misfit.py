"""What `check` says of a training before it runs: a language that the backbone cannot read, far test rows."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from zhiling.llm.location import model_folder
from zhiling.pipeline.fingerprint import matching
from zhiling.pipeline.plan import Plan
from zhiling.rows.conversation import shown_text
from zhiling.rows.evaluation_file import read_records
from zhiling.text.scripts import SCRIPTS, letter_counts
from zhiling.training.transfer.distance import SAMPLE, UNKNOWN, backbone_tokenizer, measure, unknown_shares
from zhiling.workflow.proof.examples import source_batches
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.settings import EvaluateSettings

RARE = 0.05
"""Scripts with a smaller share of the texts are not told of."""
NO_LETTERS = "none"


class Sample(NamedTuple):
    """Some texts, and the script that most letters of each are of: tags of languages may be missing."""

    texts: list[str]
    scripts: list[str]

    def common(self) -> set[str]:
        """The scripts of more than a few texts."""
        counts = Counter(self.scripts)
        return {script for script, count in counts.items() if count > RARE * len(self.texts)} - {NO_LETTERS}


def misfits(recipe: Recipe, plan: Plan) -> Iterator[str]:
    """Warnings, from a sample of rows; nothing is encoded, no network is loaded."""
    if recipe.train is None:
        return
    source = _of_sources(plan)
    target = _of_evaluation(recipe.evaluate, recipe.root) if recipe.evaluate else Sample([], [])
    yield from _unread(recipe, Sample(source.texts + target.texts, source.scripts + target.scripts))
    if target.texts and source.texts:
        yield from _apart(source, target)


def _unread(recipe: Recipe, sample: Sample) -> Iterator[str]:
    """Scripts that the backbone alone would have to read, and cannot."""
    settings = recipe.train
    if settings is None or settings.backbone is None or settings.features != "encoder" or not sample.texts:
        return
    tokenizer = backbone_tokenizer(model_folder(settings.backbone, recipe.root))
    shares = unknown_shares(tokenizer, *sample)
    for script, share in shares.items():
        if share > UNKNOWN and script in sample.common():
            yield (
                f"the backbone has no entry for {share:.0%} of the tokens of texts in {script} script: set "
                "features: both or ngrams, or name a backbone that was made for them"
            )


def _apart(source: Sample, target: Sample) -> Iterator[str]:
    """Rows to be tested on that are unlike those to learn from."""
    for script in sorted(target.common() - set(source.scripts)):
        yield (
            f"texts in {script} script are tested on, and none of {len(source.texts)} sampled rows to learn "
            "from is in it: add such rows"
        )
    found = measure(source.texts, target.texts, target.scripts)
    if found is not None and found.far:
        yield (
            f"the rows to be tested on are unlike those to learn from ({found}): add rows like them, or let "
            "the encoder read unlabelled ones (train.continued)"
        )


def _of_sources(plan: Plan) -> Sample:
    """The first labelled rows of each source."""
    found = [Sample([], [])]
    for line in plan.sources:
        batches = line.source.read(line.files, plan.root)
        found += [_labelled(batch.rows) for batch in itertools.islice(batches, 1)]
    return Sample(*(list(itertools.chain.from_iterable(column)) for column in zip(*found, strict=True)))


def _labelled(rows: pl.DataFrame) -> Sample:
    """Texts of rows with a truth, drawn at random from a batch."""
    if "target" not in rows.columns:
        return Sample([], [])
    rows = rows.filter(pl.col("target").is_not_null())
    rows = rows.sample(min(SAMPLE, rows.height), shuffle=True, seed=0)
    return _sample(shown_text(rows["messages"]).to_list())


def _of_evaluation(settings: EvaluateSettings, root: Path) -> Sample:
    """The first rows of the evaluation file or source; none where the run's own test part is used."""
    if settings.source is not None:
        return _labelled(next(iter(source_batches(settings.source, root))).rows)
    if settings.data is None:
        return Sample([], [])
    texts: list[str] = []
    for file in matching([settings.data], root, what="evaluate.data"):
        records = (record.get(settings.text) for _, record in itertools.islice(read_records(file), SAMPLE))
        texts += [text for text in records if isinstance(text, str)]
    return _sample(texts)


def _sample(texts: Sequence[str]) -> Sample:
    counts = letter_counts(pl.Series("text", texts, dtype=pl.String))
    main = [SCRIPTS[int(row.argmax())] if row.any() else NO_LETTERS for row in counts]
    return Sample(list(texts), main)
