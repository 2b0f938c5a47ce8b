"""The two networks on vectors: labels are found, runs repeat, what goes wrong is said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

import torch

from tests.desk_lines import PARTS, desk
from zhiling.adversarial.generators.feature_gan import FeatureGan, FeatureGanSettings, log_fake, log_real
from zhiling.encoders.hashing import HashingEncoder
from zhiling.encoders.semi_supervised.seeds import Numbers, Seeds, Vectors, unit
from zhiling.errors import StepFailed

LABELS = list(PARTS)
ENCODER = HashingEncoder(buckets=512, longest=3)
SETTINGS = FeatureGanSettings(steps=60, hidden=32, learning_rate=3e-3)
KNOWN, OTHERS = desk(3, 15)


def read(rows: Sequence[tuple[str, str]]) -> tuple[Vectors, Numbers]:
    texts, labels = zip(*rows, strict=True)
    return ENCODER.encode(texts), np.array([LABELS.index(label) for label in labels])


SEEDS = Seeds(*read(KNOWN), len(LABELS))
VECTORS, TRUTH = read(OTHERS)


@pytest.mark.parametrize("fakes", [True, False])
def test_labels_are_found_in_both_languages(fakes: bool) -> None:
    gan = FeatureGan.fit(SEEDS, VECTORS, SETTINGS.model_copy(update={"fakes": fakes}), 0)
    scores = gan.scores(VECTORS)
    assert scores.shape == (len(OTHERS), len(LABELS))
    right = scores.argmax(axis=1) == TRUTH
    assert right.mean() > 0.9
    assert all(right[LABELS.index(label) == TRUTH].mean() > 0.6 for label in ("卡", "快递", "密码"))
    assert (gan.spread > 0.1) is fakes


def test_fakes_change_what_is_learnt_and_vectors_without_a_label_do() -> None:
    gan = FeatureGan.fit(SEEDS, VECTORS, SETTINGS, 0).scores(VECTORS)
    alone = SETTINGS.model_copy(update={"fakes": False})
    assert not np.allclose(gan, FeatureGan.fit(SEEDS, VECTORS, alone, 0).scores(VECTORS))
    assert not np.allclose(gan, FeatureGan.fit(SEEDS, VECTORS[:10], SETTINGS, 0).scores(VECTORS))
    ours, theirs = (FeatureGan.fit(SEEDS, each, alone, 0).scores(VECTORS) for each in (VECTORS, VECTORS[:10]))
    assert np.array_equal(ours, theirs), "without fakes they are not read"


def test_equal_seeds_give_equal_networks_and_leave_torch_as_it_was() -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    first, again, other = (
        FeatureGan.fit(SEEDS, VECTORS, SETTINGS, seed).scores(VECTORS) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_what_is_like_no_real_vector_is_rather_a_fake() -> None:
    gan = FeatureGan.fit(SEEDS, VECTORS, SETTINGS, 0)
    draws = np.random.default_rng(0)
    noise = unit(draws.normal(size=VECTORS.shape).astype(np.float32))
    with torch.inference_mode():
        real, unreal = (
            gan.network(torch.as_tensor(each) * each.shape[1] ** 0.5).softmax(dim=1)[:, -1].mean()
            for each in (VECTORS, noise)
        )
    assert 2 * real < unreal


def test_few_vectors_are_enough_and_one_is() -> None:
    two = Seeds(SEEDS.vectors[[0, 3]], np.array([0, 1]), 2)
    for count in (1, 2):
        assert FeatureGan.fit(two, VECTORS[:count], SETTINGS, 0).scores(VECTORS).shape == (len(OTHERS), 2)
    assert FeatureGan.fit(two, VECTORS, SETTINGS, 0).scores(VECTORS[:0]).shape == (0, 2)


@pytest.mark.parametrize("fakes", [True, False])
def test_losses_that_are_no_numbers_stop_it(fakes: bool) -> None:
    broken = Seeds(SEEDS.vectors * np.float32("nan"), SEEDS.numbers, SEEDS.classes)
    with pytest.raises(StepFailed, match=r"nan.* at step 0\n.*learning_rate"):
        FeatureGan.fit(broken, VECTORS, SETTINGS.model_copy(update={"fakes": fakes}), 0)


def test_weights_that_are_no_numbers_stop_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    step = torch.optim.AdamW.step

    def diverging(self: torch.optim.AdamW) -> None:
        step(self)
        for group in self.param_groups:
            group["params"][0].data.fill_(float("inf"))

    monkeypatch.setattr(torch.optim.AdamW, "step", diverging)
    with pytest.raises(StepFailed, match=r"no finite numbers after the last step\n.*learning_rate"):
        FeatureGan.fit(SEEDS, VECTORS, SETTINGS.model_copy(update={"steps": 1, "fakes": False}), 0)


def test_a_generator_that_does_not_hear_its_noise_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "randn", lambda *shape: torch.zeros(shape))
    with pytest.raises(StepFailed, match=r"one fake of every noise.*0\.0e\+00[\s\S]*fakes: false"):
        FeatureGan.fit(SEEDS, VECTORS, SETTINGS, 0)


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=2, max_size=6))
def test_real_and_fake_are_all_there_is(logits: list[float]) -> None:
    told = torch.tensor([logits])
    real, fake = log_real(told), log_fake(told)
    assert torch.isfinite(real).all()
    assert float(real.exp() + fake.exp()) == pytest.approx(1, abs=1e-3)
