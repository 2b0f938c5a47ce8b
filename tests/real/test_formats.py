"""Public sets written in the format that they came in: CoNLL to the byte, SQuAD row by row."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.unit.sources.reading import read
from zhiling.pipeline import registry
from zhiling.pipeline.number import number_source
from zhiling.pipeline.plan import SourceLine
from zhiling.sources.instructions import Instructions
from zhiling.sources.record_source import RecordSource

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here"),
]


def rows_of(source: RecordSource, path: Path) -> pl.DataFrame:
    rows, _ = read(source, [path], path.parent)
    return number_source(SourceLine("s", source, ()), rows, 0, Counter())


def labelled() -> RecordSource:
    made: RecordSource = registry.load("source", "labelled")(path="*")
    return made


def write(name: str, rows: pl.DataFrame, path: Path, **settings: Any) -> dict[str, int]:
    return dict(registry.load("format", name)(**settings).write(rows, path).losses)


def test_conll_2003_is_written_as_it_was(tmp_path: Path) -> None:
    given = DATA / "conll2003" / "valid.txt.gz"
    rows = rows_of(labelled(), given)
    assert rows.height == 3250
    assert write("conll", rows, tmp_path / "out.conll", form="four") == {}
    with gzip.open(given) as file:
        assert (tmp_path / "out.conll").read_bytes() == file.read()


@pytest.mark.parametrize(("folder", "name", "count"), [("xquad", "en", 1190), ("cmrc2018", "trial", 995)])
def test_squad_is_read_back_row_by_row(tmp_path: Path, folder: str, name: str, count: int) -> None:
    rows = rows_of(labelled(), DATA / folder / f"{name}.jsonl.gz")
    assert rows.height == count
    for form, file in (("nested", "out.json"), ("flat", "out.jsonl")):
        assert write("squad", rows, tmp_path / file, form=form) == {}
        again = rows_of(labelled(), tmp_path / file)
        assert again.select("messages", "target").equals(rows.select("messages", "target"))


def test_a_demo_of_every_trainer_format_is_imported_by_its_index(tmp_path: Path) -> None:
    rows, bad = read(
        Instructions(path="*", missing_media="keep"),
        [DATA / "llama_factory_demo" / "dataset_info.json.gz"],
        DATA,
    )
    with gzip.open(DATA / "llama_factory_demo" / "dataset_info.json.gz") as file:
        index = json.load(file)
    hub = [name for name, entry in index.items() if "file_name" not in entry]
    assert [each.place.partition("#")[2] for each in bad if each.cls == "not_local"] == hub
    assert rows.height == 999 + 1000 + 91 + 300 + 300 + 300 + 300 + 300 + 6 + 3 + 3 + 300 + 30
    assert {each.cls for each in bad} == {"not_local", "missing_file"}  # mllm_video_audio_demo is not here
