"""Dialogue state: what the user wants so far, told by states, by frames or by the acts of each turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from zhiling.sources.labelled.example import Example, Text, Unreadable, Values, spelled
from zhiling.sources.labelled.manner import Manner
from zhiling.sources.names import find, known
from zhiling.sources.records.json_values import as_list, as_object

State = dict[tuple[str, str], list[dict[str, Any]]]
"""(domain, slot) → its values, each a `Slot` of `zhiling.rows.target`."""

STATE_FIELDS = ("frames", "state", "belief_state", "dialog_act", "dialogue_act")
TURN_KEY, DIALOGUE = "dialogue#turn", "dialogue#id"
"""Fields of a row's key and of its dialogue's; the field that these come from stays what it is."""

NOTHING = frozenset({"none", "", "?"})
"""What acts name where they name no slot or no value."""


class Turn(NamedTuple):
    """What was said, and what else the turn tells."""

    role: str
    text: str
    told: dict[str, Any]


class Told(NamedTuple):
    """The state after a user's turn, and what the turns up to it did, where that is wanted."""

    state: State
    turns: list[dict[str, Any]] | None


def dialogue_state(values: Values, _: Manner) -> Example:
    """The turns up to a user's one, and all slots that hold a value after it."""
    told: Told = values["state"]
    turns = {} if told.turns is None else {"turns": told.turns}
    return Example(values["turns"], {"state": _slots(told.state), **turns})


def _slots(state: State) -> list[dict[str, Any]]:
    return [slot for told in state.values() for slot in told]


def user_turns(
    item: dict[str, Any], field: str, key: str | None, *, with_acts: bool = False
) -> Iterator[tuple[str, dict[str, Any]]]:
    """A record for each user turn of a dialogue, with its mark, the turns up to it and the state after it.

    Args:
        item: the record of a dialogue.
        field: name of its turns.
        key: name of its key.
        with_acts: whether the records tell what each turn up to theirs did.

    Raises:
        Unreadable: `wrong_type`, `unknown_speaker`, `empty_text`; `no_state` where no turn tells one.
    """
    listed = as_list(item.get(field))
    if not listed:
        raise Unreadable("wrong_type", f"the turns are {item.get(field)!r:.60}; a list of turns is needed")
    turns = [_turn(each, number) for number, each in enumerate(listed, 1)]
    if not any(name in turn.told for turn in turns for name in STATE_FIELDS):
        names = ", ".join(STATE_FIELDS)
        raise Unreadable("no_state", f"no turn has one of {names}, so the dialogue's state is not told")
    rest = {name: value for name, value in item.items() if name != field}
    texts = [Text(turn.role, turn.text) for turn in turns]
    state: State = {}
    done: list[dict[str, Any]] = []
    for number, turn in enumerate(turns, 1):
        user = turn.role == "user"
        state = _after(state, turn.told) if user else state
        if with_acts:
            acts = _listed_acts(turn.told)
            done.append({"message": number - 1, "acts": acts, **({"state": _slots(state)} if user else {})})
        if user:
            mark = f"#turn {number}"
            named = {TURN_KEY: f"{item[key]}{mark}", DIALOGUE: item[key]} if key and key in item else {}
            told = Told(state, list(done) if with_acts else None)
            yield mark, {**rest, **named, "turn": turn.told, "turns": texts[:number], "state": told}


def _turn(value: Any, number: int) -> Turn:
    fields = as_object(value) or {}
    speaker, text = (find("conversations", name, fields) for name in ("speaker", "text"))
    if speaker is None or text is None or not isinstance(fields[text], str):
        message = f"turn {number} is {value!r:.60}; an object with speaker and text is needed"
        raise Unreadable("wrong_type", message)
    role = _roles().get(str(fields[speaker]).strip().casefold())
    if role is None:
        message = f"turn {number} is said by {fields[speaker]!r:.40}; one of {', '.join(_roles())} is needed"
        raise Unreadable("unknown_speaker", message)
    if not fields[text].strip():
        raise Unreadable("empty_text", f"turn {number} has no text; a dialogue needs all of its turns")
    told = {name: each for name, each in fields.items() if name not in (speaker, text) and each is not None}
    return Turn(role, fields[text], told)


@cache
def _roles() -> dict[str, str]:
    """Speaker in lower case → role; in dialogues with a state the system is who answers."""
    roles = {"customer": "user", "agent": "assistant", "system": "assistant"}
    return {name.casefold(): role for who, role in roles.items() for name in known("speakers")[who]}


def _after(state: State, told: Mapping[str, Any]) -> State:
    """The state after a user's turn."""
    if "frames" in told:
        return _of_frames(state, told["frames"])
    for name in ("state", "belief_state"):
        if told.get(name) is not None:
            return _whole(told[name])
    acts = told.get("dialog_act", told.get("dialogue_act"))
    return state if acts is None else {**state, **_informed(acts)}


def _of_frames(state: State, frames: Any) -> State:
    """Each frame holds all slots of its service (SGD); services that are not spoken of keep theirs."""
    after = dict(state)
    for frame in as_list(frames) or []:
        named = as_object(frame) or {}
        service, told = named.get("service"), as_object(named.get("state"))
        slots = as_object((told or {}).get("slot_values"))
        if not isinstance(service, str) or slots is None:
            raise Unreadable(
                "wrong_type", f"a frame is {frame!r:.60}; service and state.slot_values are needed"
            )
        after = {key: value for key, value in after.items() if key[0] != service}
        after |= {(service, name): [_slot(service, name, value)] for name, value in slots.items()}
    return after


def _whole(state: Any) -> State:
    """A state as `{domain: {slot: value}}`, `{"domain-slot": value}` or a list of {domain, slot, value}."""
    listed, named = as_list(state), as_object(state)
    found: State = {}
    if listed is not None:
        for each in listed:
            slot = as_object(each) or {}
            domain, name = (spelled(slot.get(part), part) or "" for part in ("domain", "slot"))
            found.setdefault((domain, name), []).append(_slot(domain, name, slot.get("value")))
    elif named is not None:
        for domain, told in named.items():
            slots = as_object(told)
            if slots is None:
                first, _, name = domain.rpartition("-")
                found[first, name] = [_slot(first, name, told)]
            else:
                found |= {(domain, name): [_slot(domain, name, value)] for name, value in slots.items()}
    else:
        raise Unreadable("wrong_type", f"a state is {state!r:.60}; an object or a list is needed")
    return found


def _informed(acts: Any) -> State:
    """Slots that a user's turn informs of; what a later turn says of a slot replaces it."""
    found: State = {}
    for act, domain, slot, value in _acts(acts):
        if act.casefold() == "inform" and slot.casefold() not in NOTHING and value.casefold() not in NOTHING:
            found.setdefault((domain, slot), []).append(_slot(domain, slot, value))
    return found


def _listed_acts(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The acts of a turn, each an `Act` of `zhiling.rows.target`, by frames or as the turn lists them."""
    if "frames" in told:
        return [act for frame in as_list(told["frames"]) or [] for act in _acts_of_frame(frame)]
    acts = told.get("dialog_act", told.get("dialogue_act"))
    return [
        {"act": act.casefold(), "domain": domain, "slot": "" if slot.casefold() in NOTHING else slot,
         "values": [] if value.casefold() in NOTHING else [value]}
        for act, domain, slot, value in _acts(acts or [])
    ]  # fmt: skip


def _acts_of_frame(frame: Any) -> Iterator[dict[str, Any]]:
    named = as_object(frame) or {}
    for each in as_list(named.get("actions")) or []:
        action = as_object(each) or {}
        values = as_list(action.get("values")) or []
        if not isinstance(action.get("act"), str) or not all(isinstance(value, str) for value in values):
            raise Unreadable("wrong_type", f"an action is {each!r:.60}; act, slot and values are needed")
        slot, service = action.get("slot") or "", named.get("service") or ""
        yield {"act": action["act"].casefold(), "domain": str(service), "slot": str(slot), "values": values}


def _acts(acts: Any) -> Iterator[tuple[str, str, str, str]]:
    """From `{"Domain-Act": [[slot, value]]}` (MultiWOZ) or `[[act, domain, slot, value]]` (CrossWOZ)."""
    named, listed = as_object(acts), as_list(acts)
    if named is not None:
        told = [
            (act, domain, *(as_list(pair) or []))
            for name, pairs in named.items()
            for domain, _, act in [name.rpartition("-")]
            for pair in as_list(pairs) or [None]
        ]
    else:
        told = [tuple(as_list(act) or []) for act in listed or []]
    for each in told:
        if len(each) != 4 or not all(isinstance(part, str) for part in each):
            raise Unreadable("wrong_type", f"an act is {each!r:.60}; act, domain, slot and value are needed")
        yield each[0], each[1], each[2], each[3]


def _slot(domain: str, name: str, value: Any) -> dict[str, Any]:
    """A slot with its value; of several spellings the first is the value."""
    listed = as_list(value)
    told = [spelled(each, name) for each in ([value] if listed is None else listed)]
    first, *also = [each for each in told if each] or [None]
    if first is None:
        raise Unreadable("wrong_type", f"slot {name!r} is {value!r:.60}; a text or a list of texts is needed")
    return {"domain": domain, "slot": name, "value": first, **({"also": also} if also else {})}
