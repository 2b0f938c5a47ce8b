"""A role of a recipe's `models`: which model, where it is reached, what it costs, how much it may be asked.

    models:
      teacher: {endpoint: ["http://127.0.0.1:8000/v1"], model: some-model, key_env: TEACHER_KEY}

A key stands in the environment, never here: what looks like one is refused without being repeated.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, ClassVar, cast
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from zhiling.errors import UsageError
from zhiling.llm.device import Device
from zhiling.pipeline.fingerprint import canonical
from zhiling.rows.schema import digest

PICO = 10**12
"""Money is counted in whole millionths of a millionth of a dollar, so that sums are exact."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_FIELDS = re.compile(r"key|token|secret|password|signature", re.IGNORECASE)


class Secret:
    """A key that prints as `[key]`, so that no log, error or dump can hold it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "[key]"

    def __reduce__(self) -> Any:
        raise TypeError("a key is not written to any file")

    def reveal(self) -> str:
        """The key itself, for the one header that needs it."""
        return self._value

    def scrub(self, text: str) -> str:
        """The text with every copy of the key replaced: servers like to repeat it in their errors."""
        return text.replace(self._value, "[key]")

    def scrub_bytes(self, data: bytes) -> bytes:
        """The same for an answer that has not been read yet."""
        return data.replace(self._value.encode(), b"[key]")


class Price(BaseModel):
    """US dollars per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    input: float = Field(default=0.0, ge=0, alias="in", description="USD per million tokens of prompts")
    output: float = Field(default=0.0, ge=0, alias="out", description="USD per million tokens of replies")

    def pico(self, prompt: int, completion: int) -> int:
        """What so many tokens cost, in 1e-12 USD, rounded up per token."""
        return prompt * _pico(self.input) + completion * _pico(self.output)


@lru_cache
def _pico(per_million: float) -> int:
    return -int(-per_million * (PICO // 10**6) // 1)


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class Role(BaseModel):
    """A model as a recipe names it; endpoints of one role are replicas of the same model.

    The identity of a role is its name, its model and what shapes replies. Not its endpoints: a replica more
    changes no reply. Where an endpoint serves other weights under the old name, change `revision`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    NOT_IDENTITY: ClassVar[Mapping[str, str]] = {
        "endpoint": "replicas serve the same model",
        "path": "the content of the folder counts, not where it lies",
        "device": "it rounds otherwise, and changes no weight",
        "key_env": "who pays changes no reply",
        "price": "what a reply costs does not change it",
        "rpm": "pace", "tpm": "pace", "parallel": "pace", "samples_per_call": "pace",
        "timeout_s": "patience", "patience_s": "patience", "retries": "patience", "outage_s": "patience",
        "stream": "how a reply travels", "batch": "as well", "batch_poll_s": "as well",
        "max_reply_mb": "what is too large has no reply",
        "max_tokens": "it stands in every request", "extra": "as well",
        "max_tokens_field": "how a limit is spelt", "image_tokens": "an estimate of cost",
    }  # fmt: skip

    endpoint: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=(), description="base URLs up to `/v1`; several are replicas of the same model"
    )
    path: str | None = Field(default=None, description="folder of a local model, instead of an endpoint")
    device: Device = Field(default="cpu", description="where a local model runs")
    model: str = Field(default="", description="the model's name at the endpoint")
    revision: str = Field(default="", description="change it when the same name serves another model")
    key_env: str | None = Field(default=None, description="environment variable that holds the key")
    price: Price = Field(default=Price(), description="USD per million tokens: {in: 0.2, out: 0.6}")
    extra: dict[str, Any] = Field(default_factory=dict, description="further fields of every request's body")
    max_tokens: int = Field(default=1024, ge=1, description="longest reply where a step does not say")
    max_tokens_field: str = Field(
        default="max_tokens", pattern="^max_(completion_)?tokens$", description="its name"
    )
    image_tokens: int = Field(default=2048, ge=0, description="most tokens that a picture costs")
    samples_per_call: int = Field(
        default=8, ge=1, description="samples asked for in one request; 1: server has no n"
    )
    stream: bool = Field(default=False, description="ask for replies piece by piece")
    batch: bool = Field(
        default=False, description="write requests into batch files, and pause until their answers are read"
    )
    batch_poll_s: float | None = Field(
        default=None, gt=0,
        description="with `batch`: hand the files to the endpoint and look every so many seconds whether they"
        " are answered; null: you do that",
    )  # fmt: skip
    rpm: int | None = Field(default=None, ge=1, description="requests a minute and host")
    tpm: int | None = Field(default=None, ge=1, description="tokens a minute and host")
    parallel: int = Field(default=256, ge=1, description="most requests at once and endpoint")
    timeout_s: float = Field(default=120.0, gt=0, description="longest wait for one answer")
    patience_s: float = Field(
        3600.0, gt=0, description="longest wait for one request, all its tries together"
    )
    retries: int = Field(default=5, ge=0, description="tries after the first, beside those after a 429")
    outage_s: float = Field(
        default=60.0, ge=0, description="how long all endpoints may be away before the run stops"
    )
    max_reply_mb: float = Field(default=32.0, gt=0, description="largest answer that is read")

    @model_validator(mode="before")
    @classmethod
    def _holds_no_secret(cls, value: Any) -> Any:
        """Looks at the whole, because an error about one field would show what stands in it."""
        if isinstance(value, dict):
            given = cast(dict[str, Any], value)
            variable = given.get("key_env")
            if variable is not None and not (isinstance(variable, str) and _VARIABLE.fullmatch(variable)):
                raise ValueError("key_env is the name of an environment variable, not the key itself")
            for url in _listed(given.get("endpoint")) or ():
                _check_url(url)
        return cast(Any, value)

    @model_validator(mode="after")
    def _is_reachable(self) -> Role:
        if bool(self.endpoint) == bool(self.path):
            raise ValueError("a role needs either `endpoint` (URLs) or `path` (folder of a local model)")
        if self.endpoint and not self.model:
            raise ValueError("a role with an `endpoint` needs `model`, its name there")
        if self.batch_poll_s and (not self.batch or self.path or self.stream):
            raise ValueError("`batch_poll_s` needs `batch: true` and an `endpoint`, and no `stream`")
        return self

    def identity(self, name: str, content: str = "") -> str:
        """The hash of what shapes this role's replies; `content` is the hash of a local model's files."""
        return digest(
            canonical([name, content, self.model_dump(mode="json", exclude=set(self.NOT_IDENTITY))])
        )

    def shape(self, name: str, content: str = "") -> str:
        """The hash of what shapes the result of a step that asks it: its identity, and what requests hold."""
        return digest(canonical([self.identity(name, content), self.max_tokens, self.extra]))

    def key(self) -> Secret | None:
        """The key, from the environment; None where the role needs none.

        Raises:
            UsageError: the variable is not set.
        """
        if self.key_env is None:
            return None
        value = os.environ.get(self.key_env, "").strip()
        if not value or not value.isascii() or not value.isprintable():
            raise UsageError(
                f"environment variable {self.key_env} holds no key",
                hint=f"set it before the run: export {self.key_env}=...",
            )
        return Secret(value)


def _check_url(url: Any) -> None:
    parts = urlsplit(url if isinstance(url, str) else "")
    if (
        parts.username
        or parts.password
        or any(_SECRET_FIELDS.search(name) for name, _ in parse_qsl(parts.query))
    ):
        raise ValueError("an endpoint holds no key: put it into the environment and name it in key_env")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"endpoint {url!r} is no URL of http or https, such as http://127.0.0.1:8000/v1")
