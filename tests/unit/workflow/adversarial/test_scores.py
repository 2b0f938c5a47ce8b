"""What the answers of arms say: paired intervals, equal samples for diversity, and all of it in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from zhiling.adversarial.guards.rules import Alarm
from zhiling.encoders.hashing import HashingEncoder
from zhiling.evaluation.scores import Difference, Interval, verdict
from zhiling.workflow.adversarial import text
from zhiling.workflow.adversarial.arms import ARMS, chosen
from zhiling.workflow.adversarial.compare import Comparison
from zhiling.workflow.adversarial.page import render
from zhiling.workflow.adversarial.scores import ArmScore, Scored
from zhiling.workflow.adversarial.trials import SeedTrials, Trial
from zhiling.workflow.inspect.words import load_table

ENCODER = HashingEncoder(buckets=64)
ROWS = 200
NO_ROWS = pl.DataFrame(schema={"text": pl.String, "label": pl.String})


def seed_trials(
    seed: int, right: Mapping[str, float], failed: Sequence[str] = (), made: Mapping[str, int] | None = None
) -> SeedTrials:
    """Arms with this share of right answers; equal shares are the same rows."""
    names = [f"row {number}" for number in range(ROWS)]
    tested = pl.DataFrame({"unit": names, "owner": names, "text": names, "label": ["卡"] * ROWS})
    trials = {
        name: Trial(name, seed, "failed", "the teacher is gone")
        if name in failed
        else Trial(
            name, seed, "done", rows=10, judged=4, wrong=1, cpu_s=2.0, calls=3,
            answers=tuple("卡" if place < share * ROWS else "card" for place in range(ROWS)),
        )
        for name, share in right.items()
    }  # fmt: skip
    written = {
        name: pl.DataFrame(
            {"text": [f"{name} {n} 你好 {n % 7}" for n in range(count)], "label": ["卡"] * count}
        )
        for name, count in (made or {}).items()
    }
    return SeedTrials(seed, tested, 20, 100, 10, trials, dict.fromkeys(right, NO_ROWS) | written)


def scored(*seeds: SeedTrials) -> dict[str, ArmScore]:
    return {arm.arm: arm for arm in Scored(seeds, ENCODER).arms()}


def test_an_arm_with_the_control_s_answers_differs_by_exactly_nothing() -> None:
    arms = scored(
        *(seed_trials(seed, {"seeds_only": 0.6, "filter_once": 0.6, "loop": 0.6}) for seed in (1, 2))
    )
    told = arms["loop"].differences["filter_once"]
    assert (told.mean, told.low, told.high, told.verdict) == (0, 0, 0, "no difference")


def test_a_better_arm_is_better_than_both_controls() -> None:
    arms = scored(
        *(seed_trials(seed, {"seeds_only": 0.5, "filter_once": 0.7, "loop": 0.9}) for seed in (1, 2))
    )
    loop = arms["loop"]
    assert loop.accuracy is not None
    assert loop.accuracy.mean == pytest.approx(0.9)
    assert loop.accuracy.low < 0.9 < loop.accuracy.high
    assert [each.verdict for each in loop.differences.values()] == ["better", "better"]
    assert loop.differences["filter_once"].mean == pytest.approx(0.2)
    assert (loop.rows, loop.wrong, loop.cpu_s, loop.calls) == (10, 0.25, 2, 3)
    assert "seeds_only" not in arms["seeds_only"].differences


def test_a_difference_is_of_the_seeds_that_both_arms_finished() -> None:
    arms = scored(
        seed_trials(1, {"seeds_only": 0.5, "filter_once": 0.5, "loop": 0.5}, failed=["loop"]),
        seed_trials(2, {"seeds_only": 0.6, "filter_once": 0.6, "loop": 0.8}),
    )
    assert arms["loop"].seeds == 1
    assert arms["loop"].note == "the teacher is gone"
    assert arms["loop"].differences["seeds_only"].mean == pytest.approx(0.2)
    assert arms["seeds_only"].accuracy is not None
    assert arms["seeds_only"].accuracy.mean == pytest.approx(0.55)


def test_an_arm_that_never_finished_has_no_score_and_says_why() -> None:
    arms = scored(seed_trials(1, {"seeds_only": 0.5, "filter_once": 0.5, "loop": 1}, failed=["loop"]))
    assert (arms["loop"].state, arms["loop"].accuracy, arms["loop"].note) == (
        "failed",
        None,
        "the teacher is gone",
    )


def test_rows_of_one_group_are_drawn_together() -> None:
    alone = seed_trials(1, {"seeds_only": 0.5, "filter_once": 0.5})
    pairs = pl.Series("owner", [f"group {place // 50}" for place in range(ROWS)])
    together = replace(alone, tested=alone.tested.with_columns(pairs))
    widths = []
    for each in (alone, together):
        accuracy = scored(each)["seeds_only"].accuracy
        assert accuracy is not None
        widths.append(accuracy.high - accuracy.low)
    assert widths[1] > 3 * widths[0]


def test_diversity_is_of_as_many_rows_of_every_arm() -> None:
    right = {"seeds_only": 0.5, "filter_once": 0.5, "loop": 0.5, "eda": 0.5}
    made = {"filter_once": 30, "loop": 90, "eda": 5}
    arms = scored(seed_trials(1, right, made=made))
    same = scored(seed_trials(1, right, made={**made, "loop": 30}))
    assert arms["filter_once"].distinct == same["filter_once"].distinct
    assert arms["loop"].vendi is not None
    assert arms["loop"].vendi <= 30
    assert (arms["eda"].distinct, arms["seeds_only"].vendi) == (None, None)


def arm(name: str, kind: str, low: float, high: float, **more: object) -> ArmScore:
    middle = (low + high) / 2
    found = Difference(middle, low, high, verdict(low, high))
    return ArmScore(
        name, kind, False, "done", seeds=2, accuracy=Interval(0.8, 0.75, 0.85),
        differences={"seeds_only": found, "filter_once": found}, **more,
    )  # type: ignore[arg-type]  # fmt: skip


def comparison(*arms: ArmScore) -> Comparison:
    return Comparison(
        Path("runs/adversarial/x"), "toy", (1, 2), (20, 21), (30, 30), (100, 100), (7, 9), asked=False,
        accepted=(7, 0), arms=arms,
    )  # fmt: skip


ALARM = Alarm(2, "distinct", 0.4, 0.8, "stop")
SEVERAL = comparison(
    arm("seeds_only", "control", -0.1, 0.1),
    arm("loop", "mode", 0.01, 0.05),
    arm("without_rejection", "mode", -0.01, 0.05),
    arm("combined", "mode", -0.05, -0.01),
    replace(arm("eda", "baseline", -0.1, 0.1), draws=True),
    ArmScore("oracle", "baseline", True, "left_out", "no_truth"),
    ArmScore("gan_bert", "mode", False, "failed", "the teacher is <gone>"),
    arm("self_consuming", "collapse", -0.2, -0.1, alarms=(ALARM, None)),
)


def test_what_does_not_beat_its_control_is_told_in_words() -> None:
    told = list(text.notes(SEVERAL, text.words_of("en")))
    assert "loop beats filter once: +.030 [+.010, +.050]." in told
    assert "no rejection does not beat filter once: +.020 [-.010, +.050], no difference is shown." in told
    assert "loop+propagation does not beat seeds only, it is worse: -.030 [-.050, -.010]." in told
    assert any(line.startswith("true labels: left out, no line has a label") for line in told)
    assert any(line.startswith("GAN-BERT: failed, the teacher is <gone>") for line in told)
    assert any(
        "stopped by the guards with 1 of 2 seeds (round 2: different word pairs" in line for line in told
    )
    assert any("NOT stopped with 1 of the seeds" in line for line in told)
    assert any("(EDA) take 7–9 rows" in line for line in told)
    assert any(line.startswith("With 1 of 2 seeds the loop accepted no row") for line in told)
    assert any(line.startswith("41 test rows are few") for line in told)


def test_the_same_is_told_in_chinese() -> None:
    told = list(text.notes(SEVERAL, text.words_of("zh")))
    assert "“不拒绝采样”没有胜过“过滤一次”：+.020 [-.010, +.050]，看不出差别。" in told
    assert any(line.startswith("真实标签：未做，") for line in told)
    assert len(told) == len(list(text.notes(SEVERAL, text.words_of("en"))))


def test_every_arm_and_every_word_is_there_in_both_languages() -> None:
    table = load_table("zhiling.workflow.adversarial", "texts.yaml")
    assert set(table["arms"]) == {each.name for each in ARMS}
    for section in table.values():
        assert all(set(words) == {"en", "zh"} for words in section.values())


def test_a_line_has_a_cell_a_column_and_arms_without_a_score_have_no_line() -> None:
    words = text.words_of("en")
    lines = text.lines(SEVERAL, words)
    assert {len(line) for line in lines} == {len(text.header(words))}
    assert [line[0] for line in lines] == [
        "seeds only", "loop", "no rejection", "loop+propagation", "EDA", "self-consuming",
    ]  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_asks_no_host_and_escapes_what_it_shows(language: str) -> None:
    page = render(SEVERAL, language)
    assert "&lt;gone&gt;" in page
    assert "<gone>" not in page
    assert "src=" not in page
    assert "http" not in page.replace("http-equiv", "")
    for line in text.lines(SEVERAL, text.words_of(language)):
        assert f">{line[0]}</th>" in page


def test_the_controls_are_always_among_the_arms_in_their_order() -> None:
    assert [each.name for each in chosen(["loop"])] == ["seeds_only", "filter_once", "loop"]
    assert [each.name for each in chosen(["temperature"])][2:] == [
        each.name for each in ARMS if each.family == "temperature"
    ]
    assert chosen([]) == ARMS


def test_weights_without_a_row_of_a_seed_give_its_accuracy() -> None:
    one = seed_trials(1, {"seeds_only": 0.5, "filter_once": 0.5})
    score = Scored([one], ENCODER)._scorer("seeds_only", 0)
    assert score(np.zeros((1, ROWS))).tolist() == [0.5]
