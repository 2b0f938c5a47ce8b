"""Attention in fp32 inside a bf16 model: near to the same states, and nothing of it is saved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.tiny_bert import write_tiny_bert  # noqa: E402
from tests.unit.training.test_ner import rows, score, settings  # noqa: E402
from zhiling.encoders.local_model import load_local_model  # noqa: E402
from zhiling.training import train  # noqa: E402
from zhiling.training.reading import attention as room  # noqa: E402


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def network(tiny: Path) -> torch.nn.Module:
    import copy

    return copy.deepcopy(load_local_model(tiny).network)


@pytest.mark.parametrize("faster", [True, False])
def test_it_is_taken_where_the_trial_says_so(
    network: torch.nn.Module, monkeypatch: pytest.MonkeyPatch, faster: bool
) -> None:
    monkeypatch.setattr(room, "fp32_is_faster", lambda: faster)
    room.use_faster_attention(network)
    assert network.config._attn_implementation == (room.NAME if faster else "sdpa")


def test_states_in_fp32_are_equal_and_in_bf16_near(
    network: torch.nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "fp32_is_faster", lambda: True)
    given = {"input_ids": torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]])}
    given["attention_mask"] = (given["input_ids"] > 0).long()
    before = network(**given).last_hidden_state
    room.use_faster_attention(network)
    assert torch.equal(network(**given).last_hidden_state, before)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        near = network(**given).last_hidden_state
    assert torch.allclose(near.float(), before, atol=0.1)


def test_the_trial_says_one_or_the_other() -> None:
    assert room.fp32_is_faster() in (True, False)


def test_a_model_tuned_in_bf16_is_saved_as_any(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "fp32_is_faster", lambda: True)
    known = rows(1)
    model = train(settings(tiny, epochs=1, precision="bf16"), (known, known), seed=1, evaluate=score)
    model.save(tmp_path / "model")
    saved = json.loads((tmp_path / "model" / "encoder" / "config.json").read_text("utf-8"))
    assert room.NAME not in json.dumps(saved)
