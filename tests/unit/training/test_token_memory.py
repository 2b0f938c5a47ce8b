"""A text is cut once per tokenizer and way, and what is remembered is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.labelled_rows import accuracy, labelled  # noqa: E402
from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.training import TrainSettings, train  # noqa: E402
from zhiling.training.reading import token_memory  # noqa: E402
from zhiling.training.reading.features import Segments, Window  # noqa: E402
from zhiling.training.reading.token_memory import TokenMemory  # noqa: E402


class Counting:
    """Letters as tokens, and how many sequences were cut."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, sequences: Sequence[Segments]) -> list[list[Window]]:
        self.asked += [each.first for each in sequences]
        return [[Window([ord(letter) for letter in each.first], [0] * len(each.first))] for each in sequences]


def test_known_sequences_are_not_cut_again() -> None:
    memory, cut = TokenMemory(), Counting()
    texts = [Segments("卡"), Segments("card"), Segments("卡")]
    first = memory.windows(8, texts, cut)
    assert cut.asked == ["卡", "card"]
    assert memory.windows(8, [*texts, Segments("new")], cut)[:3] == first
    assert cut.asked == ["卡", "card", "new"]
    memory.windows(9, texts[:1], cut)
    memory.windows(9, [Segments("卡", "card")], cut)
    assert cut.asked[3:] == ["卡", "卡"]


def test_the_oldest_leave_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_memory, "REMEMBERED_TOKENS", 12)
    memory, cut = TokenMemory(), Counting()
    for text in ("aaaa", "bbbb", "cccc"):
        assert memory.windows(8, [Segments(text)], cut)[0][0].ids == [ord(text[0])] * 4
    assert [each.first for _, each in memory.known] == ["bbbb", "cccc"]
    assert memory.tokens == 10
    long = memory.windows(8, [Segments("d" * 20)], cut)
    assert len(long[0][0].ids) == 20
    assert (len(memory.known), memory.tokens) == (0, 0)


def test_seeds_and_methods_share_what_was_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny, rows = write_tiny_bert(tmp_path / "tiny"), labelled(2)
    cut: list[int] = []
    original = token_memory.TokenMemory.windows

    def watched(self: TokenMemory, way: object, sequences: Sequence[Segments], anew: token_memory.Cut):
        def counting(some: Sequence[Segments]) -> list[list[Window]]:
            cut.append(len(some))
            return anew(some)

        return original(self, way, sequences, counting)

    monkeypatch.setattr(token_memory.TokenMemory, "windows", watched)
    for method, seed in (("full", 1), ("full", 2), ("lora", 1)):
        fields = {"features": "encoder", "backbone": str(tiny), "method": method, "epochs": 1}
        train(TrainSettings.model_validate(fields), (rows, rows), seed=seed, evaluate=accuracy)
    assert sum(cut) == len(set(rows.texts))
