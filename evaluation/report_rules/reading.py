"""A report's labels: what its sentences say, taken together."""

from collections.abc import Iterable

from evaluation.report_rules.mentions import ABSENT, PRESENT, UNCERTAIN, labels_of_sentence
from evaluation.report_rules.rules import Rules
from evaluation.report_rules.sections import sentences
from storage.answer import Label

_STRENGTH = {ABSENT: 0, UNCERTAIN: 1, PRESENT: 2}


def labels_of(texts: Iterable[str], rules: Rules) -> list[Label]:
    """What the texts of one study say, by name: each finding once.

    What is present in one sentence is present; else what is uncertain in one is uncertain; what
    no sentence names has no label (Irvin et al., CheXpert, 2019).
    """
    return strongest(
        label
        for text in texts
        for sentence in sentences(text, rules)
        for label in labels_of_sentence(sentence, rules)
    )


def strongest(said: Iterable[Label]) -> list[Label]:
    """Of several words on one finding the strongest, by name: present, uncertain, absent."""
    found: dict[str, Label] = {}
    for label in said:
        before = found.setdefault(label.name, label)
        if _STRENGTH[label.value] > _STRENGTH[before.value]:
            found[label.name] = label
    return [found[name] for name in sorted(found)]
