"""The local reward model: its scores are the network's own for each conversation alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_lm import CHINESE, ENGLISH, TEMPLATE, write_tiny_lm, write_tiny_reward
from zhiling.errors import UsageError
from zhiling.llm.conversation import Asked, Turn
from zhiling.llm.reward import load_reward_model

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

TALKS = [Asked((Turn("user", f"{text}?"),), reply) for text in ENGLISH for reply in (*CHINESE, "yes " * 9)]

KINDS: dict[str, dict[str, Any]] = {
    "pairs": {"beginning": True},
    "chat": {"template": TEMPLATE},
    "last token": {"kind": "gpt2", "template": TEMPLATE},
    "no padding": {"kind": "gpt2", "template": TEMPLATE, "padding": False},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_is_what_the_network_gives_for_the_conversation_alone(tmp_path: Path, kind: str) -> None:
    model = load_reward_model(write_tiny_reward(tmp_path / "reward", **KINDS[kind]))
    encoded = [model.encode(talk) for talk in TALKS]
    assert all(encoded)
    found = model.score([each for each in encoded if each])
    for talk, score in zip(TALKS, found, strict=True):
        question, reply = talk.before[0].text, talk.reply
        if kind == "pairs":
            inputs = model.tokenizer(question, reply, return_tensors="pt")
        else:
            text = f"<user>{question}\n<assistant>{reply}\n"
            inputs = model.tokenizer(text, add_special_tokens=False, return_tensors="pt")
        with torch.no_grad():
            assert score == pytest.approx(float(model.network(**inputs).logits[0, 0]), abs=1e-5)
    assert len({round(score, 6) for score in found.tolist()}) > len(TALKS) / 2


def test_batch_and_order_change_nothing(tmp_path: Path) -> None:
    model = load_reward_model(write_tiny_reward(tmp_path / "reward"))
    encoded = [each for talk in TALKS if (each := model.encode(talk))]
    whole = model.score(encoded)
    assert np.array_equal(model.score(encoded[::-1])[::-1], whole)
    assert model.score(encoded, batch_tokens=1) == pytest.approx(whole, abs=1e-5)
    assert model.score([]).shape == (0,)


def test_a_template_takes_only_its_roles(tmp_path: Path) -> None:
    model = load_reward_model(write_tiny_reward(tmp_path / "reward", template=TEMPLATE))
    assert model.encode(Asked((Turn("tool", "x"),), "y")) is None


def test_what_has_no_single_trained_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it has 3 outputs"):
        load_reward_model(write_tiny_reward(tmp_path / "three", outputs=3))
    with pytest.raises(UsageError, match=r"score\.weight are not in the folder"):
        load_reward_model(write_tiny_lm(tmp_path / "lm"))
