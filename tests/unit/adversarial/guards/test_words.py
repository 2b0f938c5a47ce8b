"""Every alarm has words in both languages."""

from __future__ import annotations

from typing import get_args

import pytest

from zhiling.adversarial.guards.rounds import Cause
from zhiling.adversarial.guards.rules import Alarm, Follows, Guard
from zhiling.adversarial.guards.words import told
from zhiling.errors import UnknownName


@pytest.mark.parametrize("guard", get_args(Guard))
@pytest.mark.parametrize("follows", get_args(Follows))
def test_every_guard_and_what_follows_has_words(guard: Guard, follows: Follows) -> None:
    alarm = Alarm(2, guard, 0.4512, 0.8, follows, "templates", ("谢谢", "please"))
    english, chinese = told(alarm, "en"), told(alarm, "zh")
    assert english.startswith("round 2: ")
    assert chinese.startswith("第 2 轮：")
    for line in (english, chinese):
        assert "None" not in line
        assert "{" not in line
        assert guard in ("budget", "unmeasured", "gone", "none_left") or ("0.451" in line and "0.8" in line)


def test_a_leak_names_generator_and_features() -> None:
    alarm = Alarm(3, "leak", 0.97, 0.95, "drop", "eda", ("谢谢", "please"))
    assert told(alarm, "en").endswith("by: 谢谢, please; eda is dropped")
    assert told(alarm, "zh").endswith("依据是：谢谢、please；停用 eda")


def test_missing_figures_are_named() -> None:
    alarm = Alarm(1, "unmeasured", 2, 0, "tell", features=("judged", "probes"))
    assert told(alarm, "en") == "round 1: not measured in this round: fresh judge, probes; told only"
    assert told(alarm, "zh") == "第 1 轮：本轮没有测量：新的判别器、探针；仅作提示"


@pytest.mark.parametrize("cause", get_args(Cause))
def test_why_a_generator_is_gone_is_told(cause: Cause) -> None:
    alarm = Alarm(2, "gone", 2, 0, "drop", "teacher", (cause,))
    assert cause not in told(alarm, "zh")
    assert told(alarm, "en").startswith("round 2: teacher could not write: ")
    assert told(alarm, "zh").endswith("；停用 teacher")


def test_another_language_is_refused() -> None:
    with pytest.raises(UnknownName, match="'fr'"):
        told(Alarm(1, "budget", 0, 0, "stop"), "fr")
