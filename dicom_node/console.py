"""What the command line prints: answers as JSON by the contract, or as a table for people."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from storage.answer import Answer, ByCommunities, Hit, Refined, SecondStage, StudyRecord


def answer_json(answer: Answer) -> dict[str, Any]:
    """The answer in the form that ``search --json`` promises.

    ``also`` and ``refined`` are there only where the question was of several studies, or refined;
    ``strategy``, ``communities`` and each hit's ``way`` where it was not searched for the nearest.
    """
    also = {"also": list(answer.also)} if answer.also else {}
    refined = {"refined": _refined_json(answer.refined)} if answer.refined else {}
    return {
        "query": _study_json(answer.query),
        "space": answer.space.id,
        "encoder": answer.space.encoder,
        "searched": answer.searched,
        "asked": answer.asked,
        "level": answer.level,
        "hits": [_hit_json(hit) for hit in answer.hits],
        "priors": [_hit_json(prior) for prior in answer.priors],
        "priors_found": answer.count_priors(),
        "label_counts": answer.label_counts(),
        "second_stage": None if answer.second_stage is None else asdict(answer.second_stage),
        **also,
        **refined,
        **_strategy_json(answer.by_communities),
    }


def _strategy_json(told: ByCommunities | None) -> dict[str, Any]:
    return {} if told is None else {"strategy": "communities", "communities": asdict(told)}


def _refined_json(refined: Refined) -> dict[str, Any]:
    return {
        "by": "feedback" if refined.by_reader else "request",
        "more": list(refined.more),
        "less": list(refined.less),
        "left_out": list(refined.left_out),
    }


def _study_json(study: StudyRecord) -> dict[str, Any]:
    return {
        "study_instance_uid": study.study_instance_uid,
        "patient_id": study.patient_id,
        "issuer_of_patient_id": study.issuer_of_patient_id,
        "sex": study.sex,
        "age": study.age,
        "study_date": study.study_date,
        "description": study.description,
    }


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        **_study_json(hit.study),
        "similarity": hit.similarity,
        "percentile": hit.percentile,
        "slice_similarity": hit.slice_similarity,
        "labels": [{"name": label.name, "value": label.value} for label in hit.labels],
        "modality": hit.image.modality,
        "body_part": hit.image.body_part,
        "view": hit.image.view,
        "series_instance_uid": hit.image.series_instance_uid,
        "sop_instance_uid": hit.image.sop_instance_uid,
        "frame": hit.image.frame_number,
        **({} if hit.way is None else {"way": str(hit.way)}),
    }


def answer_text(answer: Answer) -> str:
    """The answer as a table of hits, the label counts, and the priors."""
    head = (
        f"{len(answer.hits)} similar of {answer.searched} studies searched "
        f"({answer.space.encoder}, space {answer.space.id})"
    )
    if answer.refined is not None:
        more, less = len(answer.refined.more), len(answer.refined.less)
        head += f"\nOrdered by marks: {more} to be more like, {less} to be less like and left out."
    if not answer.hits:
        head += f"\nNo similar study: {_why_none(answer)}."
    if answer.second_stage is not None and answer.second_stage.slices:
        head += f"\n{second_stage_text(answer.second_stage)}"
    if answer.by_communities is not None:
        head += f"\n{communities_text(answer.by_communities, answer.hits)}"
    parts = [head, *([_table(answer.hits)] if answer.hits else [])]
    if counts := answer.label_counts():
        parts.append("Labels: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    if answer.priors:
        found = answer.count_priors()
        few = f" (the {len(answer.priors)} most similar of {found})"
        head = "Priors of the same patient" + (few if found > len(answer.priors) else "")
        parts.append(f"{head}:\n" + _table(answer.priors))
    return "\n".join(parts)


def _why_none(answer: Answer) -> str:
    if not answer.searched and answer.filters:
        return "no comparable study of another patient fits the filters"
    if not answer.searched:
        return "there is no comparable study of another patient"
    which = "none"
    if answer.refined is not None and answer.refined.less:
        which = "none that was not marked as less like it"
    return f"{which} reaches percentile {answer.level:g}"


def second_stage_text(stage: SecondStage) -> str:
    """What was compared slice by slice, in words."""
    return (
        f"Of the {stage.studies} nearest studies {stage.with_slices} have slices kept, and are in "
        f"the order of their likeness to the {stage.slices} slices of the study asked with."
    )


def communities_text(told: ByCommunities, hits: Sequence[Hit]) -> str:
    """How a search by communities found its hits, in words."""
    grown = sum(hit.way == "region" for hit in hits)
    said = (
        f"Searched by communities ({told.method}), the query having {told.edges} edges: "
        f"{grown} hits by region, {len(hits) - grown} as plain nearest."
    )
    if told.not_held:
        said += f"\n{told.not_held} vectors came since they were made, and are not found."
    return said


def _table(hits: tuple[Hit, ...]) -> str:
    rows: list[tuple[str, ...]] = [
        ("rank", "percentile", "similarity", "modality", "age/sex", "date", "labels", "study")
    ]
    rows += [_row(hit) for hit in hits]
    if any(hit.slice_similarity is not None for hit in hits):
        by_slices = ["slices", *(_or_dash(hit.slice_similarity) for hit in hits)]
        rows = [(*row[:3], said, *row[3:]) for row, said in zip(rows, by_slices, strict=True)]
    if any(hit.way is not None for hit in hits):
        ways = ["way", *(hit.way or "-" for hit in hits)]
        rows = [(*row[:3], said, *row[3:]) for row, said in zip(rows, ways, strict=True)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _or_dash(cosine: float | None) -> str:
    return "-" if cosine is None else f"{cosine:.4f}"


def _row(hit: Hit) -> tuple[str, ...]:
    present = [label.name for label in hit.labels if label.value == 1]
    modality = f"{hit.image.modality} {hit.image.view or ''}".strip()
    return (
        str(hit.rank),
        "-" if hit.percentile is None else f"{hit.percentile:.1f}",
        f"{hit.similarity:.4f}",
        modality,
        f"{'?' if hit.study.age is None else hit.study.age}/{hit.study.sex or '?'}",
        hit.study.study_date or "-",
        ", ".join(present) or "-",
        hit.study.study_instance_uid,
    )
