"""The labelled sets of ../shared/data: which recipe reads each, and what must come out of it.

    from benchmarks.sources.sets import SETS, batches
    for name in SETS:
        for batch in batches(name): ...

What a set's source is set to stands in its recipe, `tests/real/NAME.yaml`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from zhiling.pipeline import registry
from zhiling.pipeline.step import Batch, Source

ROOT = Path(__file__).resolve().parents[2]
DATA = (ROOT / ".." / "shared" / "data").resolve()
RECIPES = ROOT / "tests" / "real"


@dataclass(frozen=True)
class Expected:
    """What a set gives.

    Attributes:
        records: how many records its files hold, as the README of the sets counts them.
        task: of its rows that have a truth or a reply.
        others: further tasks, where a recipe reads sets of several kinds.
        bad: records that cannot be read, by class.
        material: rows without truth.
        rows: rows, where a record is not one row.
    """

    records: int
    task: str
    others: tuple[str, ...] = ()
    bad: dict[str, int] = field(default_factory=dict[str, int])
    material: int = 0
    rows: int | None = None

    @property
    def height(self) -> int:
        """How many rows come out."""
        return self.records - sum(self.bad.values()) if self.rows is None else self.rows


SETS: dict[str, Expected] = {
    "banking77": Expected(10_003, "classification"),
    "clinc150": Expected(10_700, "classification"),
    "boolq": Expected(2_000, "classification"),
    "thucnews_titles": Expected(10_000, "classification"),
    "fewclue": Expected(4_293 + 930 + 2_840, "classification", ("matching",)),
    "cl_benchmark": Expected(7_872, "classification", ("matching",), material=16),
    "ecd_zh_sample": Expected(154, "matching"),
    "conll2003": Expected(14_041 + 3_250, "ner"),
    "conll2003_columns": Expected(14_041 + 3_250, "ner"),
    "cluener2020": Expected(10_748, "ner"),
    "restaurant8k": Expected(8_198, "ner"),
    "presidio_pii": Expected(750, "ner"),
    "bitext_entities": Expected(6_480, "ner", bad={"span_mismatch": 766}),
    "t0_relations": Expected(60, "relation"),
    "cmrc2018": Expected(1_002, "qa", bad={"span_mismatch": 5, "empty_text": 2}),
    "xquad": Expected(1_190, "qa"),
    "gsm8k": Expected(7_473, "qa"),
    "ceval": Expected(260 + 1_346, "commonsense"),
    "mmlu": Expected(285 + 1_531, "commonsense"),
    "tatoeba_en_zh": Expected(20_000, "translation"),
    "dialogsum": Expected(3_000, "summarisation"),
    "tweetsumm": Expected(879, "summarisation"),
    "sgd": Expected(1_024, "dialogue", rows=7_788),
    "multiwoz21": Expected(999, "dialogue", rows=7_365),
    "crosswoz_state": Expected(500, "dialogue", rows=4_229),
    "t0_concepts": Expected(60, "controlled"),
    "mbpp": Expected(500, "code"),
    "natural_instructions": Expected(4_713, "instruction"),
}
"""Set → what it gives."""


def sources(name: str) -> list[Source]:
    """The sources of a set's recipe, with paths to ../shared/data."""
    text = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8").replace("DATA", DATA.as_posix())
    yaml: Any = YAML(typ="safe", pure=True)
    lines: list[dict[str, Any]] = yaml.load(text)["sources"]
    made: list[Source] = []
    for line in lines:
        settings = {key: value for key, value in line.items() if key not in ("id", "use")}
        made.append(registry.load("source", line["use"])(**settings))
    return made


def batches(name: str) -> Iterator[Batch]:
    """All rows and bad items of a set, straight from its sources."""
    for source in sources(name):
        files = sorted(Path(path) for path in source.paths())
        yield from source.read(files, DATA)
