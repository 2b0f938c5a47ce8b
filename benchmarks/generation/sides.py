"""The clients that are compared: how each is started, and where it may write."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "spine")]

from measured import peer_python, versions  # noqa: E402

OURS, BARE = "zhiling", "aiohttp"
PEERS = {"openai": "openai", "curator": "bespokelabs-curator", "distilabel": "distilabel"}
"""A peer and its package."""
SIDES = (OURS, BARE, *PEERS)


def command(side: str, url: str, count: int, parallel: int, folder: Path) -> list[str]:
    """What starts a client that keeps what it keeps in `folder`."""
    python = peer_python(side) if side in PEERS else Path(sys.executable)
    kept = folder / "zhiling.sqlite" if side == OURS else folder
    return [str(python), str(HERE / f"client_{side}.py"), url, str(count), str(parallel), str(kept)]


def environment(folder: Path) -> dict[str, str]:
    """This process's, with every home and cache in `folder`, no telemetry and no way to a hub."""
    homes = {name: str(folder) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "HF_HOME")}
    silent = {"TELEMETRY_ENABLED": "false", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    offline = {"HF_HUB_OFFLINE": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    plain = {"CURATOR_DISABLE_RICH_DISPLAY": "1", "DISTILABEL_LOG_LEVEL": "WARNING"}
    return dict(os.environ) | homes | silent | offline | plain


def peer_versions() -> dict[str, str]:
    """The versions of the peers' packages."""
    return {side: versions(peer_python(side), [package])[package] for side, package in PEERS.items()}
