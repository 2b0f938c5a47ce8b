r"""Equations of Office as LaTeX: `m:f` becomes `\frac{a}{b}`.

Source: ECMA-376-1, 22.1 (Office Math Markup Language).
Deviation: looks (fonts, boxes, spacing) are passed over; an unknown construct gives the texts in it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from zhiling.sources.pages.office.package import attribute, child, children, local

_SYMBOLS = {
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\epsilon", "θ": r"\theta",
    "λ": r"\lambda", "μ": r"\mu", "π": r"\pi", "ρ": r"\rho", "σ": r"\sigma", "τ": r"\tau", "φ": r"\phi",
    "ω": r"\omega", "Δ": r"\Delta", "Σ": r"\Sigma", "Ω": r"\Omega", "×": r"\times", "÷": r"\div", "±": r"\pm",
    "∓": r"\mp", "∞": r"\infty", "≤": r"\leq", "≥": r"\geq", "≠": r"\neq", "≈": r"\approx", "≡": r"\equiv",
    "→": r"\to", "⇒": r"\Rightarrow", "⇔": r"\Leftrightarrow", "∈": r"\in", "∉": r"\notin", "⊂": r"\subset",
    "∪": r"\cup", "∩": r"\cap", "∀": r"\forall", "∃": r"\exists", "∂": r"\partial", "∇": r"\nabla",
    "⋅": r"\cdot", "∙": r"\cdot", "⋯": r"\cdots", "∑": r"\sum", "∏": r"\prod", "∐": r"\coprod",
    "∫": r"\int", "∬": r"\iint", "∭": r"\iiint", "∮": r"\oint", "∯": r"\oiint", "∰": r"\oiiint",
    "⋃": r"\bigcup", "⋂": r"\bigcap", "⋁": r"\bigvee", "⋀": r"\bigwedge", "√": r"\surd", "−": "-",
    "{": r"\{", "}": r"\}", "%": r"\%", "#": r"\#", "&": r"\&", "$": r"\$", "_": r"\_", "~": r"\sim",
    "\\": r"\backslash",
}  # fmt: skip
_FACES = re.compile(r"[\u2100-\u214f\U0001d400-\U0001d7ff]")
_ACCENTS = {
    "\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0305": "overline", "\u20d7": "vec",
    "\u0307": "dot", "\u0308": "ddot", "\u030c": "check", "¯": "bar", "→": "vec", "^": "hat",
}  # fmt: skip
_FUNCTIONS = frozenset(
    {"sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "log",
     "ln", "lg", "exp", "lim", "max", "min", "sup", "inf", "det", "gcd"}
)  # fmt: skip
_BRACKETS = {
    "": ".", "{": r"\{", "}": r"\}", "⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil",
    "⟨": r"\langle", "⟩": r"\rangle", "〈": r"\langle", "〉": r"\rangle", "‖": r"\|",
}  # fmt: skip


def latex(element: Any) -> str:
    """The formula in an `oMath`, without dollar signs."""
    return " ".join(_inside(element).split())


def _inside(element: Any) -> str:
    return "".join(map(_of, element)) if element is not None else ""


def _of(element: Any) -> str:
    name = local(element)
    if name == "t":
        return _text(element.text or "")
    if name.endswith("Pr") or name in ("del", "moveFrom"):
        return ""
    return _WRITERS.get(name, _inside)(element)


def _text(text: str) -> str:
    """Signs as commands; letters that are only set in another face (𝑎) as the letters that they are."""
    plain = _FACES.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    signs = (_SYMBOLS.get(each, each) for each in plain)
    return "".join(f"{sign} " if sign.startswith("\\") else sign for sign in signs)


def _part(element: Any, name: str) -> str:
    return _inside(child(element, name)).strip()


def _property(element: Any, name: str, default: str) -> str:
    """The value of a property; the default where it is not there."""
    for properties in element:
        if local(properties).endswith("Pr") and (found := child(properties, name)) is not None:
            return attribute(found, "val")
    return default


def _fraction(element: Any) -> str:
    above, below = _part(element, "num"), _part(element, "den")
    return (
        f"{above}/{below}" if _property(element, "type", "bar") == "lin" else rf"\frac{{{above}}}{{{below}}}"
    )


def _scripts(element: Any) -> str:
    below, above = child(element, "sub"), child(element, "sup")
    base = _part(element, "e")
    return base + _limits(below, above)


def _limits(below: Any, above: Any) -> str:
    low, high = _inside(below).strip(), _inside(above).strip()
    return (f"_{{{low}}}" if low else "") + (f"^{{{high}}}" if high else "")


def _before(element: Any) -> str:
    return "{}" + _limits(child(element, "sub"), child(element, "sup")) + _part(element, "e")


def _root(element: Any) -> str:
    degree = _part(element, "deg")
    return rf"\sqrt{f'[{degree}]' if degree else ''}{{{_part(element, 'e')}}}"


def _n_ary(element: Any) -> str:
    sign = _text(_property(element, "chr", "∫")).strip()
    return f"{sign}{_limits(child(element, 'sub'), child(element, 'sup'))}{{{_part(element, 'e')}}}"


def _delimited(element: Any) -> str:
    left, right = _property(element, "begChr", "("), _property(element, "endChr", ")")
    between = _text(_property(element, "sepChr", "|"))
    inner = between.join(_inside(each).strip() for each in children(element, "e"))
    return rf"\left{_BRACKETS.get(left, left)} {inner}\right{_BRACKETS.get(right, right)} "


def _function(element: Any) -> str:
    name = _part(element, "fName")
    head, mark, rest = name.partition("_")
    word = head.strip()
    named = rf"\{word}{mark}{rest}" if word in _FUNCTIONS else name
    return rf"{named}{{{_part(element, 'e')}}}"


def _matrix(element: Any) -> str:
    rows = [
        " & ".join(_inside(each).strip() for each in children(row, "e")) for row in children(element, "mr")
    ]
    return _environment("matrix", rows)


def _equations(element: Any) -> str:
    return _environment("aligned", [_inside(each).strip() for each in children(element, "e")])


def _environment(name: str, lines: list[str]) -> str:
    inner = r" \\ ".join(lines)
    return rf"\begin{{{name}}}{inner}\end{{{name}}}"


def _accented(element: Any) -> str:
    return rf"\{_ACCENTS.get(_property(element, 'chr', chr(0x302)), 'hat')}{{{_part(element, 'e')}}}"


def _barred(element: Any) -> str:
    command = "overline" if _property(element, "pos", "bot") == "top" else "underline"
    return rf"\{command}{{{_part(element, 'e')}}}"


def _grouped(element: Any) -> str:
    command = "overbrace" if _property(element, "pos", "bot") == "top" else "underbrace"
    return rf"\{command}{{{_part(element, 'e')}}}"


def _limit(element: Any) -> str:
    limit = _part(element, "lim")
    return f"{_part(element, 'e')}{'_' if local(element) == 'limLow' else '^'}{{{limit}}}"


def _run(element: Any) -> str:
    return "".join(_text(each.text or "") for each in children(element, "t"))


_WRITERS: dict[str, Callable[[Any], str]] = {
    "r": _run,
    "f": _fraction,
    "sSub": _scripts,
    "sSup": _scripts,
    "sSubSup": _scripts,
    "sPre": _before,
    "rad": _root,
    "nary": _n_ary,
    "d": _delimited,
    "func": _function,
    "m": _matrix,
    "eqArr": _equations,
    "acc": _accented,
    "bar": _barred,
    "groupChr": _grouped,
    "limLow": _limit,
    "limUpp": _limit,
}
