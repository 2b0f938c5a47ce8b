"""Secrets: what opens a door is found and redacted, what only looks like it is not.

The keys here are made up, and put together at run time so that no scanner takes them for true ones.
"""

from __future__ import annotations

import pytest

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons
from zhiling.curation.credentials import credentials, entropy_bits
from zhiling.curation.redact import Redact
from zhiling.curation.secrets import Secrets

RANDOM = "q7Zt2LmX9vB4nR8kW3yD6cJ1"
PEM = (
    "-----BEGIN RSA " + "PRIVATE KEY-----\n" + (RANDOM * 2 + "\n") * 3 + "-----END RSA " + "PRIVATE KEY-----"
)
JWT = ".".join(["ey" + "JhbGciOiJIUzI1NiJ9", "ey" + "JzdWIiOiI0MiJ9", RANDOM])

FOUND = [
    ("private_key", f"my key:\n{PEM}\nthanks", PEM),
    ("token", "use AKIA" + "QWERTYUIOP234567 for it", "AKIA" + "QWERTYUIOP234567"),
    ("token", "令牌ghp_" + RANDOM + "abcdefghijkl。", "ghp_" + RANDOM + "abcdefghijkl"),
    ("token", "xoxb-" + "123456789012-" + RANDOM, "xoxb-" + "123456789012-" + RANDOM),
    ("token", "key sk-" + "proj-" + RANDOM + " works", "sk-" + "proj-" + RANDOM),
    ("token", "AIza" + RANDOM + "abcdefghijk", "AIza" + RANDOM + "abcdefghijk"),
    ("token", "LTAI" + "5tQwErTyUiOp", "LTAI" + "5tQwErTyUiOp"),
    ("token", f"cookie={JWT}", JWT),
    ("token", f"Authorization: Bearer {RANDOM}", RANDOM),
    ("token", f"https://a.example/?access_token={RANDOM}&x=1", RANDOM),
    ("connection_string", "postgres://app:s3cret@db.example/x", "app:s3cret"),
    ("connection_string", f"AccountName=a;AccountKey={RANDOM}==;", RANDOM + "=="),
    ("assigned", f'API_KEY = "{RANDOM}"', RANDOM),
    ("assigned", f"密钥是{RANDOM}，请保密", RANDOM),
    ("assigned", f"client_secret: {RANDOM}", RANDOM),
    ("assigned", "password: hunter22", "hunter22"),
    ("assigned", "密码：abc12345，谢谢", "abc12345"),
    ("assigned", "登录密码为 Lamp2024x 。", "Lamp2024x"),
    ("assigned", "my password is Lamp-2024.", "Lamp-2024"),
    ("assigned", "口令是８８６６ab77。", "８８６６ab77"),
]
NOT_FOUND = [
    "The password must have 8 characters and a digit.",
    "密码为8位数字和字母",
    "忘记密码怎么办？请重置密码。",
    'password = os.environ["DB_PASSWORD2"]',
    "token = get_token2(user)",
    "password: <your_password1>",
    "API_KEY=your_api_key_goes_here_1234",
    "api key: xxxxxxxxxxxxxxxxxxxxxx1",
    "secret = aaaaaaaaaaaaaaaaaaaaaaaa",
    "password: [SECRET_1]",
    "max_tokens: 4096, token: 1",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "the token economy of 2024 is a secret: nobody knows",
    "sk-learn and sk-something-without-any-digit-in-it",
    "https://example.com/?id=1&page=2",
    "-----BEGIN CERTIFICATE-----\nabc",
    "git@github.com:a/b, mail a@example.com",
    "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
]


@pytest.mark.parametrize(("reason", "text", "secret"), FOUND)
def test_secrets_are_found_by_class_and_redacted(reason: str, text: str, secret: str) -> None:
    frame = pairs(("q", text))
    assert reasons(Secrets().decide(frame, CONTEXT)) == [reason]
    step = Redact(kinds=("secret",))
    made = step.make(frame.select("id", *step.reads()), CONTEXT)
    assert made.rows["messages"][0][1]["text"] == text.replace(secret, "[SECRET_1]")
    assert reasons(Secrets().decide(made.rows, CONTEXT)) == [None]


@pytest.mark.parametrize("text", NOT_FOUND)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    assert [text[found.start : found.end] for found in credentials(text)] == []


def test_one_secret_has_one_placeholder_beside_other_kinds() -> None:
    frame = pairs((f"token: {RANDOM}, mail a@example.com", f"got {RANDOM}? token: {RANDOM}"))
    step = Redact()
    made = step.make(frame.select("id", *step.reads()), CONTEXT)
    assert [turn["text"] for turn in made.rows["messages"][0]] == [
        "token: [SECRET_1], mail [EMAIL_1]",
        f"got {RANDOM}? token: [SECRET_1]",
    ]


def test_classes_and_verdict_are_settings_and_the_score_counts() -> None:
    frame = pairs((f"password: hunter22 {JWT}", "ok"), ("hi", "ok"))
    answer = Secrets(verdict="flag").decide(frame, CONTEXT)
    assert answer["verdict"].to_list() == ["flag", "keep"]
    assert answer["score"].to_list() == [2.0, 0.0]
    assert reasons(Secrets(classes=("private_key",)).decide(frame, CONTEXT)) == [None, None]
    assert Secrets().decide(empty(), CONTEXT).height == 0


def test_entropy_has_its_anchor_values() -> None:
    assert [entropy_bits(text) for text in ("aaaa", "abab", "abcd", "")] == [0.0, 1.0, 2.0, 0.0]


def test_what_it_does_not_catch() -> None:
    missed = pairs(("my password is swordfish", "密码就是我的生日"), ("it opens with hunter22", RANDOM))
    assert reasons(Secrets().decide(missed, CONTEXT)) == [None, None]


def test_a_megabyte() -> None:
    frame = pairs(("password: hunter22 " * 10_000, "-----BEGIN PRIVATE KEY-----" + "A-" * 400_000))
    answer = Secrets().decide(frame, CONTEXT)
    assert answer.row(0)[:3] == ("reject", "private_key", 10_001.0)
