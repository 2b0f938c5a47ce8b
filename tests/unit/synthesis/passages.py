"""Passages of small documents in two languages, as the source `documents` gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from zhiling.pipeline.step import Context, Made, Make
from zhiling.rows.schema import ROW, conform
from zhiling.sources.documents import Documents

KETTLE = """\
# Kettle

The kettle boils water for up to four cups. It needs a socket with a fuse of its own.

## Descaling

1. Fill the kettle with 500 ml of water and 30 g of citric acid.
2. Boil the water once.
3. Let it stand for **20 minutes**.
4. Pour the water away and rinse the kettle twice.

Descale the kettle every 3 months; hard water needs it every 6 weeks.

## Lights

| Colour | Meaning | What to do |
|---|---|---|
| Blue | it heats | wait |
| Amber | it keeps warm | press `Off` |
| Red | it ran dry | fill it and wait for 10 minutes |

## Words

Limescale is a white crust that hard water leaves.
Residual heat means the warmth of the plate after switching off.

- **Lid**: opens with the button on the handle.
- Filter: keeps crumbs of limescale out of the cup.

## Can I boil milk?

No. Milk burns at the heater and cannot be washed off.
"""

KETTLE_ZH = """\
# 电水壶

这款水壶一次能烧四杯水，要单独用一个插座。

## 除垢步骤

1、往壶里倒入 500 毫升水和 30 克柠檬酸。
2、把水烧开一次。
3、静置 **20 分钟**。
4、把水倒掉，再冲洗两遍。

一般每 3 个月除垢一次，水质硬的地方每 6 个星期一次。

## 指示灯

| 颜色 | 含义 | 处理 |
|---|---|---|
| 蓝色 | 正在加热 | 等待 |
| 橙色 | 正在保温 | 按“关”键 |
| 红色 | 已经烧干 | 加水后等 10 分钟 |

## 名词

水垢是指硬水留下的白色硬壳。余热是一种断电之后仍留在底盘上的热量。

- **壶盖**：按手柄上的按钮打开。
- 滤网：不让水垢碎屑进到杯子里。

## 可以用来煮牛奶吗？

不可以。牛奶会粘在加热盘上，洗不掉。
"""


def passages(root: Path, documents: Mapping[str, str]) -> pl.DataFrame:
    """The passages of these documents (file name → Markdown) as a step gets them."""
    for name, text in documents.items():
        (root / name).write_text(text, encoding="utf-8")
    batches = list(Documents(path="*").read([root / name for name in sorted(documents)], root))
    rows = pl.concat([batch.rows for batch in batches])
    own = conform(rows.select(name for name in rows.columns if name in ROW))
    ids = pl.Series("id", [f"{number:032x}" for number in range(rows.height)])
    return own.with_columns(ids, rows["group"], rows["locator"])


def manuals(root: Path) -> pl.DataFrame:
    """The passages of both manuals."""
    return passages(root, {"kettle.md": KETTLE, "水壶.md": KETTLE_ZH})


def made_by(step: Make, rows: pl.DataFrame, *, seed: int = 1) -> Made:
    """What the step makes of the rows that it is about."""
    mask = step.applies(rows)
    return step.make(rows if mask is None else rows.filter(mask), Context(step_id="s", seed=seed))


def told(rows: pl.DataFrame) -> list[tuple[Sequence[str], dict[str, Any]]]:
    """The texts of each row, and its target."""
    texts = [[message["text"] for message in messages] for messages in rows["messages"].to_list()]
    return list(zip(texts, map(json.loads, rows["target"].to_list()), strict=True))
