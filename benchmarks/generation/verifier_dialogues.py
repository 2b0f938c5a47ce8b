"""Dialogues for generation.12 with the states and acts of their turns, as they are and with one fault."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from verifier_rows import MOST, Pair, Row, judged
from verifier_talks import talks

from benchmarks.sources.sets import DATA, sources
from zhiling.verification.dialogue_replay import DialogueReplay
from zhiling.verification.replay import UNSPOKEN

STEPS = {
    "sgd": DialogueReplay(
        unspoken=("intent", "price_range", "playback_device", "category", "event_type", "year"),
        never_before={"confirm": ("notify_success",)},
    ),
    "crosswoz_state": DialogueReplay(said=False),
    "own talks": DialogueReplay(
        never_before={"confirm": ("book",)},
        phrases={"book": ("booked", "订好")},
        unsayable=("guarantee", "保证"),
    ),
}
"""Set → the step that replays it; which slots are said in other words was seen on the other half."""
ELSE = {"en": "Is there anything else?", "zh": "还有别的需要吗？"}
Talk = dict[str, Any]
"""`texts` (role and text), `turns` as a target tells them, `values` (slot → values of the set)."""


def dialogues(name: str, language: str, draw: random.Random) -> Iterator[Pair]:
    """Dialogues of a set and the same with one fault."""
    found = list(talks(language, draw)) if name == "own talks" else _of(name)
    draw.shuffle(found)
    values: dict[str, list[str]] = {}
    for talk in found:
        for act in (act for turn in talk["turns"] for act in turn["acts"]):
            values.setdefault(act["slot"], []).extend(act["values"])
    faults = [_wrong, _lost, _early, _late, _unanswered]
    faults += [_unsaid] * STEPS[name].said + [_order] * bool(STEPS[name].never_before)
    for talk in found[:MOST]:
        wrong = _faulty({**talk, "values": values, "else": ELSE[language]}, faults, draw)
        if wrong is not None:
            yield Pair(_row(talk), _row(wrong))


def _of(name: str) -> list[Talk]:
    """Whole dialogues of the half that judges."""
    (source,) = (each.model_copy(update={"with_acts": True}) for each in sources(name))
    files = sorted(Path(path) for path in source.paths())
    rows = pl.concat(batch.rows.select("messages", "target", "group") for batch in source.read(files, DATA))
    last = rows.group_by("group", maintain_order=True).last()
    return [
        {
            "texts": [(turn["role"], turn["text"]) for turn in messages],
            "turns": orjson.loads(target)["turns"],
        }
        for group, messages, target in last.select("group", "messages", "target").rows()
        if judged(group)
    ]


def _row(talk: Talk) -> Row:
    state = next(turn["state"] for turn in reversed(talk["turns"]) if "state" in turn)
    return Row(tuple(talk["texts"]), {"state": state, "turns": talk["turns"]}, "dialogue")


def _faulty(talk: Talk, faults: list[Callable[..., bool]], draw: random.Random) -> Talk | None:
    """The talk with a fault of the first kind that it has a place for; None: of none."""
    for fault in draw.sample(faults, len(faults)):
        wrong = deepcopy(talk)
        if fault(wrong, draw):
            return wrong
    return None


def _key(slot: dict[str, Any]) -> tuple[str, str]:
    return slot["domain"], slot["slot"]


def _states(talk: Talk) -> list[dict[str, Any]]:
    return [turn for turn in talk["turns"] if turn.get("state") is not None]


def _new(talk: Talk) -> list[tuple[int, dict[str, Any]]]:
    """Which slot is new in which of the states."""
    seen: set[tuple[str, str]] = set()
    found: list[tuple[int, dict[str, Any]]] = []
    for number, turn in enumerate(_states(talk)):
        found += [(number, slot) for slot in turn["state"] if _key(slot) not in seen]
        seen |= set(map(_key, turn["state"]))
    return found


def _known(talk: Talk, until: int) -> set[str]:
    """Values of all acts up to a message, in lower case."""
    return {
        value.casefold()
        for turn in talk["turns"]
        if turn["message"] <= until
        for act in turn["acts"]
        for value in act["values"]
    }


def _other(talk: Talk, slot: str, draw: random.Random) -> str | None:
    """A value of the slot that no act of the talk has, nor its words; one that is said rather than meant."""
    known, said = _known(talk, len(talk["texts"])), " ".join(text for _, text in talk["texts"]).casefold()
    fitting = [each for each in talk["values"].get(slot, []) if each.casefold() not in known | UNSPOKEN]
    fitting = [each for each in fitting if each.casefold() not in said]
    return draw.choice(fitting) if fitting else None


def _replaced(slots: list[dict[str, Any]], slot: dict[str, Any], value: str) -> None:
    for each in slots:
        if _key(each) == _key(slot) and each["value"] == slot["value"]:
            each["value"] = value
            each.pop("also", None)


def _wrong(talk: Talk, draw: random.Random) -> bool:
    """A value of the states is another one, wherever it stands."""
    slot = dict(draw.choice(_new(talk) or [(0, {})])[1])
    value = _other(talk, slot.get("slot", ""), draw)
    if value is None:
        return False
    for turn in _states(talk):
        _replaced(turn["state"], slot, value)
    return True


def _lost(talk: Talk, draw: random.Random) -> bool:
    """A slot is left out of later states, of which others of its domain are not."""
    states, places = _states(talk), _new(talk)
    draw.shuffle(places)
    for number, slot in places:
        later = states[number + 1 :]
        if later and any(
            each["domain"] == slot["domain"] and _key(each) != _key(slot) for each in later[0]["state"]
        ):
            for turn in later:
                turn["state"] = [each for each in turn["state"] if _key(each) != _key(slot)]
            return True
    return False


def _early(talk: Talk, draw: random.Random) -> bool:
    """A value stands in the state before anybody said it."""
    states, places = _states(talk), _new(talk)
    draw.shuffle(places)
    for number, slot in places:
        before = states[number - 1] if number else None
        if before and slot["value"].casefold() not in _known(talk, before["message"]):
            before["state"].append(slot)
            return True
    return False


def _late(talk: Talk, draw: random.Random) -> bool:
    """What the user informs of comes into the state only later."""
    states, places = _states(talk), _new(talk)
    draw.shuffle(places)
    for number, slot in places:
        turn = states[number]
        informed = any(
            act["act"] == "inform" and _key(act) == _key(slot) and act["values"] for act in turn["acts"]
        )
        if informed and number + 1 < len(states):
            turn["state"] = [each for each in turn["state"] if _key(each) != _key(slot)]
            return True
    return False


def _unanswered(talk: Talk, draw: random.Random) -> bool:
    """The assistant answers a request by asking whether there is anything else."""
    places = [
        at
        for at, (turn, after) in enumerate(zip(talk["turns"], talk["turns"][1:], strict=False))
        for act in turn["acts"]
        if act["act"] == "request"
        and talk["texts"][turn["message"]][0] == "user"
        and any(each["slot"] == act["slot"] for each in after["acts"])
    ]
    if not places:
        return False
    after = talk["turns"][draw.choice(places) + 1]
    after["acts"] = [{"act": "req_more", "domain": "", "slot": "", "values": []}]
    talk["texts"][after["message"]] = ("assistant", talk["else"])
    return True


def _unsaid(talk: Talk, draw: random.Random) -> bool:
    """Acts and states tell another value than was said."""
    unspoken = {slot for step in STEPS.values() for slot in step.unspoken}
    acts = [act for turn in talk["turns"] for act in turn["acts"] if act["values"]]
    acts = [act for act in acts if act["act"] == "inform" and act["slot"] not in unspoken]
    act = draw.choice(acts) if acts else None
    value = act and _other(talk, act["slot"], draw)
    if act is None or value is None:
        return False
    old = act["values"][0]
    for each in (each for turn in talk["turns"] for each in turn["acts"] if each["slot"] == act["slot"]):
        each["values"] = [value if told == old else told for told in each["values"]]
    for turn in _states(talk):
        _replaced(turn["state"], {**act, "value": old}, value)
    return True


def _order(talk: Talk, draw: random.Random) -> bool:
    """What must be confirmed first is told in the assistant's first turn."""
    names = {"notify_success", "book"}
    done = [turn for turn in talk["turns"] if any(act["act"] in names for act in turn["acts"])]
    first = next(turn for turn in talk["turns"] if talk["texts"][turn["message"]][0] == "assistant")
    if not done or draw.choice(done) is first:
        return False
    first["acts"] = done[-1]["acts"]
    talk["texts"][first["message"]] = talk["texts"][done[-1]["message"]]
    return True
