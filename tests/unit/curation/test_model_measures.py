"""`ifd`, `perplexity` and `reward` with tiny models: anchors, failures, the same whatever the batch."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest

from tests.tiny_lm import CHINESE, ENGLISH, TEMPLATE, write_tiny_lm, write_tiny_reward
from tests.unit.curation.frames import pairs, turns
from zhiling.curation.ifd import Ifd
from zhiling.curation.model_measure import ModelMeasure
from zhiling.curation.perplexity import Perplexity
from zhiling.curation.reward import Reward
from zhiling.errors import MissingInput
from zhiling.llm.causal import load_causal_lm
from zhiling.pipeline.apply import apply
from zhiling.pipeline.step import Context

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

ROWS = pairs(*((f"{text}?", f"{reply}.") for text in ENGLISH for reply in CHINESE))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a recipe with models beside it."""
    folder = tmp_path_factory.mktemp("recipe")
    write_tiny_lm(folder / "lm", steps=60)
    write_tiny_lm(folder / "marked", kind="llama", steps=60, beginning=True)
    write_tiny_lm(folder / "chat", steps=20, template=TEMPLATE)
    write_tiny_reward(folder / "reward")
    return folder


def measured(step: ModelMeasure, rows: pl.DataFrame, root: Path) -> pl.DataFrame:
    return step.measure(rows, Context(step_id="x", root=root))


STEPS: list[ModelMeasure] = [
    Ifd(model="lm"),
    Ifd(model="marked"),
    Perplexity(model="lm"),
    Perplexity(model="marked", on="question"),
    Perplexity(model="lm", on="all"),
    Reward(model="reward"),
]


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_batch_order_and_company_change_nothing(step: ModelMeasure, root: Path) -> None:
    found = measured(step, ROWS, root)
    assert found["failure"].null_count() == ROWS.height
    small = measured(step.model_copy(update={"batch_tokens": 1}), ROWS, root)
    alone = pl.concat([measured(step, ROWS[place], root) for place in range(ROWS.height)])
    assert small["score"].to_list() == pytest.approx(found["score"].to_list(), rel=1e-5)
    assert alone["score"].to_list() == pytest.approx(found["score"].to_list(), rel=1e-5)
    assert measured(step, ROWS.reverse(), root).reverse().equals(found)


@pytest.mark.parametrize("model", ["lm", "marked"])
def test_perplexity_is_the_exponential_of_transformers_own_loss(root: Path, model: str) -> None:
    loaded = load_causal_lm(root / model)
    found = measured(Perplexity(model=model), ROWS, root)
    for (question, reply), score in zip(_texts(ROWS), found["score"].to_list(), strict=True):
        whole = torch.tensor([loaded.tokenizer(f"{question}\n\n{reply}")["input_ids"]])
        labels = whole.clone()
        labels[0, : -len(reply.encode())] = -100
        with torch.no_grad():
            assert math.log(score) == pytest.approx(
                float(loaded.network(input_ids=whole, labels=labels).loss), abs=1e-5
            )
    assert found["loss"].exp().to_list() == pytest.approx(found["score"].to_list())
    assert found["tokens"].to_list() == [len(reply.encode()) for _, reply in _texts(ROWS)]


def _texts(rows: pl.DataFrame) -> list[tuple[str, str]]:
    return [(row[0]["text"], row[1]["text"]) for row in rows["messages"].to_list()]


def test_ifd_is_the_ratio_of_two_losses_over_the_same_tokens(root: Path) -> None:
    for model, left_out in (("lm", 1), ("marked", 0)):
        found = measured(Ifd(model=model), ROWS, root)
        ratio = found["reply_loss"] / found["reply_loss_alone"]
        assert found["score"].to_list() == pytest.approx(ratio.to_list())
        assert found["tokens"].to_list() == [len(reply.encode()) - left_out for _, reply in _texts(ROWS)]
        given = measured(Perplexity(model=model), ROWS, root)
        if not left_out:
            assert found["reply_loss"].to_list() == pytest.approx(given["loss"].to_list(), rel=1e-5)


def test_a_reply_that_the_model_does_not_connect_with_the_question_has_an_ifd_of_one(tmp_path: Path) -> None:
    from transformers import GPT2LMHeadModel

    folder = write_tiny_lm(tmp_path / "lm", steps=30)
    network = GPT2LMHeadModel.from_pretrained(folder)
    with torch.no_grad():
        network.transformer.wpe.weight.zero_()
        for block in network.transformer.h:
            block.attn.c_proj.weight.zero_()
    network.save_pretrained(folder)  # each token now foresees its successor from itself alone
    found = measured(Ifd(model="lm"), ROWS, tmp_path)
    assert found["score"].to_list() == pytest.approx([1.0] * ROWS.height, abs=1e-5)


def test_a_question_that_holds_the_reply_makes_it_easier(tmp_path: Path) -> None:
    import torch
    from transformers import GPT2LMHeadModel

    from tests.tiny_lm import byte_tokenizer

    folder = write_tiny_lm(tmp_path / "lm")
    network = GPT2LMHeadModel.from_pretrained(folder)
    words = byte_tokenizer()
    right = [words(f"{word}?\n\n{word} {word} {word}")["input_ids"] for word in ("cat", "dog", "猫", "狗")]
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    for step in range(160):
        ids = torch.tensor([right[step % 4]])
        optimiser.zero_grad()
        network(input_ids=ids, labels=ids).loss.backward()
        optimiser.step()
    network.save_pretrained(folder)
    rows = pairs(("cat?", "cat cat cat"), ("dog?", "cat cat cat"), ("猫?", "猫 猫 猫"), ("狗?", "猫 猫 猫"))
    score = measured(Ifd(model="lm"), rows, tmp_path)["score"].to_list()
    assert score[0] < score[1]
    assert score[2] < score[3]


def test_what_cannot_be_measured_fails_with_its_class(root: Path) -> None:
    rows = pairs(("q", "a" * 200), ("包裹" * 30, "好"), ("q", "x"), ("q", "ok"))
    failures = measured(Ifd(model="lm"), rows, root)["failure"].to_list()
    assert failures == ["too_long", "too_long", "too_few_tokens", None]
    failures = measured(Ifd(model="marked"), rows, root)["failure"].to_list()
    assert failures == ["too_long", "too_long", None, None]
    assert measured(Reward(model="reward"), rows, root)["failure"].to_list()[:1] == ["too_long"]
    assert (
        measured(Perplexity(model="lm", on="all"), pairs((None, "x")), root)["failure"][0] == "too_few_tokens"
    )


def test_rows_without_a_reply_or_a_question_pass_by(root: Path) -> None:
    rows = pairs(("q", "a"), ("q", None), ("q", " "), (None, "reply"), (" ", "reply"))
    assert Ifd(model="lm").applies(rows).to_list() == [True, False, False, False, False]
    assert Perplexity(model="lm").applies(rows).to_list() == [True, False, False, True, True]
    assert Perplexity(model="lm", on="question").applies(rows).to_list() == [True, True, True, False, False]
    assert Reward(model="reward").applies(rows).to_list() == [True, False, False, True, True]


def test_long_parts_are_read_in_windows(root: Path) -> None:
    rows = pairs(("q", "the parcel is on its way " * 40), ("q", "short reply"))
    found = measured(Perplexity(model="lm"), rows, root)
    assert found["windows"].to_list()[0] > 10
    assert found["windows"].to_list()[1] == 1
    assert found["tokens"].to_list() == [1000, 11]
    assert found["failure"].null_count() == 2
    narrow = measured(Perplexity(model="lm", max_tokens=64), rows, root)
    assert narrow["windows"][0] > found["windows"][0]


def test_earlier_turns_count_and_what_follows_the_reply_does_not(root: Path) -> None:
    talk = [("user", "hello"), ("assistant", "hi"), ("user", "where is it?"), ("assistant", "on its way")]
    rows = turns(talk, talk[2:], [*talk, ("user", "thanks")])
    score = measured(Ifd(model="lm"), rows, root)["score"].to_list()
    assert score[0] == pytest.approx(score[2], rel=1e-5)
    assert abs(score[0] - score[1]) > 1e-4


def test_roles_that_the_template_does_not_take_fail(root: Path) -> None:
    rows = turns(
        [("user", "q"), ("tool", "found"), ("assistant", "a reply")],
        [("document", "text"), ("user", "q"), ("assistant", "a reply")],
    )
    for step in (Ifd(model="chat"), Perplexity(model="chat")):
        assert measured(step, rows, root)["failure"].to_list() == ["unsupported_turns", None]
        assert measured(step.model_copy(update={"model": "lm"}), rows, root)["failure"].null_count() == 2


@pytest.mark.parametrize("step", [Ifd(model="m"), Perplexity(model="m"), Reward(model="m")], ids=repr)
def test_values_that_are_not_finite_are_failures(tmp_path: Path, step: ModelMeasure) -> None:
    from safetensors.torch import load_file, save_file

    write = write_tiny_reward if isinstance(step, Reward) else write_tiny_lm
    weights = write(tmp_path / "m") / "model.safetensors"
    tensors = {name: torch.full_like(value, math.nan) for name, value in load_file(weights).items()}
    save_file(tensors, weights, metadata={"format": "pt"})
    assert measured(step, ROWS, tmp_path)["failure"].unique().to_list() == ["not_finite"]


def test_a_failed_row_is_a_line_of_the_ledger(root: Path) -> None:
    rows = pairs(("q", "a" * 200), ("where?", "on its way")).with_columns(
        n=pl.Series([0, 1], dtype=pl.UInt32), key=pl.Series([1, 2], dtype=pl.UInt64)
    )
    outcome = apply(Ifd(model="lm"), rows, Context(step_id="x", root=root))
    assert outcome.ledger.select("n", "verdict", "reason").rows() == [
        (0, "failed", "too_long"),
        (1, "measured", None),
    ]
    assert outcome.measures is not None
    assert outcome.measures["n"].to_list() == [1]


def test_the_model_is_part_of_the_key_and_its_place_is_not(root: Path, tmp_path: Path) -> None:
    write_tiny_lm(tmp_path / "copy", steps=60)
    here, there = Ifd(model="lm"), Ifd(model="copy")
    assert here.outside(root, "") == there.outside(tmp_path, "")
    assert here.outside(root, "") != Ifd(model="marked").outside(root, "")
    with pytest.raises(MissingInput, match="no model at 'nowhere'"):
        Ifd(model="nowhere").outside(root, "")
