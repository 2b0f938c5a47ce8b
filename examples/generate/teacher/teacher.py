"""A teacher and a judge without a model: rules that answer the prompts of this recipe, some of them wrongly.

    python teacher.py            # serves on http://127.0.0.1:8765/v1 until it is stopped

Every sixth reply breaks a rule on purpose, so that the checks have something to refuse.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from zhiling.llm.fake_server import Behaviour, serve

PORT = 8765
FENCED = re.compile(r"<(\w+) ([0-9a-f]{8})>\n(.*?)\n</\1 \2>", re.DOTALL)
SENTENCE = re.compile(r"[^\n]+?(?:[。！!]|\.(?=\s+[A-Z]|\s*$))", re.MULTILINE)
UNITS = r"(?: ?(?:minutes|euros|days|years|bicycles|people|adults)|[点分元天岁辆级人号名])"
VALUE = re.compile(rf"\d+(?:\.\d+)?{UNITS}")

Reply = dict[str, Any]
WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "question": "Which figure does the ferry's handbook give where it says '{}'?",
        "answer": "The handbook says: {}",
        "unanswered": "On which day did the captain make trip number {}?",
        "untold": "The handbook does not tell that; it tells of other things, such as: {}",
        "about": "a figure of the handbook", "user": "a visitor", "goal": "to know the rules",
        "output": "Here it is, in three points: {} …", "reason": "It is specific.",
    },
    "zh": {
        "question": "渡轮手册在“{}”处规定的数字是多少？",
        "answer": "手册写道：{}",
        "unanswered": "渡轮船长第{}次航行的日期是哪天？",
        "untold": "手册没有写这一点，只写了别的内容，例如：{}",
        "about": "手册里的一个数字", "user": "游客", "goal": "弄清规定",
        "output": "好的，完成如下：{}……一共三点。", "reason": "内容具体。",
    },
}  # fmt: skip
TALKS = {
    "en": ("Hello, I would like to know the rules.", "Gladly: the first figure is {0}.", "And the other?",
           "The other one is {1}.", "I have to look it up."),
    "zh": ("你好，我想了解规定。", "好的，第一个数字是{0}。", "还有呢？", "另一个是{1}。", "我再查一下。"),
}  # fmt: skip
TASKS = {
    "en": ("Describe the harbour at {} o'clock in a few sentences.",
           "List {} things that a deckhand checks before a trip.",
           "Turn a complaint about {} missing seats into a friendly reply."),
    "zh": ("用几句话描述{}点钟的港口。", "列出水手开船前要检查的{}件事。", "给缺{}个座位的投诉写封回信。"),
}  # fmt: skip


class Teacher:
    """Replies by rules; an equal request gets another reply each time."""

    def __init__(self) -> None:
        self.asked = Counter[bytes]()
        self.count = 0

    def __call__(self, body: dict[str, Any]) -> str:
        """The reply to a request."""
        self.asked[orjson.dumps(body)] += 1
        self.count += 1
        prompt = "\n".join(message["content"] for message in body["messages"])
        fences = {found[1]: found[3] for found in FENCED.finditer(prompt)}
        number = self.asked[orjson.dumps(body)] + len(fences.get("document", ""))
        return orjson.dumps(self._reply(prompt, fences, number)).decode()

    def _reply(self, prompt: str, fences: Mapping[str, str], number: int) -> Reply:
        language = "zh" if "只用 JSON 回复" in prompt else "en"
        words, wrong = WORDS[language], self.count % 6 == 0
        passage = fences.get("document", "")
        if '"score"' in prompt:
            return judged(fences["reply"], words)
        if '"answerable"' in prompt:
            return checked(passage, fences["question"])
        if '"turns"' in prompt:
            return talk(fences["plan"], TALKS[language], wrong=wrong)
        if '"facts"' in prompt:
            return plan(passage, words)
        if '"output"' in prompt:
            return {"input": "", "output": words["output"].format(fences["task"][:24])}
        if '"instruction"' in prompt:
            return {"instruction": TASKS[language][self.count % 3].format(self.count % 9 + 2)}
        if '"evidence"' in prompt:
            return question(sentences(passage), words, number, wrong=wrong)
        asked = words["unanswered"].format(number)
        return {"question": asked, "answer": words["untold"].format(sentences(passage)[0])}


def sentences(passage: str) -> list[str]:
    """The sentences of a passage that name a figure."""
    return [text.strip() for text in SENTENCE.findall(passage) if VALUE.search(text)]


def before_figure(sentence: str) -> str:
    """What stands in front of the sentence's figure, or behind it."""
    head, _, tail = sentence.partition(VALUE.findall(sentence)[0])
    return head.strip() or tail.strip()


def question(told: Sequence[str], words: Mapping[str, str], number: int, *, wrong: bool) -> Reply:
    """A question about one of the sentences; a wrong one quotes what stands nowhere."""
    found = told[number % len(told)]
    evidence = f"{found} (?)" if wrong else found
    asked = words["question"].format(before_figure(found))
    return {"question": asked, "answer": words["answer"].format(found), "evidence": [evidence]}


def checked(passage: str, asked: str) -> Reply:
    """The sentence that the question quotes, if any."""
    found = next((each for each in sentences(passage) if before_figure(each) in asked), "")
    return {"answerable": bool(found), "evidence": found}


def plan(passage: str, words: Mapping[str, str]) -> Reply:
    """Two figures of the passage."""
    values = list(dict.fromkeys(VALUE.findall(passage)))[:2]
    facts = [{"about": words["about"], "value": value} for value in values]
    return {"user": words["user"], "goal": words["goal"], "facts": facts}


def talk(told: str, lines: Sequence[str], *, wrong: bool) -> Reply:
    """Four turns that say both figures; a wrong talk leaves the second out."""
    values = VALUE.findall(told)
    said = [line.format(*values) for line in (*lines[:3], lines[4 if wrong else 3])]
    speakers = ("user", "assistant")
    return {"turns": [{"speaker": speakers[n % 2], "text": text} for n, text in enumerate(said)]}


def judged(reply: str, words: Mapping[str, str]) -> Reply:
    """Fuller replies are found better, and of short ones nothing can be told."""
    score = min(5, 2 + len(reply.encode()) // 30)
    return {"reason": words["reason"], "score": score, "sure": len(reply) > 16}


if __name__ == "__main__":
    asyncio.run(serve(Behaviour(answer=Teacher()), PORT))
