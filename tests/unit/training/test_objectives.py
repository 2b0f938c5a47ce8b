"""Losses against their formula and anchors; one step of an optimiser against its equation."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from zhiling.training.objectives import cross_entropy  # noqa: E402
from zhiling.training.optimisers import build_optimiser, build_schedule  # noqa: E402
from zhiling.training.settings import TrainSettings  # noqa: E402


@pytest.mark.parametrize("classes", [2, 24])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equal_logits_give_ln_k(classes: int, smoothing: float) -> None:
    loss = cross_entropy(torch.zeros(3, classes), torch.tensor([0, 1, 1]), smoothing)
    assert loss.item() == pytest.approx(math.log(classes))


def test_certainty_gives_zero() -> None:
    assert cross_entropy(torch.tensor([[100.0, 0.0]]), torch.tensor([0])).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_cross_entropy_equals_the_library(smoothing: float) -> None:
    logits, targets = torch.randn(16, 5), torch.randint(5, (16,))
    expected = torch.nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing)
    assert cross_entropy(logits, targets, smoothing).item() == pytest.approx(expected.item(), abs=1e-6)


def test_the_gradient_is_p_minus_q_over_n() -> None:
    logits, targets = torch.randn(4, 3, requires_grad=True), torch.tensor([0, 1, 2, 0])
    cross_entropy(logits, targets, 0.3).backward()
    wanted = 0.7 * torch.nn.functional.one_hot(targets, 3) + 0.1
    assert torch.allclose(logits.grad, (logits.softmax(1) - wanted).detach() / 4, atol=1e-6)


def test_one_sgd_step_with_decay_follows_its_equation() -> None:
    settings = TrainSettings(
        features="ngrams", optimiser="sgd", learning_rate=0.1, weight_decay=0.5, encoder_learning_rate=1.0
    )
    model = torch.nn.Linear(4, 3)
    weight, bias = model.weight.detach().clone(), model.bias.detach().clone()
    cross_entropy(model(torch.randn(8, 4)), torch.randint(3, (8,))).backward()
    build_optimiser(model, settings).step()
    assert torch.allclose(model.weight, weight - 0.1 * model.weight.grad - 0.1 * 0.5 * weight, atol=1e-6)
    assert torch.allclose(model.bias, bias - 0.1 * model.bias.grad, atol=1e-6)


def test_norms_and_biases_get_no_decay_and_the_encoder_its_own_rate() -> None:
    model = torch.nn.ModuleDict(
        {
            "network": torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LayerNorm(2)),
            "head": torch.nn.Linear(2, 2),
        }
    )
    model["head"].bias.requires_grad_(False)
    settings = TrainSettings(
        features="ngrams", learning_rate=0.1, encoder_learning_rate=0.2, weight_decay=0.3
    )
    groups = {
        (group["lr"], group["weight_decay"]): len(group["params"])
        for group in build_optimiser(model, settings).param_groups
    }
    assert groups == {(0.2, 0.3): 1, (0.2, 0.0): 3, (0.1, 0.3): 1}


def test_the_rate_rises_and_falls() -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = build_schedule(optimiser, steps=10, warmup=0.2)
    rates = []
    for _ in range(10):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert rates[:2] == [0.5, 1.0]
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert rates[-1] == pytest.approx(1 / 8)
    assert optimiser.param_groups[0]["lr"] == 0
