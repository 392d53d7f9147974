"""What the command line prints: answers as JSON by the contract, or as a table for people."""

from typing import Any

from storage.answer import Answer, Hit, StudyRecord


def answer_json(answer: Answer) -> dict[str, Any]:
    """The answer in the form that ``search --json`` promises."""
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
        "labels": [{"name": label.name, "value": label.value} for label in hit.labels],
        "modality": hit.image.modality,
        "body_part": hit.image.body_part,
        "view": hit.image.view,
        "series_instance_uid": hit.image.series_instance_uid,
        "sop_instance_uid": hit.image.sop_instance_uid,
        "frame": hit.image.frame_number,
    }


def answer_text(answer: Answer) -> str:
    """The answer as a table of hits, the label counts, and the priors."""
    head = (
        f"{len(answer.hits)} similar of {answer.searched} studies searched "
        f"({answer.space.encoder}, space {answer.space.id})"
    )
    if not answer.hits:
        head += f"\nNo similar study: none reaches percentile {answer.level:g}."
    parts = [head, *([_table(answer.hits)] if answer.hits else [])]
    if counts := answer.label_counts():
        parts.append("Labels: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    if answer.priors:
        found = answer.count_priors()
        few = f" (the {len(answer.priors)} most similar of {found})"
        head = "Priors of the same patient" + (few if found > len(answer.priors) else "")
        parts.append(f"{head}:\n" + _table(answer.priors))
    return "\n".join(parts)


def _table(hits: tuple[Hit, ...]) -> str:
    rows: list[tuple[str, ...]] = [
        ("rank", "percentile", "similarity", "modality", "age/sex", "date", "labels", "study")
    ]
    rows += [_row(hit) for hit in hits]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


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
