"""Phrases as the rules' file writes them, and text in the form in which they are sought."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

GAP = r"(?: [a-z0-9']+){0,6}"
"""What ``...`` stands for: words of one clause."""
NOTHING = re.compile(r"(?!)")
_TOKEN = re.compile(r"[a-z0-9]+(?:'[a-z]+)?|[;:,()?]")
_SHORT_FORMS = {
    r"\br/o\b": "rule out",
    r"\bs/p\b": "status post",
    r"\bh/o\b": "history of",
    r"\bhx of\b": "history of",
    r"\bw/o\b": "without",
    r"\bc/w\b": "consistent with",
    r"\band/or\b": "or",
    r"\bvs\b\.?": "versus",
    r"\bcan't\b": "cannot",
    r"\bcan not\b": "cannot",
    r"\b(is|are|was|were|does|do|has|have)n't\b": r"\1 not",
    r"(?<=[a-z])/(?=[a-z])": " or ",
    r"cardio mediastinal": "cardiomediastinal",
    r"oedema": "edema",
    r"haemo": "hemo",
    r"tumour": "tumor",
    r"visualised": "visualized",
}


def plain(text: str) -> str:
    """The text in small letters: words and ``; : , ( ) ?``, one blank between any two."""
    spelt = (
        unicodedata.normalize("NFKC", text)
        .casefold()
        .replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    )
    for form, long in _SHORT_FORMS.items():
        spelt = re.sub(form, long, spelt)
    return " ".join(_TOKEN.findall(spelt))


def pattern(phrases: Iterable[str], words: Mapping[str, Sequence[str]]) -> re.Pattern[str]:
    """One expression for all phrases, the longest first; one that nothing fits if there are none.

    Raises:
        KeyError: a phrase names a list of words that is not there.
    """
    longest_first = sorted(set(phrases), key=lambda phrase: (-len(phrase), phrase))
    if not longest_first:
        return NOTHING
    return re.compile("|".join(f"(?:{_expression(phrase, words)})" for phrase in longest_first))


def _expression(phrase: str, words: Mapping[str, Sequence[str]]) -> str:
    made, blank = "", ""
    for word in phrase.split():
        if word == "...":
            made += GAP
        elif word == "$":
            made += r"\Z"
        elif not word.startswith("<"):
            made += blank + _word(word)
        else:
            listed = "|".join(map(re.escape, words[word[1:-1]]))
            # a blank goes with each word, before it or, where the phrase begins so, behind it
            made += rf"(?:{blank}(?:{listed})){{0,4}}" if made else rf"(?:(?:{listed}) ){{0,4}}"
            continue
        blank = " "
    return rf"(?<!\S){made}(?!\S)"


def _word(word: str) -> str:
    parts = word.split("/")
    spelt = [
        re.escape(part.rstrip("*")) + (r"[a-z0-9']*" if part.endswith("*") else "")
        for part in parts
    ]
    return spelt[0] if len(spelt) == 1 else f"(?:{'|'.join(spelt)})"
