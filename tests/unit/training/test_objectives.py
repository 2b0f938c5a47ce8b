"""Losses against their formula and anchors; one step of an optimiser against its equation."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from zhiling.training.objectives import (  # noqa: E402
    any_of,
    binary_cross_entropy,
    contrastive,
    cross_entropy,
    focal,
    mean_squared_error,
    negative_log_likelihood,
)
from zhiling.training.running.optimisers import build_optimiser, build_schedule  # noqa: E402
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
    schedule = build_schedule(optimiser, 10, warmup=0.2)
    rates = []
    for _ in range(10):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert rates[:2] == [0.5, 1.0]
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert rates[-1] == pytest.approx(1 / 8)
    assert optimiser.param_groups[0]["lr"] == 0


@pytest.mark.parametrize(
    ("name", "middle"),
    [("linear", pytest.approx(5 / 8)), ("cosine", pytest.approx(0.6913, abs=1e-4)), ("constant", 1.0)],
)
def test_schedules_part_after_the_warm_up(name: str, middle: float) -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = build_schedule(optimiser, 10, warmup=0.2, schedule=name)
    for _ in range(5):
        optimiser.step()
        schedule.step()
    assert optimiser.param_groups[0]["lr"] == middle


def test_layers_below_move_less() -> None:
    layers = torch.nn.ModuleList(torch.nn.Linear(2, 2, bias=False) for _ in range(2))
    network = torch.nn.ModuleDict({"embeddings": torch.nn.Embedding(2, 2), "layer": layers})
    model = torch.nn.ModuleDict({"network": network})
    settings = TrainSettings(features="ngrams", encoder_learning_rate=1.0, layer_decay=0.5)
    rates = {
        tuple(map(id, group["params"])): group["lr"]
        for group in build_optimiser(model, settings).param_groups
    }
    wanted = {
        (id(network["embeddings"].weight),): 0.25,
        (id(layers[0].weight),): 0.5,
        (id(layers[1].weight),): 1,
    }
    assert rates == wanted


def test_binary_cross_entropy_and_its_gradient_follow_their_equations() -> None:
    told = torch.tensor([0.9, 0.2, 0.5], requires_grad=True)
    true = torch.tensor([1.0, 0.0, 1.0])
    loss = binary_cross_entropy(told, true)
    loss.backward()
    value = told.detach()
    assert loss.item() == pytest.approx(-(math.log(0.9) + math.log(0.8) + math.log(0.5)) / 3)
    assert torch.allclose(told.grad, -(true / value - (1 - true) / (1 - value)) / 3)
    assert binary_cross_entropy(torch.tensor([0.5]), torch.tensor([1.0])).item() == pytest.approx(math.log(2))


def test_mean_squared_error_and_its_gradient() -> None:
    told = torch.tensor([1.0, 4.0], requires_grad=True)
    mean_squared_error(told, torch.tensor([2.0, 2.0])).backward()
    assert torch.allclose(told.grad, torch.tensor([-1.0, 2.0]))
    assert mean_squared_error(torch.tensor([1.0, 3.0]), torch.tensor([2.0, 2.0])).item() == 1


def test_negative_log_likelihood_of_a_log_softmax_is_the_cross_entropy() -> None:
    logits, targets = torch.randn(6, 4), torch.randint(4, (6,))
    found = negative_log_likelihood(logits.log_softmax(dim=1), targets)
    assert found.item() == pytest.approx(cross_entropy(logits, targets).item(), abs=1e-6)
    assert negative_log_likelihood(
        torch.log(torch.full((1, 4), 0.25)), torch.tensor([2])
    ).item() == pytest.approx(math.log(4))


def test_focal_is_cross_entropy_that_counts_easy_examples_less() -> None:
    logits, targets = torch.randn(6, 4), torch.randint(4, (6,))
    assert focal(logits, targets, 0.0).item() == pytest.approx(
        cross_entropy(logits, targets).item(), abs=1e-6
    )
    assert focal(torch.zeros(1, 2), torch.tensor([0])).item() == pytest.approx(math.log(2) / 4, abs=1e-6)


def test_contrastive_without_a_difference_is_the_logarithm_of_the_keys() -> None:
    same = torch.nn.functional.normalize(torch.ones(5, 3), dim=1)
    assert contrastive(same[:2], same).item() == pytest.approx(math.log(5), abs=1e-5)
    apart = torch.eye(3)
    assert contrastive(apart, apart).item() == pytest.approx(0, abs=1e-6)


def test_class_weights_lift_a_rare_class() -> None:
    logits, targets = torch.zeros(3, 2), torch.tensor([0, 0, 1])
    weighted = cross_entropy(logits, targets, weights=torch.tensor([0.75, 1.5]))
    assert weighted.item() == pytest.approx(math.log(2), abs=1e-6)


def test_any_of_at_its_anchors_and_its_gradient() -> None:
    even, one = torch.zeros(2, 5, requires_grad=True), torch.eye(5, dtype=torch.bool)[:2]
    assert any_of(even, one).item() == pytest.approx(math.log(5))
    assert any_of(even, torch.ones(2, 5, dtype=torch.bool)).item() == pytest.approx(0)
    logits = torch.tensor([[0.3, -1.0, 2.0, float("-inf")]], requires_grad=True)
    right = torch.tensor([[True, False, True, False]])
    loss = any_of(logits, right)
    loss.backward()
    p = logits.detach().softmax(dim=1)
    assert loss.item() == pytest.approx(-math.log(float(p[right].sum())), abs=1e-6)
    assert torch.allclose(logits.grad, p - p * right / p[right].sum())


def test_any_of_with_one_right_class_is_the_cross_entropy() -> None:
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([0, 1, 2, 3, 0, 1])
    right = torch.nn.functional.one_hot(targets, 4).bool()
    assert any_of(logits, right).item() == pytest.approx(cross_entropy(logits, targets).item())
