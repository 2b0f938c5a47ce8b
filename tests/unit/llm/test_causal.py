"""The local causal model: its sums are transformers' own, whatever the batch, the window and the template."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.tiny_bert import write_tiny_bert
from tests.tiny_lm import CHINESE, ENGLISH, TEMPLATE, write_tiny_lm, write_tiny_reward
from zhiling.errors import MissingInput, UsageError
from zhiling.llm.causal import Span, load_causal_lm
from zhiling.llm.conversation import Turn, prompt_text

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

TEXTS = [*ENGLISH, *CHINESE, "😀", "a much longer text, " * 4, "包裹" * 12]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_tiny_lm(folder / "gpt2", steps=20)
    write_tiny_lm(folder / "llama", kind="llama", steps=20, beginning=True)
    return folder


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_perplexity_is_transformers_own(models: Path, kind: str) -> None:
    model = load_causal_lm(models / kind)
    spans = [model.text_span(ids) for ids in model.tokenise(TEXTS)]
    found = model.score(spans)
    for place, text in enumerate(TEXTS):
        ids = torch.tensor([model.tokenizer(text)["input_ids"]])
        with torch.no_grad():
            loss = float(model.network(input_ids=ids, labels=ids).loss)
        assert found.losses[place] == pytest.approx(loss, abs=1e-5)
        assert found.tokens[place] == ids.shape[1] - 1
    assert (found.windows == 1).all()


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_only_the_reply_is_scored_and_every_token_before_it_seen(models: Path, kind: str) -> None:
    model = load_causal_lm(models / kind)
    prompt, reply = "where is it?\n\n", "the parcel is on its way"
    ids = torch.tensor([model.tokenizer(prompt + reply)["input_ids"]])
    labels = ids.clone()
    labels[0, : -len(reply)] = -100
    with torch.no_grad():
        loss = float(model.network(input_ids=ids, labels=labels).loss)
    found = model.log_probabilities([prompt], [reply])
    assert found.losses[0] == pytest.approx(loss, abs=1e-5)
    assert found.tokens.tolist() == [len(reply)]


def test_the_mark_of_the_beginning_is_the_tokenizers(models: Path) -> None:
    assert load_causal_lm(models / "gpt2").beginning == ()
    assert load_causal_lm(models / "llama").beginning == (1,)
    alone = load_causal_lm(models / "gpt2").log_probabilities(["", ""], ["a", ""])
    assert alone.tokens.tolist() == [0, 0]
    assert np.isnan(alone.losses).all()
    assert load_causal_lm(models / "llama").log_probabilities([""], ["a"]).tokens.tolist() == [1]


@pytest.mark.parametrize("batch_tokens", [1, 64, 4096])
def test_batch_and_order_change_nothing(models: Path, batch_tokens: int) -> None:
    model = load_causal_lm(models / "gpt2")
    spans = [model.text_span(ids) for ids in model.tokenise(TEXTS)]
    whole = model.score(spans)
    other = model.score(spans[::-1], batch_tokens=batch_tokens)
    assert other.sums[::-1] == pytest.approx(whole.sums, abs=1e-4)
    assert (model.score(spans[::-1]).sums[::-1] == whole.sums).all(), "the same batches: the same bits"


def test_windows_score_each_token_once_with_half_a_window_before_it(models: Path) -> None:
    model = load_causal_lm(models / "llama")
    ids = model.tokenise(["the parcel is on its way and 银行卡丢了 " * 9])[0]
    assert len(ids) > 3 * model.context
    found = model.score([model.text_span(ids), Span((1, *ids), 200)])
    assert found.tokens.tolist() == [len(ids), len(ids) + 1 - 200]
    assert found.windows[0] > 3
    expected, done, sequence = 0.0, 1, [1, *ids]
    while done < len(sequence):  # token by token, as slow as it is plain
        end = min(len(sequence), max(model.context, done + model.context // 2))
        part = torch.tensor([sequence[max(0, end - model.context) : end]])
        with torch.no_grad():
            logs = model.network(input_ids=part).logits[0].log_softmax(-1)
        for place in range(done, end):
            local = place - max(0, end - model.context)
            expected += float(logs[local - 1, sequence[place]])
        done = end
    assert found.sums[0] == pytest.approx(expected, rel=1e-5)
    narrow = model.score([model.text_span(ids)], max_tokens=16)
    assert narrow.tokens[0] == len(ids)
    assert narrow.windows[0] == -(-(len(ids) + 1 - 16) // 8) + 1


def test_what_does_not_fit_the_context_is_refused_where_labels_are_compared(models: Path) -> None:
    with pytest.raises(UsageError, match="the model takes 128"):
        load_causal_lm(models / "gpt2").log_probabilities(["a" * 125], ["bcde"])


def test_a_template_tells_the_prompt_and_takes_only_its_roles(tmp_path: Path) -> None:
    model = load_causal_lm(write_tiny_lm(tmp_path / "chat", template=TEMPLATE))
    turns = (Turn("system", "be kind"), Turn("user", "包裹呢？"))
    assert prompt_text(model.tokenizer, turns) == "<system>be kind\n<user>包裹呢？\n<assistant>"
    assert prompt_text(model.tokenizer, (Turn("tool", "x"),)) is None


@pytest.mark.parametrize("kind", ["encoder", "reward"])
def test_a_folder_without_a_language_model_is_refused(tmp_path: Path, kind: str) -> None:
    write = {"encoder": write_tiny_bert, "reward": partial(write_tiny_reward, kind="gpt2")}[kind]
    with pytest.raises(UsageError, match="no causal language model"):
        load_causal_lm(write(tmp_path / kind))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_device_that_is_not_there_is_an_error(models: Path) -> None:
    with pytest.raises(MissingInput, match="no usable GPU"):
        load_causal_lm(models / "gpt2", "cuda")
