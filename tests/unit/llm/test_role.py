"""Roles: what shapes replies is their identity, money is exact, and a key is never repeated."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from zhiling.errors import UsageError
from zhiling.llm.role import PICO, Price, Role, Secret

URL = "http://127.0.0.1:8000/v1"
KEY = "sk-planted-0123456789"
OTHER: dict[str, Any] = {
    "endpoint": [URL, "http://127.0.0.1:8001/v1"], "device": "cuda",
    "model": "other", "revision": "2", "key_env": "OTHER_KEY",
    "price": {"in": 1}, "extra": {"top_k": 5}, "max_tokens": 9, "max_tokens_field": "max_completion_tokens",
    "image_tokens": 3, "samples_per_call": 2, "stream": True, "rpm": 5, "tpm": 6, "parallel": 7,
    "timeout_s": 8, "patience_s": 9, "retries": 1, "outage_s": 2, "max_reply_mb": 3,
    "batch": True, "batch_poll_s": 5,
}  # fmt: skip


def role(**settings: Any) -> Role:
    return Role.model_validate({"endpoint": URL, "model": "m"} | settings)


def test_every_setting_changes_the_identity_or_says_why_not() -> None:
    assert set(OTHER) == set(Role.model_fields) - {"path"}
    base = role().identity("teacher")
    needs: dict[str, dict[str, Any]] = {"batch_poll_s": {"batch": True}}
    changed = {
        name
        for name, value in OTHER.items()
        if role(**{name: value}, **needs.get(name, {})).identity("teacher") != base
    }
    assert changed == set(OTHER) - set(Role.NOT_IDENTITY)
    assert {"model", "revision"} <= changed
    assert role().identity("judge") != base
    assert role().identity("teacher", "content of a folder") != base


def test_the_price_is_exact_in_whole_parts() -> None:
    price = Price.model_validate({"in": 0.1, "out": 0.6})
    assert price.pico(1, 0) == PICO // 10**7
    assert price.pico(3_000_000, 1_000_000) == round(0.9 * PICO)
    assert Price.model_validate({"in": 1e-7}).pico(1, 0) == 1  # a part of a part is a whole one


@pytest.mark.parametrize(
    "settings",
    [
        {"key_env": KEY},
        {"key_env": f"{KEY} "},
        {"endpoint": f"https://user:{KEY}@host/v1"},
        {"endpoint": [f"https://host/v1?api-key={KEY}"]},
    ],
)
def test_a_key_in_the_recipe_is_refused_without_being_repeated(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        role(**settings)
    assert "planted" not in str(caught.value)
    assert "key" in str(caught.value)
    assert all("planted" not in str(each["loc"]) + each["msg"] for each in caught.value.errors())
    assert all(each["loc"] == () for each in caught.value.errors())  # so no field's value is shown


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"endpoint": ()}, "either `endpoint`"),
        ({"path": "models/m"}, "either `endpoint`"),
        ({"model": ""}, "needs `model`"),
        ({"endpoint": "127.0.0.1:8000"}, "no URL of http"),
        ({"price": {"in": -1}}, "greater than or equal to 0"),
        ({"key": "x"}, "Extra inputs"),
    ],
)
def test_a_role_that_cannot_work_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        role(**settings)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHER_KEY", KEY)
    assert role().key() is None
    found = role(key_env="TEACHER_KEY").key()
    assert found is not None
    assert found.reveal() == KEY


@pytest.mark.parametrize("value", [None, "", "  ", "schlüssel", "two\nlines"])
def test_a_missing_or_broken_key_is_told_before_anything_is_sent(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("TEACHER_KEY", value)
    with pytest.raises(UsageError, match="TEACHER_KEY holds no key"):
        role(key_env="TEACHER_KEY").key()


def test_a_secret_shows_in_no_form() -> None:
    secret = Secret(KEY)
    assert KEY not in f"{secret} {secret!r} {[secret]}"
    assert secret.scrub(f"wrong key {KEY}!") == "wrong key [key]!"
    assert secret.scrub_bytes(KEY.encode()) == b"[key]"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_poll_s": 5},
        {"batch": True, "batch_poll_s": 5, "stream": True},
        {"batch": True, "batch_poll_s": 0},
    ],
)
def test_files_are_handed_over_only_where_they_are_written_and_come_whole(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="batch_poll_s"):
        role(**settings)
