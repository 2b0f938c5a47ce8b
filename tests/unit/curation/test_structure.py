"""Structure: fences, JSON and brackets."""

from __future__ import annotations

import pytest

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons
from zhiling.curation.structure import Structure
from zhiling.text.fences import Block, code_blocks


def fenced(language: str, code: str) -> str:
    return f"Here it is:\n```{language}\n{code}\n```\nDone."


SOUND = [
    "No code here.",
    fenced("python", 'print("a ) b")  # ( not closed here\nx = {1: [2, (3)]}'),
    fenced("python", '"""\nopen ( in a docstring\n"""\nf()'),
    fenced("js", "const re = /[({]/;\nf(`)${x}`); // )"),
    fenced("rust", "fn f<'a>(x: &'a str) -> char { '(' }"),
    fenced("java", 'char c = \')\'; String s = "\\"(";'),
    fenced("sql", "SELECT ')' -- (\nFROM t WHERE a IN (1, 2);"),
    fenced("bash", "case $x in\n a) echo 1;;\nesac"),
    fenced("", "a ( b"),
    fenced("json", '{"名": "灯", "n": [1, 2]}'),
    fenced("json", '{"a": 1}\n{"a": 2}\n'),
    fenced("jsonc", '{"a": 1, // one\n}'),
    "```python\ndef f(x):\n```\n然后\n```python\n    return (x)\n```",
    "first\n```js\nfunction f() {\n```\nthen\n```js\n}\n```",
    "````markdown\n```python\nx\n```\n````",
    "1. Do this\n   ```sh\n   ls\n   ```",
]
BROKEN = {
    "open_fence": ["```python\nprint(1)", "看代码：\n```\nx = 1\n", "~~~\ncode", "````md\n```\nx\n```"],
    "broken_json": [
        fenced("json", '{"a": 1,}'),
        fenced("json", '{"a": "b"'),
        fenced("JSON", "{“名”：“灯”}"),
        fenced("json", ""),
        fenced("json", "{'a': 1}"),
    ],
    "unbalanced_code": [
        fenced("python", "print((1)"),
        fenced("js", "function f() { if (x) { }"),
        fenced("java", "f(x]);"),
        fenced("c", "}"),
        fenced("go", "x := []int{1, 2"),
    ],
}


@pytest.mark.parametrize("reply", SOUND)
def test_sound_structure_stays(reply: str) -> None:
    assert reasons(Structure().decide(pairs(("How?", reply)), CONTEXT)) == [None]


@pytest.mark.parametrize(("reason", "reply"), [(r, text) for r, texts in BROKEN.items() for text in texts])
def test_broken_structure_is_found(reason: str, reply: str) -> None:
    assert reasons(Structure().decide(pairs(("How?", reply)), CONTEXT)) == [reason]


@pytest.mark.parametrize(
    ("question", "reply", "reason"),
    [
        ("Answer as JSON.", '{"a": 1}', None),
        ("Answer as JSON.", '{"a": 1} This is the answer.', None),
        ("Answer as JSON.", "{a: 1}", "broken_json"),
        ("用 JSON 格式输出", "{“句子”：“去商店”}", "broken_json"),
        ("用json输出", '{"句子": "去商店"', "broken_json"),
        ("What is JSON?", "A format.", None),
        ("What is a set?", "{1, 2}", None),
        ("As json please", "[" * 100_000, "broken_json"),
    ],
)
def test_json_that_was_asked_for_must_parse(question: str, reply: str, reason: str | None) -> None:
    assert reasons(Structure().decide(pairs((question, reply)), CONTEXT)) == [reason]


def test_checks_are_a_setting_and_the_score_counts() -> None:
    reply = fenced("json", "{") + "\n```c\nf(("
    answer = Structure().decide(pairs(("q", reply)), CONTEXT)
    assert answer.row(0)[:3] == ("reject", "open_fence", 3.0)
    assert reasons(Structure(checks=("unbalanced_code",)).decide(pairs(("q", reply)), CONTEXT)) == [
        "unbalanced_code"
    ]


def test_blocks_of_a_text() -> None:
    text = "a\n```Python title=x\nb\n```\n~~~\n```\n~~~\n> ```js\nc"
    assert list(code_blocks(text)) == [
        Block("python", "b", closed=True),
        Block("", "```", closed=True),
        Block("js", "c", closed=False),
    ]


def test_what_it_does_not_catch() -> None:
    frame = pairs(("As JSON", "The answer is 5."), ("q", fenced("python", "retrun x +")), ("q", "print((1)"))
    assert reasons(Structure().decide(frame, CONTEXT)) == [None, None, None]
    assert Structure().applies(pairs(("q", None))).to_list() == [False]
    assert Structure().decide(empty(), CONTEXT).height == 0


def test_a_megabyte() -> None:
    frame = pairs(("q", "```python\n" + "x = (1, [2])\n" * 80_000 + "```"), ("q", "```\n" * 250_001))
    assert reasons(Structure().decide(frame, CONTEXT)) == [None, "open_fence"]


@pytest.mark.parametrize(
    "reply",
    [
        "定义求和（甲，乙）：\n    返回甲加乙",
        "def total（numbers）：\n    return sum(numbers)",
        "arr = sorted(arr)\n打印（arr）",
        "Use this:\nprint（total）",
        "对于范围内的我（10）：\n    打印(我)",
        "```python\nfor n in range（5）：\n    print(n)\n```",
        "result = total（a, b）；",
    ],
)
def test_code_that_was_translated_along_is_found(reply: str) -> None:
    assert reasons(Structure().decide(pairs(("写一个函数", reply)), CONTEXT)) == ["mangled_code"]
    kept = Structure(checks=("open_fence", "broken_json", "unbalanced_code"))
    assert reasons(kept.decide(pairs(("写一个函数", reply)), CONTEXT)) == [None]


@pytest.mark.parametrize(
    "reply",
    [
        "如果两个玩家选择相同（石头、布或剪刀），就是平局。",
        "- Blob（二进制大对象）\n- Bhangarh Fort（印度拉贾斯坦邦）",
        "调用 print（打印）函数即可，它会把结果显示出来。",
        "```python\n# 返回总和（含税）\nprint(total)  # 打印（调试用）\n```",
        "主要分两类（见下）：\n一是水果",
        "He left (for good): nobody knows why.",
    ],
)
def test_full_width_brackets_in_prose_and_comments_stay(reply: str) -> None:
    assert reasons(Structure().decide(pairs(("怎么做？", reply)), CONTEXT)) == [None]
