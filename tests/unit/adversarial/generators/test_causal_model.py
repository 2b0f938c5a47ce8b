"""The small language model: it learns both languages, its draws repeat, and it says what it wrote wrongly."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from zhiling.adversarial.generators.causal_model import Fault, LanguageModel, LanguageModelSettings
from zhiling.adversarial.generators.updates.raft import Raft
from zhiling.adversarial.generators.updates.rule import Judged
from zhiling.adversarial.generators.vocabulary import Vocabulary
from zhiling.errors import StepFailed, UsageError

ROWS = {
    "card": ["my card is lost", "i lost the card", "the card was stolen", "the card is gone"],
    "parcel": ["where is my parcel", "the parcel is late", "has the parcel left", "my parcel is broken"],
    "卡": ["银行卡丢了", "我的卡不见了", "卡被偷了", "卡找不到了"],
    "包裹": ["包裹在哪里", "包裹还没有到", "包裹坏了", "我的包裹呢"],
}
TEXTS = [text for texts in ROWS.values() for text in texts]
LABELS = [label for label, texts in ROWS.items() for _ in texts]
TINY = LanguageModelSettings(
    layers=1, width=64, vocabulary=400, longest=24, pretraining=60, tuning=160, learning_rate=6e-3
)

BRIEF = TINY.model_copy(update={"pretraining": 3, "tuning": 3})


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel.fit(TEXTS, LABELS, TINY, seed=0)


def test_a_label_is_written_in_its_own_language(model: LanguageModel) -> None:
    for label in ROWS:
        samples = model.sample([label] * 40, temperature=0.5, seed=1)
        fine = [each.text for each in samples if each.fault is None]
        assert len(fine) >= 30
        assert np.mean([text.isascii() == label.isascii() for text in fine]) >= 0.7


def test_a_text_is_likelier_under_its_own_label(model: LanguageModel) -> None:
    own = model.log_likelihood(TEXTS, LABELS)
    others = np.stack([model.log_likelihood(TEXTS, [label] * len(TEXTS)) for label in ROWS])
    assert own.dtype == np.float64
    assert (own < 0).all()
    assert np.mean(own >= others.max(axis=0)) >= 0.9


def test_likelihood_is_no_matter_of_company(model: LanguageModel) -> None:
    together = model.log_likelihood(TEXTS, LABELS)
    alone = [model.log_likelihood([text], [label])[0] for text, label in zip(TEXTS, LABELS, strict=True)]
    assert together == pytest.approx(alone, abs=1e-4)


def test_a_network_that_knows_nothing_is_surprised_by_the_number_of_tokens() -> None:
    untrained = LanguageModel.fit(TEXTS, LABELS, TINY.model_copy(update={"pretraining": 0, "tuning": 1}), 0)
    for weights in untrained.network.parameters():
        weights.data.zero_()
    tokens = untrained.vocabulary.size + 1
    read = len(untrained.vocabulary.encode("my card is lost").ids)
    found = untrained.log_likelihood(["my card is lost"], ["card"])[0]
    assert found == pytest.approx(-(read + 1) * np.log(tokens), rel=1e-6)


def test_seed_decides_weights_and_texts() -> None:
    one, again, other = (LanguageModel.fit(TEXTS, LABELS, BRIEF, seed=seed) for seed in (0, 0, 1))
    asked = ["card", "包裹"] * 10
    assert again.sample(asked, seed=5) == one.sample(asked, seed=5)
    assert other.sample(asked, seed=5) != one.sample(asked, seed=5)
    assert one.sample(asked, seed=6) != one.sample(asked, seed=5)


def test_the_state_of_others_generator_is_left_alone(model: LanguageModel) -> None:
    torch.manual_seed(3)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    model.sample(["card"], seed=1)
    model.tuned(["a card"], ["card"], 1, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_temperature_runs_from_one_text_to_noise(model: LanguageModel) -> None:
    cold, hot = (model.sample(["parcel"] * 30, temperature=value, seed=2) for value in (0.01, 10.0))
    assert len({each.text for each in cold}) == 1
    assert cold[0].fault is None
    assert len({each.text for each in hot}) == 30
    assert sum(each.fault is not None for each in hot) >= 20


def test_what_is_no_text_is_told(model: LanguageModel) -> None:
    end = model.vocabulary.size
    letters = model.vocabulary.encode("card").ids
    half = model.vocabulary.encode("鬱").ids[:1]
    faults = [model._sample(ids).fault for ids in ([end], letters, [*half, end], [*letters, end, end])]
    assert faults == [Fault.EMPTY, Fault.TRUNCATED, Fault.LOST_CHARACTERS, None]


def test_tuning_leaves_the_model_as_it_was(model: LanguageModel) -> None:
    before = model.log_likelihood(["the card is broken"], ["card"])
    after = model.tuned(["the card is broken"], ["card"], 30, seed=1)
    assert model.log_likelihood(["the card is broken"], ["card"]) == before
    assert after.log_likelihood(["the card is broken"], ["card"]) > before


def test_a_new_label_is_learnt_beside_those_known(model: LanguageModel) -> None:
    texts = ["the lock has no battery", "reset the lock", "门锁没有电池"]
    after = model.tuned([*TEXTS, *texts], [*LABELS, *["lock"] * 3], 40, seed=1)
    assert after.labels == (*model.labels, "lock")
    assert model.labels == tuple(sorted(ROWS))
    own = after.log_likelihood(texts, ["lock"] * 3)
    assert (own > after.log_likelihood(texts, ["card"] * 3)).all()
    assert len(after.sample(["lock", "card"], seed=1)) == 2


def test_a_label_hints_at_its_texts_before_it_is_learnt() -> None:
    untold = LanguageModel.pretrained(TEXTS, TINY, seed=0)
    told = untold.tuned(TEXTS, LABELS, 0, seed=0)
    own = told.log_likelihood(TEXTS, LABELS)
    others = np.stack([told.log_likelihood(TEXTS, [label] * len(TEXTS)) for label in ROWS])
    assert (own - others.mean(axis=0)).mean() > 0.1


def test_long_texts_are_learnt_without_an_end() -> None:
    long = ["word " * 200_000, "好" * 300_000, "a" * 1_000_000]
    model = LanguageModel.fit([*TEXTS, *long], [*LABELS, "card", "卡", None], BRIEF, seed=0)
    encoded = [model.vocabulary.encode(text) for text in long]
    assert all(len(each.ids) <= BRIEF.longest and not each.whole for each in encoded)
    assert np.isfinite(model.log_likelihood(long[:2], ["card", "卡"])).all()


@pytest.mark.parametrize(
    "text", [*TEXTS, "</s><s> <pad>", "a\x00b\n c", "𠀀𠮷 é 👨‍👩‍👧 أين", " two  spaces "]
)
def test_a_vocabulary_gives_every_text_back(text: str) -> None:
    vocabulary = Vocabulary.learn(TEXTS, 400, 200)
    ids, whole = vocabulary.encode(text)
    assert whole
    assert max(ids) < vocabulary.size
    assert vocabulary.decode(ids) == text


def test_characters_become_tokens_before_words_do() -> None:
    vocabulary = Vocabulary.learn(["门锁没有电池", "电池没电"] * 3, 300, 48)
    assert len(vocabulary.encode("锁池").ids) == 2


def test_few_rows_and_one_label_are_enough() -> None:
    model = LanguageModel.fit(["one", "二", "three"], ["a", "a", "a"], BRIEF, seed=0)
    assert len(model.sample(["a"] * 3)) == 3


@pytest.mark.parametrize(
    ("texts", "labels", "what"),
    [
        (["one"], [None], "none of 1 texts has a label"),
        ([], [], "none of 0 texts has a label"),
        (["one", " "], ["a", None], "is blank"),
        (["one", ""], ["a", "a"], "is blank"),
    ],
)
def test_what_cannot_be_learnt_is_refused(texts: list[str], labels: list[str | None], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        LanguageModel.fit(texts, labels, TINY, seed=0)


def test_an_unknown_label_is_named(model: LanguageModel) -> None:
    for act in (
        lambda: model.sample(["refund"]),
        lambda: model.log_likelihood(["a"], ["refund"]),
    ):
        with pytest.raises(UsageError, match="'refund'"):
            act()


def test_a_loss_that_is_no_number_stops(model: LanguageModel) -> None:
    broken = model.tuned(["a card"], ["card"], 1, seed=0)
    next(iter(broken.network.parameters())).data.fill_(float("nan"))
    with pytest.raises(StepFailed, match="learning_rate"):
        broken.tuned(["a card"], ["card"], 1, seed=0)


def test_raft_keeps_the_best_of_each_label() -> None:
    judged = Judged(
        list("abcdef"), ["x", "x", "x", "y", "y", "z"], np.array([0.1, 0.9, 0.5, np.nan, 0.2, np.nan])
    )
    assert Raft(keep=2).best(judged) == [1, 2, 4]
    assert Raft(keep=1).best(judged) == [1, 4]
    assert Raft().best(judged) == [0, 1, 2, 4]


def test_raft_makes_the_rewarded_likelier_and_forgets_no_real_text(model: LanguageModel) -> None:
    texts, labels = ["the card is late", "the card is where"], ["card", "card"]
    anchors = Judged(TEXTS, LABELS, np.ones(len(TEXTS)))
    after = Raft(keep=1).update(model, Judged(texts, labels, np.array([1.0, 0.0])), anchors, seed=1)
    gain = after.log_likelihood(texts, labels) - model.log_likelihood(texts, labels)
    assert gain[0] > max(gain[1], 0)
    assert after.log_likelihood(TEXTS, LABELS).mean() >= model.log_likelihood(TEXTS, LABELS).mean() - 0.1
