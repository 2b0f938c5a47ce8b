"""Connecting to a cluster: what is refused at once, and what the environment is like afterwards."""

from __future__ import annotations

import os
import socket

import pytest

from zhiling.errors import MissingInput
from zhiling.pipeline.engines import cluster


def test_an_address_where_nothing_listens_is_refused_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"  # bound, but nobody listens
        with pytest.raises(MissingInput, match=r"no Ray cluster at '127.0.0.1:\d+'") as told:
            cluster.cluster(address).__enter__()
    assert told.value.exit_code == 3


def test_variables_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLARS_MAX_THREADS", "3")
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    with cluster._environment({"POLARS_MAX_THREADS": "1", "RAY_AUTH_TOKEN": "x"}):
        assert os.environ["POLARS_MAX_THREADS"] == "1"
        assert os.environ["RAY_AUTH_TOKEN"] == "x"
    assert os.environ["POLARS_MAX_THREADS"] == "3"
    assert "RAY_AUTH_TOKEN" not in os.environ
