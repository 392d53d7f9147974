"""What a run over many mutated files came to, as tables."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tests.fuzzing.examiner import Verdict
from tests.fuzzing.mutants import Place
from tests.fuzzing.seeds import Seed

FAR = 0.9
"""A cosine with the seed's vector below which a picture counts as another one."""

REASONS = 25


def summary(verdicts: Sequence[Verdict], seeds: Mapping[str, Seed]) -> str:
    """Tables of outcomes by seeds, place and encoding; reasons; the slowest and the largest."""
    coded = [verdict for verdict in verdicts if verdict.place is Place.CODED]
    blocks = (
        _outcomes("seeds", verdicts, lambda verdict: seeds[verdict.recipe.seed].group),
        _outcomes("place of the change", verdicts, lambda verdict: verdict.place.value),
        _outcomes("compressed pixel data", coded, lambda v: seeds[v.recipe.seed].encoding),
        _lines(_reasons("why there is no image", [v.reason for v in verdicts])),
        _lines(_reasons("why a header is refused or left out", [v.header for v in verdicts])),
        _lines(_extremes(verdicts)),
    )
    return "\n\n".join(blocks)


def findings(verdicts: Iterable[Verdict]) -> list[str]:
    """A line for each file that found something, its recipe first."""
    return [
        f"{verdict.recipe}: {'; '.join(verdict.findings)}"
        for verdict in verdicts
        if verdict.findings
    ]


def far(verdict: Verdict) -> bool:
    """Whether there is an image, and it is not much like the seed's."""
    return verdict.cosine is not None and verdict.cosine < FAR


def _outcomes(title: str, verdicts: Sequence[Verdict], group: Callable[[Verdict], str]) -> str:
    head = (title, "files", "no image", "seed's image", "another", f"cosine < {FAR}", "findings")
    groups = sorted({group(verdict) for verdict in verdicts})
    rows = [_row(name, [v for v in verdicts if group(v) == name]) for name in groups]
    return _table([head, *rows, _row("all", verdicts)])


def _row(name: str, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    images = [verdict for verdict in verdicts if verdict.reason is None]
    unchanged = sum(verdict.same for verdict in images)
    counts = (
        len(verdicts),
        len(verdicts) - len(images),
        unchanged,
        len(images) - unchanged,
        sum(map(far, images)),
        sum(bool(verdict.findings) for verdict in verdicts),
    )
    return (name, *map(str, counts))


def _reasons(title: str, found: Iterable[str | None]) -> Iterator[str]:
    reasons = Counter(shortened(reason) for reason in found if reason is not None)
    yield f"{title}: {len(reasons)} kinds of reasons, of which the most frequent"
    for reason, count in reasons.most_common(REASONS):
        yield f"{count:7} {reason}"


def shortened(reason: str) -> str:
    """A reason without what differs from file to file."""
    plain = re.sub(r"'[^']*'|b\"[^\"]*\"", "...", reason.partition(";")[0])
    return ascii(re.sub(r"\d[\d.]*", "N", plain)[:110]).strip("'\"")


def _extremes(verdicts: Sequence[Verdict]) -> Iterator[str]:
    for verdict in sorted(verdicts, key=_slowest)[:-4:-1]:
        yield f"slowest: {_slowest(verdict):.2f} s of processor time: {verdict.recipe}"
    for verdict in sorted(verdicts, key=_largest)[:-4:-1]:
        yield f"largest: {_largest(verdict) >> 20} MiB above idle: {verdict.recipe}"
    yield f"longest by the clock: {max(c.wall_s for v in verdicts for c in v.costs):.2f} s"


def _slowest(verdict: Verdict) -> float:
    return max(cost.cpu_s for cost in verdict.costs)


def _largest(verdict: Verdict) -> int:
    return max(cost.peak for cost in verdict.costs)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return _lines(
        "  ".join((row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:]))) for row in rows
    )


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)
