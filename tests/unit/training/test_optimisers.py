"""Every optimiser of torch is had or refused with a reason, and decay stays off biases and norms."""

from __future__ import annotations

import inspect

import pytest

torch = pytest.importorskip("torch")

from tests.labelled_rows import accuracy, labelled  # noqa: E402
from zhiling.training import TrainSettings, train  # noqa: E402
from zhiling.training.running.optimisers import build_optimiser  # noqa: E402
from zhiling.training.settings import OPTIMISERS, REFUSED_OPTIMISERS  # noqa: E402

ROWS = labelled()
RATES = {"adadelta": 1.0, "adagrad": 0.1, "asgd": 2.0, "sgd": 2.0}


def settings(**fields: object) -> TrainSettings:
    return TrainSettings.model_validate({"features": "ngrams", **fields})


def test_torch_has_no_other() -> None:
    found = {
        name.lower()
        for name, kind in vars(torch.optim).items()
        if inspect.isclass(kind) and issubclass(kind, torch.optim.Optimizer)
    }
    assert found - {"optimizer"} == set(OPTIMISERS) | set(REFUSED_OPTIMISERS)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_each_learns(name: str) -> None:
    chosen = settings(optimiser=name, learning_rate=RATES.get(name, 0.02), epochs=20, warmup=0)
    model = train(chosen, (ROWS, ROWS), seed=1, evaluate=accuracy)
    assert model.history[-1].loss < 0.9 * model.history[0].loss
    assert type(build_optimiser(torch.nn.Linear(2, 2), chosen)).__name__ == OPTIMISERS[name]


@pytest.mark.parametrize("name", OPTIMISERS)
def test_biases_get_no_decay(name: str) -> None:
    layer = torch.nn.Linear(2, 3)
    groups = build_optimiser(layer, settings(optimiser=name, weight_decay=0.5)).param_groups
    assert {len(group["params"][0].shape): group["weight_decay"] for group in groups} == {1: 0.0, 2: 0.5}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("adanw", "unknown optimiser 'adanw': did you mean 'adamw'"),
        ("lbfgs", "'lbfgs' cannot be used: it asks for the loss several times a step"),
        ("rprop", "'rprop' cannot be used: it has no weight decay"),
    ],
)
def test_another_is_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(optimiser=name)
