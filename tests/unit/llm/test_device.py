"""Where a network may run: probed, and refused with a reason."""

from __future__ import annotations

import pytest

from zhiling.errors import UsageError
from zhiling.llm import device

torch = pytest.importorskip("torch")


def test_slow_numbers_are_refused_and_usable_ones_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "bfloat16_slowdown", lambda: 80.0)
    with pytest.raises(UsageError, match="needs 80 times as long"):
        device.placed(torch.nn.Linear(2, 2), "cpu", "bfloat16")
    monkeypatch.setattr(device, "bfloat16_slowdown", lambda: 0.5)
    assert device.placed(torch.nn.Linear(2, 2), "cpu", "bfloat16").weight.dtype == torch.bfloat16


def test_the_probe_gives_a_ratio() -> None:
    assert device.bfloat16_slowdown() > 0
