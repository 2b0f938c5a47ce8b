"""Cards show what was measured, and say so where nothing was."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tools import error_rates as tool
from zhiling.workflow.cards import card
from zhiling.workflow.error_rates import ErrorRate


def test_a_measured_step_shows_shares_with_interval_and_data() -> None:
    found = card("boilerplate")
    languages = {rate.id.rpartition(".")[2] for rate in found.error_rates}
    assert {"en", "zh"} <= languages
    text = found.render().partition("Error rates:")[2]
    for rate in found.error_rates:
        assert f"{rate.value:.4g}" in text
        assert rate.what in text


def test_a_step_without_truth_says_so() -> None:
    assert card("sample").error_rates == ()
    assert card("sample").render().endswith("Error rates: no public truth here")


def test_settings_that_can_be_calibrated_are_named() -> None:
    assert card("threshold").calibrates == ("at_least", "at_most")
    assert "Can be calibrated: at_least" in card("truncated").render()
    assert "Can be calibrated" not in card("exact_dedup").render()


def test_a_rate_is_one_line() -> None:
    rate = ErrorRate("x.1", "recall", 0.9512, 0.94, 0.96, 1234, "set", "few rows")
    assert str(rate) == "recall: 0.9512 [0.94, 0.96] of 1,234 (set); few rows"
    assert str(ErrorRate("x.1", "recall", 1.0)) == "recall: 1"


@pytest.mark.parametrize(
    ("row", "step"),
    [
        ({"id": "curation.rules.role_leak.zh"}, "role_leak"),
        ({"id": "curation.9b"}, "injection"),
        ({"id": "curation.9b", "step": "secrets"}, "secrets"),
        ({"id": "curation.toxicity.zh", "what": "`toxicity`: flagged of natural rows"}, "toxicity"),
        ({"id": "sources.5", "what": "`tables`: rows read"}, None),
        ({"id": "curation.10"}, None),
        ({"id": "spine.1"}, None),
    ],
)
def test_a_row_names_its_step(row: dict[str, str], step: str | None) -> None:
    assert tool.step_of({"what": "share found", **row}) == step


def test_only_shares_are_error_rates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    common = {
        "what": '`pairing`: 找到的错配 "x"',
        "value": 0.5,
        "low": None,
        "high": None,
        "n": 9,
        "data": "",
        "note": "",
    }
    rows = [{"id": "curation.5a", "unit": "AUROC", **common}, {"id": "curation.5b", "unit": "s", **common}]
    (tmp_path / "curation.json").write_text(json.dumps({"rows": rows}), encoding="utf-8")
    monkeypatch.setattr(tool, "RESULTS", tmp_path)
    assert tomllib.loads(tool.text()) == {
        "pairing": [{"id": "curation.5a", "what": '找到的错配 "x"', "value": 0.5, "n": 9}]
    }


def test_columns_are_told_of_steps_with_required_settings_too() -> None:
    assert card("ifd").columns["score"] == "Float64"
    assert card("select").columns == {"represents": "Float64"}
