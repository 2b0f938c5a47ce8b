"""Calibration takes a bias out exactly; replies of shared prompts are as likely as they are one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhiling.training.prompting.calibration import calibrated, probabilities

LOG = st.floats(-8, 8, allow_nan=False)
ROWS = st.integers(2, 6).flatmap(lambda size: st.tuples(*[st.lists(LOG, min_size=size, max_size=size)] * 3))


@given(ROWS)
def test_a_bias_that_no_input_decides_is_removed_exactly(rows: tuple[list[float], ...]) -> None:
    said, free, bias = map(np.array, rows)
    fair = calibrated(probabilities(said), probabilities(free))
    biased = calibrated(probabilities(said + bias), probabilities(free + bias))
    assert biased == pytest.approx(fair, rel=1e-9, abs=1e-12)
    assert fair.sum() == pytest.approx(1)


@given(st.lists(LOG, min_size=2, max_size=6))
def test_what_is_said_of_nothing_is_no_preference(said: list[float]) -> None:
    found = probabilities(np.array(said))
    assert calibrated(found, found) == pytest.approx(np.full(len(said), 1 / len(said)))
    uniform = np.full(len(said), 1 / len(said))
    assert calibrated(found, uniform) == pytest.approx(found)


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> object:
    pytest.importorskip("transformers")
    from tests.tiny_lm import write_tiny_lm
    from zhiling.llm.causal import load_causal_lm

    return load_causal_lm(
        write_tiny_lm(tmp_path_factory.mktemp("lm") / "model", kind=request.param, steps=240)
    )


TEXT = st.text("the card 卡丢了", min_size=1, max_size=12)


@settings(deadline=None, max_examples=20)
@given(TEXT, st.lists(TEXT, min_size=1, max_size=5), st.sampled_from([16, 4096]))
def test_replies_after_one_prompt_are_as_likely_as_one_by_one(
    model: object, prompt: str, replies: list[str], batch_tokens: int
) -> None:
    from zhiling.llm.causal import CausalLM
    from zhiling.llm.continuations import log_probabilities_after

    assert isinstance(model, CausalLM)
    head, tails = model.tokenise([prompt])[0], model.tokenise(replies)
    together = log_probabilities_after(model, head, tails, batch_tokens=batch_tokens)
    alone = model.score([model.reply_span(head, tail) for tail in tails]).sums
    assert together == pytest.approx(alone, abs=1e-4)


def test_the_likeliest_reply_is_written(model: object) -> None:
    from zhiling.llm.causal import CausalLM
    from zhiling.llm.continuations import written_after

    assert isinstance(model, CausalLM)
    heads = model.tokenise(["reset the pas", "the card is l", "the lock has n", "where", "parcel"])
    told = {tuple(head): written_after(model, head, 6, ending="\n\n") for head in heads}
    for head, whole in told.items():
        assert written_after(model, head, 3, ending="\n\n") == whole[:3]
        assert written_after(model, head, 0, ending="\n\n") == ""
        for mark in whole.split():
            assert written_after(model, head, 6, ending=f"{mark}\n") == whole.partition(mark)[0]
    assert all(told.values())
