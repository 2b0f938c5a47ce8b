"""A local model behind the interface of a server: the same asks, the same replies, the same failures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_lm import CHINESE, ENGLISH, TEMPLATE, write_tiny_lm
from zhiling.errors import MissingInput
from zhiling.llm.causal import load_causal_lm
from zhiling.llm.engine import Engine
from zhiling.llm.failures import CallFailure
from zhiling.llm.reply import Reply
from zhiling.llm.role import Role
from zhiling.llm.verdict import Ask
from zhiling.llm.wire import ChatRequest, CompletionRequest, Image, Sampling, user

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
GREEDY = Sampling(temperature=0, max_tokens=12)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_lm(
        tmp_path_factory.mktemp("models") / "tiny", template=TEMPLATE, beginning=True, seed=1
    )


def ask(model: Path, tmp_path: Path, *asks: Ask) -> list[Any]:
    with Engine({"local": Role(path=str(model))}, tmp_path / "z.sqlite") as engine:
        return list(engine.ask("local", asks))


def likeliest(model: Path, ids: list[int], count: int) -> tuple[list[int], list[float]]:
    """The greedy continuation, each token computed from all before it, and its log-probabilities."""
    network, chances = load_causal_lm(model).network, list[float]()
    start = len(ids)
    for _ in range(count):
        with torch.inference_mode():
            logs = network(torch.tensor([ids])).logits[0, -1].double().log_softmax(dim=0)
        ids = [*ids, int(logs.argmax())]
        chances.append(float(logs.max()))
        if ids[-1] == load_causal_lm(model).tokenizer.eos_token_id:
            break
    return ids[start:], chances


@pytest.mark.parametrize("text", [ENGLISH[0], CHINESE[0]])
def test_a_completion_is_the_models_likeliest_and_is_stored(model: Path, tmp_path: Path, text: str) -> None:
    request = Ask(CompletionRequest(text, GREEDY), whole=False)
    (reply,) = ask(model, tmp_path, request)
    tokenizer = load_causal_lm(model).tokenizer
    ids, _ = likeliest(model, tokenizer(text)["input_ids"], 12)
    assert reply.text == tokenizer.decode(ids, skip_special_tokens=True)
    (again,) = ask(model, tmp_path, request)
    assert (again.text, again.stored) == (reply.text, True)


def test_log_probabilities_are_the_networks_own(model: Path, tmp_path: Path) -> None:
    (reply,) = ask(model, tmp_path, Ask(ChatRequest(user("card"), GREEDY, logprobs=2), whole=False))
    loaded = load_causal_lm(model)
    _, chances = likeliest(model, loaded.tokenise(["<user>card\n<assistant>"])[0], 12)
    assert [chance.logprob for chance in reply.logprobs] == pytest.approx(chances, abs=1e-5)
    assert all(chance.others[0][1] == chance.logprob for chance in reply.logprobs)


def test_samples_differ_and_a_seed_repeats_them(model: Path, tmp_path: Path) -> None:
    request = ChatRequest(user("x"), Sampling(temperature=2.0, max_tokens=12, seed=3))
    asks = [Ask(request, sample, whole=False) for sample in range(4)]
    first = ask(model, tmp_path, *asks)
    (tmp_path / "z.sqlite").unlink()
    second = ask(model, tmp_path, *asks)
    assert [each.text for each in first] == [each.text for each in second]
    assert len({each.text for each in first}) > 1


def test_what_it_cannot_do_is_a_failure_of_the_row(model: Path, tmp_path: Path) -> None:
    picture = ChatRequest(user("what is this", images=[Image("data:image/png;base64,AA==")]))
    tool = ChatRequest(user("x"), tools=({"type": "function"},))
    long = ChatRequest(user("long " * 100))
    outcomes = ask(model, tmp_path, Ask(picture), Ask(tool), Ask(long), Ask(ChatRequest(user("x"), GREEDY)))
    assert [isinstance(each, CallFailure) and each.cls for each in outcomes[:3]] == ["rejected"] * 3
    assert "pictures" in outcomes[0].message
    assert "tokens, the model takes 128" in outcomes[2].message
    assert isinstance(outcomes[3], Reply) or outcomes[3].cls == "truncated"


def test_a_stop_text_ends_the_reply(model: Path, tmp_path: Path) -> None:
    drawn = Sampling(temperature=2.0, max_tokens=40, seed=5)
    (whole,) = ask(model, tmp_path, Ask(CompletionRequest("the ", drawn), whole=False))
    stop = next(letter for letter in whole.text[1:] if letter != whole.text[0])
    (cut,) = ask(model, tmp_path, Ask(CompletionRequest("the ", replace(drawn, stop=(stop,)))))
    assert (cut.text, cut.finish_reason) == (whole.text.partition(stop)[0], "stop")


def test_a_model_that_is_not_there_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"config\.json"):
        ask(tmp_path / "none", tmp_path, Ask(ChatRequest(user("x"))))
