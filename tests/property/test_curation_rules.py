"""Laws of the rule steps: mending changes only damage, shares and counts add up, no filter hides a hit."""

from __future__ import annotations

import json
from itertools import pairwise

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.curation.frames import CONTEXT, pairs
from zhiling.curation.boilerplate import Boilerplate
from zhiling.curation.code_blocks import is_json
from zhiling.curation.credentials import credentials, signs
from zhiling.curation.damage import mended, problems, suspicious
from zhiling.curation.encoding_damage import EncodingDamage
from zhiling.curation.links_only import LinksOnly
from zhiling.curation.personal_data import narrow
from zhiling.curation.placeholders import Numbering, rewrite
from zhiling.curation.repair import Repair
from zhiling.curation.repeated_grams import repeated_share, top_share
from zhiling.curation.repetition import Repetition
from zhiling.curation.reply_language import ReplyLanguage
from zhiling.curation.role_leak import RoleLeak
from zhiling.curation.script import Script
from zhiling.curation.secrets import Secrets
from zhiling.curation.structure import Structure
from zhiling.text.fences import code_blocks
from zhiling.text.scripts import letter_counts

HARMLESS = (
    "https://example.com/a?x=1&copy=2&lt=3#top",
    "比分1:3，胜率50%",
    "`x = [1, 2]; y = &amp; z`",
    "def f(a: int) -> str: return a & b",
    "退款三到五天👩‍💻",
    "😀🇨🇳❤️",
    "v10.2.3, 3.14, 1/2",
    "¥1,299.00 on 2024-05-06 at 10:30",
    "std::vector<int>::iterator",
    "Ça va à Paris – “oui”, naïve",
    "Где посылка?",
    "荷物はどこ",
    "AT&T; and R&D",
)
DAMAGED = (
    "don&#39;t",
    "&amp;quot;hi&amp;quot;",
    "Oil #39;s",
    "the  quot;lamp quot;",
    "caf\u00c3\u00a9",
    "\u00e2\u20ac\u0153hi\u00e2\u20ac\u009d",
    "您好，我们的订单".encode().decode("latin-1"),
    "您好，我们的订单".encode().decode("gb18030"),
    "您好，我们的订单".encode("gb2312").decode("latin-1"),
    "a\x00b",
    "&Atilde;&copy;",
)
SECRETS = (
    "password: hunter22",
    "密码是abc12345",
    "token=q7Zt2LmX9vB4nR8kW3yD6cJ1",
    "https://a.example/?key=q7Zt2LmX9v",
    "redis://u:p4ss@h",
    "Bearer q7Zt2LmX9vB4nR8kW3yD6cJ1",
    "ghp_" + "q7Zt2LmX9v" * 4,
)
BETWEEN = st.sampled_from([" ", "，", "\n", "。", "。\n"])
TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=80)
COMMON = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能"
WORDS = st.lists(st.sampled_from(["lamp", "order", "灯", "订单", "，", "ships", "!"]), max_size=30).map(
    " ".join
)


def joined(pieces: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.tuples(st.lists(st.sampled_from(pieces), max_size=8), BETWEEN).map(
        lambda drawn: drawn[1].join(drawn[0])
    )


@settings(max_examples=150, deadline=None)
@given(joined(HARMLESS + DAMAGED) | TEXT)
def test_mending_is_idempotent_leaves_no_damage_and_changes_nothing_outside_its_edits(text: str) -> None:
    new = mended(text)
    assert mended(new.text).edits == ()
    assert not set(problems(new.text)) & {"html_entities", "control_characters"}
    kept_old = kept_new = 0
    for low, high, length in new.edits:
        gap = low - kept_old
        assert text[kept_old:low] == new.text[kept_new : kept_new + gap]
        kept_old, kept_new = high, kept_new + gap + length
    assert text[kept_old:] == new.text[kept_new:]


@settings(max_examples=150, deadline=None)
@given(joined(HARMLESS))
def test_urls_code_ratios_prices_chinese_and_emoji_are_left_alone(text: str) -> None:
    assert mended(text).text == text


@settings(max_examples=150, deadline=None)
@given(joined(HARMLESS + DAMAGED) | TEXT)
def test_no_damage_hides_from_the_first_look(text: str) -> None:
    damaged = bool(mended(text).edits) or any(problems(text))
    assert pl.Series([text]).str.contains(suspicious())[0] or not damaged
    step = Repair()
    made = step.make(pairs((text, None)).select("id", *step.reads()), CONTEXT)
    assert bool(made.rows.height) == (mended(text).text != text)


@settings(max_examples=100, deadline=None)
@given(st.text(COMMON, min_size=8, max_size=60))
def test_chinese_that_was_read_wrongly_comes_back(text: str) -> None:
    assert mended(text.encode().decode("latin-1")).text == text
    assert mended(text.encode("gb2312").decode("latin-1")).text == text
    assert mended(text).edits == ()


@settings(max_examples=150, deadline=None)
@given(joined(HARMLESS + SECRETS) | TEXT)
def test_no_secret_hides_from_the_first_look_or_survives_redaction(text: str) -> None:
    found = credentials(narrow(text))
    assert pl.Series([text]).str.contains(signs())[0] or not found
    places = sorted((each.start, each.end) for each in found)
    assert all(one[1] <= two[0] for one, two in pairwise(places))
    once = rewrite(text, frozenset({"secret"}), Numbering())
    assert credentials(narrow(once.text)) == []


@settings(max_examples=100, deadline=None)
@given(WORDS, st.integers(2, 5))
def test_saying_it_again_makes_shares_no_smaller(text: str, times: int) -> None:
    series = pl.Series([text, " ".join([text] * times)])
    for shares in (repeated_share(series, 5), top_share(series, (2, 3))):
        assert shares.min() >= 0
        assert shares.max() <= 1
    once, again = repeated_share(series, 3)
    assert again >= once - 1e-9


@settings(max_examples=100, deadline=None)
@given(TEXT, TEXT)
def test_letters_of_scripts_add_up(one: str, two: str) -> None:
    counts = letter_counts(pl.Series([one, two, one + two]))
    assert (counts[0] + counts[1] == counts[2]).all()
    below = pl.Series([one]).str.replace_all(r"[\x{20000}-\x{10FFFF}]", "")
    assert letter_counts(below).sum() == below.str.count_matches(r"\p{L}")[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('灯a{}[]"\\`\n', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("键k", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(JSON, st.booleans(), st.booleans())
def test_sound_json_is_never_broken(value: object, ascii_only: bool, indented: bool) -> None:
    document = json.dumps(value, ensure_ascii=ascii_only, indent=2 if indented else None)
    assert is_json(document)
    reply = f"Here:\n```json\n{document}\n```"
    assert [block.text for block in code_blocks(reply)] == [document]
    answer = Structure().decide(pairs(("as JSON", reply), ("用JSON", "[" + document + "]")), CONTEXT)
    assert answer["verdict"].to_list() == ["keep", "keep"]


@settings(max_examples=60, deadline=None)
@given(TEXT | joined(HARMLESS + DAMAGED + SECRETS), TEXT)
def test_any_text_is_answered_for(question: str, reply: str) -> None:
    frame = pairs((question, reply), (reply, question), (question, None))
    steps = (Repetition(), Script(), Boilerplate(), RoleLeak(), LinksOnly(), EncodingDamage(), Secrets())
    for step in (*steps, ReplyLanguage(), Structure()):
        answer = step.decide(frame, CONTEXT)
        assert answer.height == 3
        assert answer["score"].is_finite().all()
