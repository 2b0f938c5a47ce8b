"""Telephone numbers in running text: Chinese, North American, international and national forms.

Source: ITU-T E.164 (at most 15 digits), the Chinese and the North American numbering plans. A bare run of
digits is only taken for a number where its plan makes it unmistakable (Chinese mobiles), or where words
such as "call me at" or "电话" stand before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from zhiling.curation.identifiers import digits_of

MIN_DIGITS, MAX_DIGITS = 7, 15

_LEFT = r"(?<![0-9A-Za-z_+*=/\\])(?<!\d[.,\-])(?<!\d[ ])(?<![¥￥$€£#])"
_RIGHT = (
    r"(?![0-9A-Za-z_*=/\\]|[.,\-]\d| \d"
    r"|\s?(?:元|块|万|亿|美元|人民币|个|次|年|USD|CNY|EUR|RMB|GBP|dollars?|yuan|%|°))"
)
_GAP = r"[ \-\u00a0]?"
_SPACED = r"[ \-.\u00a0]"

_EXTENSION = r"(?: ?(?:x|ext\.?) ?\d{1,5})?"

_MOBILE = rf"(?:\(?(?:\+|00)?86\)?{_GAP})?1[3-9]\d{_GAP}\d{{4}}{_GAP}\d{{4}}"
_AREA = r"0(?:10|2\d|[3-9]\d\d)"
_FIXED = rf"(?:[(（]{_AREA}[)）][ \-]?|{_AREA}[ \-])[2-9]\d{{2,3}}[ \-]?\d{{4}}(?:[\-转]\d{{1,6}})?"
_INTERNATIONAL = (
    rf"(?:\(?\+\d{{1,3}}\)?|00[1-9]\d{{0,2}}{_SPACED})(?:{_SPACED}?\(\d{{1,4}}\))?(?:{_SPACED}?\d){{6,13}}"
    + _EXTENSION
)
_AMERICAN = (
    rf"(?:\+?1{_SPACED})?(?:\([1-9]\d\d\){_SPACED}?[2-9]\d\d[\-. ]|[2-9]\d\d([\-.])[2-9]\d\d\1)\d{{4}}"
    + _EXTENSION
)
_NATIONAL = r"\(?0\d{1,4}\)?(?:[ \-]\d{2,4}){2,4}|0[1-9]\d{2,3}[ \-]\d{6,7}"

_EXPLICIT = re.compile(_LEFT + rf"(?:{_INTERNATIONAL}|{_MOBILE}|{_FIXED}|{_AMERICAN}|{_NATIONAL})" + _RIGHT)
_BARE = re.compile(  # a Chinese mobile, or ten and more digits from the trunk prefix 0 on
    r"(?<![0-9A-Za-z_+*=/\\])(?<!\d[.,\-])(?<![¥￥$€£#])(?:(?:(?:00)?86[ \-]?)?1[3-9]\d{9}|0[1-9]\d{8,10})"
    + _RIGHT.replace(r"| \d", "")
)
_PLUS = re.compile(r"(?<![0-9A-Za-z_+*=/\\)])" + _INTERNATIONAL + _RIGHT)
_ANNOUNCED = re.compile(
    r"(?:(?<![A-Za-z])(?:tele)?phone|(?<![A-Za-z])(?:tel|mobile|cell|call|ring|dial|whatsapp|fax"
    r"|reach|answering|contact|sms|messages? to)(?![A-Za-z])"
    r"|手机|电话|座机|固话|传真|致电|拨打|联系方式)"
    r"(?:\s?(?:numbers?|no\.|me|us|him|her|them|is|was|at|on|to|号码?|分别|[:：=是为,，]))*\s?"
    r"([(（]?\+?\(?\d(?:[ \-.()/\u00a0]{0,2}\d){6,14})" + _RIGHT,
    re.IGNORECASE,
)
_GROUPED = r"\+?\(?\d{2,5}\)?(?:[ \-.\u00a0]\d{2,4}){1,4}"
_NEAR = re.compile(  # a noun for telephones, then other words of the same sentence
    r"(?:(?<![A-Za-z])(?:(?:tele|cell|i)?phone|tel|mobile|cell|fax|call|dial|voicemail|whatsapp)(?![A-Za-z])|手机|电话|座机|传真)"
    rf"[^\d\n.!?。！？]{{1,40}}(?<![\d¥￥$€£#.\-/+])({_GROUPED}|\d{{7,11}})" + _RIGHT,
    re.IGNORECASE,
)
_NOUN_BEHIND = re.compile(
    rf"(?<![0-9A-Za-z_+*=/\\¥￥$€£#])(?<!\d[.,\- ])({_GROUPED})(?=[ \-(（]{{0,2}}"
    r"(?:office|desk|mobile|cell|fax|work|home|direct|extension|办公|手机|电话|座机|传真)(?![A-Za-z]))",
    re.IGNORECASE,
)
_ALONE = re.compile(rf"(?m)^[ \t]*({_GROUPED})[ \t]*$")
_CONTACT = re.compile(
    r"@|www\.|https?://|\b(?:tel|phone|mobile|fax|address)\b|电话|手机|地址|邮箱", re.IGNORECASE
)
_BLOCK = 160
_DATE = re.compile(r"(?:19|20)\d\d[ \-./]\d{1,2}[ \-./]\d{1,2}|\d{1,2}[ \-./]\d{1,2}[ \-./](?:19|20)\d\d")
_TOLL_FREE = re.compile(r"(?:\+?1[ \-.]?)?\(?8(?:00|33|44|55|66|77|88)\)?[ \-.]|(?:400|800)[ \-]?\d{3,4}")


def phones(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of all that is written like a telephone number; they may overlap, the first are surer."""
    for pattern in (_PLUS, _BARE, _EXPLICIT):
        for match in pattern.finditer(text):
            yield match.span()
    for match in _ANNOUNCED.finditer(text):
        bracketed = match[1][0] in "(（" and not re.search("[)）]", match[1])
        yield match.start(1) + bracketed, match.end(1)
    for pattern in (_NEAR, _NOUN_BEHIND):
        for match in pattern.finditer(text):
            yield match.span(1)
    for match in _ALONE.finditer(text):
        if _CONTACT.search(text, max(match.start() - _BLOCK, 0), match.end() + _BLOCK):
            yield match.span(1)


def is_dialled(number: str) -> bool:
    """Whether this can be somebody's number: 7 to 15 digits, no date, no round figure, no toll-free line."""
    digits = digits_of(number)
    if not MIN_DIGITS <= len(digits) <= MAX_DIGITS + 6 * ("x" in number or "转" in number):
        return False
    if _DATE.fullmatch(number.strip("()")) or digits.endswith("00000") or len(set(digits)) < 3:
        return False
    return not _TOLL_FREE.match(number)
