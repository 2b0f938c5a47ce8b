"""The page on labelled sets names every kind, field, class of bad record and setting that it should."""

from __future__ import annotations

import re
from pathlib import Path

from zhiling.sources import labelled
from zhiling.sources.labelled.kinds import FIELDS, KINDS

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "labelled.md").read_text(encoding="utf-8")
CODE = "\n".join(path.read_text(encoding="utf-8") for path in Path(labelled.__file__).parent.glob("*.py"))


def test_every_kind_stands_there_with_its_task_and_fields() -> None:
    lines = {found[1]: found[2] for found in re.finditer(r"^\| `(\w+)` \| (\w+) \|.*$", PAGE, re.MULTILINE)}
    assert lines == {kind.name: kind.task for kind in KINDS}
    for kind in KINDS:
        line = next(line for line in PAGE.splitlines() if line.startswith(f"| `{kind.name}` |"))
        fields = set(kind.fields) - {"state", "start"} if kind.name != "ner" else set(kind.fields)
        assert fields <= set(re.findall(r"\w+", line)), kind.name


def test_every_field_is_named_by_the_source() -> None:
    named = set(re.findall(r"`(\w+)`", labelled.Labelled.__doc__ or ""))
    assert set(FIELDS) - {"state"} <= named


def test_every_class_of_bad_record_is_explained() -> None:
    used = set(re.findall(r'(?:Unreadable|Bad)\(\s*(?:f?"[^"]*",\s*)?"([a-z_]+)",', CODE)) - {"empty_file"}
    told = set(re.findall(r"`([a-z_]+)`", PAGE[PAGE.index("## What cannot be read") :]))
    assert used
    assert used <= told
    assert told - used <= {"relocate", "bad", "names", "extract", "lookup", "too_deep"}
