"""What the verbs of labels tell: what became of labels that came, and who says what."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dicom_node.labelling.taking import Outcome
from storage.label_imports import Taken
from storage.label_versions import Source

MOST_NAMES = 30
MOST_VERSIONS = 10
"""In the text; JSON has all."""


def outcome_text(outcome: Outcome, *, dry_run: bool) -> str:
    """How many labels came, of which source and version, and how many of each."""
    done = "labels would be stored; nothing was written" if dry_run else "labels stored"
    lines = [f"{outcome.said} {done}", *(f"  {_of_source(taken)}" for taken in outcome.taken)]
    for name in sorted(outcome.counts)[:MOST_NAMES]:
        counts = outcome.counts[name]
        said = ", ".join(
            f"{counts[value]} {value}"
            for value in ("present", "absent", "uncertain")
            if counts[value]
        )
        lines.append(f"  {name}: {said}")
    if len(outcome.counts) > MOST_NAMES:
        lines.append(f"  and {len(outcome.counts) - MOST_NAMES} more labels")
    return "\n".join(lines)


def _of_source(taken: Taken) -> str:
    if not taken.news:
        return f"{taken.source}: nothing new" + (
            f" since version {taken.version}" if taken.version else ""
        )
    parts = (
        (taken.added, "new"),
        (taken.changed, "changed"),
        (taken.dropped, "taken back"),
        (taken.said - taken.added - taken.changed, "as before"),
    )
    told = ", ".join(f"{count} {what}" for count, what in parts if count)
    return f"{taken.source}, version {taken.version}: {told}"


def others_text(others: Mapping[str, int]) -> Iterator[str]:
    """Files that say nothing, by what they are."""
    for what, count in sorted(others.items()):
        yield f"{count} files left out: {what}"


def sources_text(sources: Sequence[Source]) -> str:
    """Each source with its last versions, the newest first."""
    lines = []
    for source in sources:
        superseded = f", {source.superseded} superseded" if source.superseded else ""
        lines.append(f"{source.name}: {source.standing} labels{superseded}")
        for version in source.versions[: -MOST_VERSIONS - 1 : -1]:
            when = version.made_at.astimezone().strftime("%Y-%m-%d %H:%M")
            digest = f", SHA-256 {version.sha256[:12]}…" if version.sha256 else ""
            lines.append(
                f"  {version.version}  {when}  {version.kind}, {version.words} labels{digest}"
            )
        if len(source.versions) > MOST_VERSIONS:
            lines.append(f"  and {len(source.versions) - MOST_VERSIONS} earlier versions")
    return "\n".join(lines)


def sources_json(sources: Sequence[Source]) -> list[dict[str, Any]]:
    """The same for programs, with every version in order."""
    return [
        {
            "source": source.name,
            "labels": source.standing,
            "superseded": source.superseded,
            "versions": [
                {**vars(version), "made_at": version.made_at.isoformat()}
                for version in source.versions
            ],
        }
        for source in sources
    ]
