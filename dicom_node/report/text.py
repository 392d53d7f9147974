"""The words of a report: the sentence that a person reads first, and the search's parameters."""

from dicom_node.report.codes import clean
from storage.answer import Answer, Hit

NOTICE = "Found by an algorithm and not reviewed by a person; not for diagnosis."


def summary(answer: Answer) -> str:
    """What was found, in plain English, for viewers that show nothing but text."""
    parts = [_outcome(answer), _order(answer), _labels(answer), _priors(answer), NOTICE]
    return " ".join(part for part in parts if part)


def parameters(answer: Answer) -> list[str]:
    """Everything that a repeat of the search needs, as Algorithm Parameters (TID 4019)."""
    space = answer.space
    values = {
        "space": space.id,
        "weights digest": space.weights_digest,
        "preprocessing": space.preprocessing,
        "window rule": space.window_rule,
        "slice rule": space.slice_rule,
        "pooling": space.pooling,
        "dimension": space.dimension,
        "metric": space.metric,
        "k": answer.asked,
        "level": f"percentile {answer.level:g}",
        "filters": ", ".join(f"{key} {value}" for key, value in sorted(answer.filters.items())),
        "searched": answer.searched,
        **_second_stage(answer),
    }
    return [f"{name}: {clean(str(value)) or 'none'}" for name, value in values.items()]


def _outcome(answer: Answer) -> str:
    searched = _count(answer.searched, "comparable study", "comparable studies")
    if answer.searched == 0:
        return "No similar study: there was no comparable study of another patient to search."
    if not answer.hits:
        return (
            f"No similar study: of {searched} of other patients, none reaches "
            f"percentile {answer.level:g} of similarity."
        )
    found = _count(len(answer.hits), "similar study", "similar studies")
    first = min(answer.hits, key=lambda hit: hit.rank)
    return f"{found} found among {searched} of other patients. The first is {_likeness(first)}."


def _likeness(hit: Hit) -> str:
    """The percentile before the cosine, which says little by itself."""
    if hit.percentile is None:
        return (
            f"at cosine similarity {hit.similarity:.3f}; the archive is too small for a percentile"
        )
    return f"at percentile {hit.percentile:.1f} (cosine similarity {hit.similarity:.3f})"


def _order(answer: Answer) -> str:
    """Said where the order is not that of the similarities beside the hits."""
    stage = answer.second_stage
    if stage is None or not stage.with_slices or not answer.hits:
        return ""
    return (
        f"Of the {_count(stage.studies, 'nearest study', 'nearest studies')} "
        f"{stage.with_slices:,} had slices to compare, and stand in the order of these."
    )


def _second_stage(answer: Answer) -> dict[str, str]:
    stage = answer.second_stage
    if stage is None:
        return {}
    told = f"{stage.slices} slices, {stage.with_slices} of {stage.studies} studies"
    return {"late interaction": told}


def _labels(answer: Answer) -> str:
    counts = answer.label_counts()
    if not counts:
        return ""
    total = len(answer.hits)
    listed = ", ".join(f"{clean(name)} {count} of {total}" for name, count in counts.items())
    return f"Labels: {listed}."


def _priors(answer: Answer) -> str:
    if not answer.priors:
        return ""
    found, listed = answer.count_priors(), len(answer.priors)
    counted = f"{_count(found, 'prior study', 'prior studies')} of the same patient"
    if listed < found:
        return f"{counted}, the {listed:,} most similar listed apart."
    return f"{counted} listed apart."


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
