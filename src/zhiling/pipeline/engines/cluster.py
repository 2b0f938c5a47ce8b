"""A connection to Ray: to a cluster that is there, or to one that this process starts and ends.

The one that it starts listens on the loopback address alone, asks for a token that only it knows, has no
dashboard, reports no usage and writes into a folder that is removed at the end. Without these settings Ray
listens on every address, writes a token into the home folder, and counts its use.
"""

from __future__ import annotations

import importlib
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zhiling.errors import MissingInput

_ALWAYS: Mapping[str, str] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_ANSWER_S = 10
_HINT = "start one with `ray start --head`, or leave --address (and RAY_ADDRESS) out"
# A worker is given one CPU: more threads in it only get in each other's way.
_WORKER: Mapping[str, str] = {"POLARS_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


@contextmanager
def cluster(address: str | None) -> Generator[Any]:
    """The module `ray`, connected.

    Args:
        address: `HOST:PORT` or `auto`; None: that of RAY_ADDRESS, else a cluster of its own.

    Raises:
        MissingInput: no cluster answers at the address.
    """
    address = address or os.environ.get("RAY_ADDRESS") or None
    if address in (None, "local"):
        with _own() as ray:
            yield ray
        return
    _answers(address)
    with _environment(_ALWAYS):
        ray: Any = importlib.import_module("ray")
        try:
            ray.init(
                address=address, log_to_driver=False, configure_logging=False,
                runtime_env={"env_vars": dict(_WORKER)},
            )  # fmt: skip
        except ConnectionError as error:
            raise MissingInput(
                f"no Ray cluster at {address!r}: {str(error).splitlines()[0]}",
                hint=_HINT,
            ) from error
        try:
            yield ray
        finally:
            ray.shutdown()


def _answers(address: str) -> None:
    """Refuses HOST:PORT where nothing listens at once; Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
    except OSError as error:
        raise MissingInput(f"no Ray cluster at {address!r}: {error}", hint=_HINT) from error


@contextmanager
def _own() -> Generator[Any]:
    """A cluster on this machine, for the length of the `with`."""
    folder = tempfile.mkdtemp(prefix="zhiling-")  # a short name: the paths of sockets end at 107 characters
    alone = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        # Ray's switch for the loopback address; its name tells where that is the default
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    with _environment({**_ALWAYS, **_WORKER, **alone}):
        ray: Any = importlib.import_module("ray")
        try:
            ray.init(
                address="local", include_dashboard=False, log_to_driver=False, configure_logging=False,
                _temp_dir=folder,
            )  # fmt: skip
            yield ray
        finally:
            ray.shutdown()
            shutil.rmtree(Path(folder), ignore_errors=True)


@contextmanager
def _environment(values: Mapping[str, str]) -> Generator[None]:
    """Sets variables that Ray and the processes that it starts read, and puts back what was there."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
