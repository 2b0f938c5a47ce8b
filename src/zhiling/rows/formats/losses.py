"""What the names in `Written.losses` mean, in words for people."""

from __future__ import annotations

LOSSES: dict[str, str] = {
    "alternatives": "further answers, or a chosen answer beside the row's own reply",
    "answer_place": "where an answer stands in the passage; the first place of its text is written",
    "answer_turns": "an answer of several messages, or one that is not the assistant's",
    "columns": "columns between token and tag",
    "earlier_turns": "turns before the last question",
    "empty_text": "a text without any token, which is no sentence",
    "further_messages": "messages beside the text that the truth is about",
    "grouping": "that several lines are answers to one prompt",
    "impossible": "that the passage does not answer the question",
    "input_border": "where the instruction ends and its input begins",
    "leading_reply": "that the assistant spoke first; its reply answers an empty question now",
    "literal_placeholder": "that a text says <image> itself, beside real media",
    "media": "images, sound or video",
    "media_detail": "settings of a medium, such as its detail",
    "message_fields": "further fields of single messages",
    "name": "names of speakers",
    "no_answers": "nothing: the row tells no answers",
    "no_chosen": "nothing: the row has no chosen answer",
    "no_context": "nothing: the row has no passage",
    "no_question": "nothing: the row has no question",
    "no_rejected": "nothing: the row has no rejected answer, so null is written",
    "no_reply": "nothing: the row has no reply",
    "no_tags": "nothing: the row tells no entities, so O is written",
    "other_roles": "messages that neither system, user nor assistant said",
    "overlapping_spans": "an entity that overlaps one before it",
    "part_borders": "where parts of one message began",
    "prompt": "the question that both answers answer",
    "prompt_border": "where the prompt ends, as both answers begin alike",
    "rank": "ranks of answers",
    "reasoning": "the reasoning before a reply",
    "reply_border": "how many messages at the end are the reply",
    "role_document": "that a passage is no user's text",
    "roles": "who said what",
    "score": "scores of answers",
    "space_in_token": "white space inside a token; an underscore is written",
    "spacing": "white space between words, as tokens are joined by other rules",
    "spans": "an entity of another message, or one without any token",
    "system": "the system text",
    "system_boundaries": "where one system text ended and the next began",
    "system_in_middle": "a system text behind the first turn",
    "target": "the machine-readable truth",
    "tool_call_id": "ids of tool calls and of their results",
    "tool_calls": "calls of tools",
    "tools": "schemas of tools",
    "turn_boundaries": "where one message ended and the next of the same speaker began",
    "weight": "weights of messages",
}


def meaning(name: str) -> str:
    """What a loss is, in words; `role_NAME` and `extra.FIELD` are spelled out.

    >>> meaning("extra.id")
    'field id of extra, which the format uses itself'
    """
    if name in LOSSES:
        return LOSSES[name]
    kind, _, rest = name.replace(".", "_", 1).partition("_")
    if kind == "extra":
        return f"field {rest} of extra, which the format uses itself"
    return f"messages of role {rest}" if kind == "role" else name
