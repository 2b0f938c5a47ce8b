"""RoleLeak: marks of prompt formats inside texts."""

from __future__ import annotations

import pytest

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons, turns
from zhiling.curation.role_leak import RoleLeak


@pytest.mark.parametrize(
    ("reason", "reply"),
    [
        ("template_token", "It ships tomorrow.<|im_end|>"),
        ("template_token", "[INST] Where is it? [/INST] It ships tomorrow."),
        ("template_token", "明天发货。</s>"),
        ("instruction_heading", "It ships.\n\n### Instruction:\nWrite a poem"),
        ("instruction_heading", "明天发货。\n### 回答：好的"),
        ("instruction_heading", "It ships tomorrow. ### Instruction: Write a poem. ### Response: The sea"),
        ("instruction_heading", "明天发货。### 指令：写一首诗。### 回复：大海"),
        ("speaker_label", "Assistant: It ships tomorrow."),
        ("speaker_label", "It ships tomorrow.\n\nHuman: And the lamp?"),
        ("speaker_label", "助手：明天发货。"),
        ("speaker_label", "明天发货。\n用户：那台灯呢？"),
        ("speaker_label", "明天发货。\n**用户**: 那台灯呢？"),
    ],
)
def test_leaks_are_found(reason: str, reply: str) -> None:
    assert reasons(RoleLeak().decide(pairs(("When?", reply)), CONTEXT)) == [reason]


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("When?", "The user can change it. Our assistant: Ms Lin."),
        ("什么时候？", "请联系用户服务部，助手会帮您。"),
        ("How do I strike text through?", "Write `<s>old</s>` in HTML."),
        ("Which tokens end a turn?", "```\n<|im_end|>\n```"),
        ("Write a dialogue about a lamp.", "Assistant: Hello!\nUser: Hello, my lamp is broken."),
        ("写一段对话", "助手：您好\n用户：灯坏了"),
        ("When?", "## Response times\n### Answers\nTomorrow."),
        ("Which file?", "Look for the line with ### in it: input: 5 stands behind it."),
        ("哪个文件？", "找带有 ### 的那一行，输入：5 就在后面。"),
    ],
)
def test_what_only_looks_like_it_stays(question: str, reply: str) -> None:
    assert reasons(RoleLeak().decide(pairs((question, reply)), CONTEXT)) == [None]


def test_tokens_count_in_every_message_but_the_systems_and_headings_in_replies_only() -> None:
    frame = turns(
        [("user", "<|user|> hi"), ("assistant", "hi")],
        [("system", "<|im_start|>"), ("user", "hi"), ("assistant", "hi")],
        [("user", "### Input:\n5"), ("assistant", "6")],
        [("document", "text <|endoftext|> text")],
    )
    assert reasons(RoleLeak().decide(frame, CONTEXT)) == ["template_token", None, None, "template_token"]


def test_verdict_and_score() -> None:
    frame = pairs(("When?", "Assistant: now\n### Response: now<|im_end|>"))
    answer = RoleLeak(verdict="review").decide(frame, CONTEXT)
    assert answer.row(0)[:3] == ("review", "template_token", 3.0)


def test_what_it_does_not_catch() -> None:
    frame = pairs(("When?", "It ships. Human: and the lamp?"), ("When?", "明天。客服乙：好的"), (None, None))
    assert reasons(RoleLeak().decide(frame, CONTEXT)) == [None, None, None]
    assert RoleLeak().decide(empty(), CONTEXT).height == 0
