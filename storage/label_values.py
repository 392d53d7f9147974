"""The values of labels in the words that people write."""

PRESENT, ABSENT, UNCERTAIN = 1, 0, -1
WORDS = {
    "present": PRESENT,
    "positive": PRESENT,
    "yes": PRESENT,
    "true": PRESENT,
    "absent": ABSENT,
    "negative": ABSENT,
    "no": ABSENT,
    "false": ABSENT,
    "uncertain": UNCERTAIN,
}
"""Beside 1, 0 and -1; docs/labels.md lists them."""
UNSAID = frozenset({"", "nan"})
"""A cell of a table with one column for each label, where nothing is said: pandas writes both."""

_MINUS_SIGN = "\N{MINUS SIGN}"  # what word processors make of a hyphen before a digit


def value_of(text: str) -> int | None:
    """1, 0 or -1, however it is written (``1.0``, ``yes``, ``Absent``); None if it is none."""
    word = text.strip().casefold().replace(_MINUS_SIGN, "-")
    if word in WORDS:
        return WORDS[word]
    try:
        number = float(word)
    except ValueError:
        return None
    return int(number) if number in {PRESENT, ABSENT, UNCERTAIN} else None
