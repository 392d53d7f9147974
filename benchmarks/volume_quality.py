"""What the order by slices is worth, on synthetic chest CT, as a Markdown table.

Run ``python -m benchmarks.volume_quality``. Of each study of the synthetic archive up to 32 slices
are embedded with the baseline. Each study asks among those of other patients; told is how often
the first hit, and which share of the first five, has a finding of the study asked with. All
findings of this archive are drawn at the middle slice, which no real archive's are: so a slice a
quarter from the lower end stands for a middle slice that misses them. Intervals are of 95 %.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.machine import as_list, provenance
from encoders.baseline_encoder import BaselineEncoder
from encoders.checked import CheckedEncoder
from encoders.choice import ChosenImage, choose_images
from encoders.grayscale import read_image
from encoders.header import ImageHeader
from evaluation.synthetic.archive import SyntheticStudy, make_study
from storage.late_interaction import max_sim
from storage.slices import as_unit

SLICES = 32
NORMAL = "normal"
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Embedded:
    """A study: its patient, findings, slices (n, dimension), and the middle one's place."""

    patient: str
    findings: frozenset[str]
    slices: NDArray[np.float64]
    middle: int


def embedded(study: SyntheticStudy, encoder: CheckedEncoder) -> Embedded:
    """The slices of its largest series."""
    by_uid = {dataset.SOPInstanceUID: dataset for dataset in study.datasets}
    headers = map(ImageHeader.from_dataset, study.datasets)
    series = max(choose_images(headers, spread_over=SLICES).chosen, key=_count)
    uids = [one.header.sop_instance_uid for one in series.spread]
    vectors = encoder.embed([read_image(by_uid[uid]) for uid in uids])
    said = frozenset(name for name, value in study.labels.items() if value == 1)
    middle = uids.index(series.header.sop_instance_uid)
    return Embedded(study.patient_id, said - {NORMAL}, as_unit(vectors), middle)


def _count(chosen: ChosenImage) -> int:
    return len(chosen.spread)


def ways(studies: list[Embedded], rerank: int) -> Iterator[tuple[str, Scores]]:
    """Each way to compare, with the score of each study (column) for each that asks (row)."""
    middle = _cosines(np.stack([one.slices[one.middle] for one in studies]))
    aside = _cosines(np.stack([one.slices[len(one.slices) // 4] for one in studies]))
    by_slices = np.array([[max_sim(a.slices, b.slices) for b in studies] for a in studies])
    yield "the middle slice, where the findings lie", middle
    yield "a slice a quarter from the lower end", aside
    yield "the mean of the slices", _cosines(as_unit([one.slices.mean(axis=0) for one in studies]))
    yield "late interaction with all studies", by_slices
    yield f"the slice aside, then late interaction with {rerank}", _then(aside, by_slices, rerank)
    yield "chance", np.random.default_rng(0).random(middle.shape)


def _cosines(vectors: NDArray[np.float64]) -> Scores:
    found: Scores = vectors @ vectors.T
    return found


def _then(first: Scores, second: Scores, most: int) -> Scores:
    """The second scores for the best ``most`` by the first, which stand before all others."""
    places = np.argsort(np.argsort(-first, axis=1), axis=1)
    return np.where(places < most, 10.0 + second, first)


def alike(studies: list[Embedded], scores: Scores) -> NDArray[np.bool_]:
    """Whether each of the first five hits shares a finding, for each study that has any."""
    found = []
    for at, asked in enumerate(studies):
        if asked.findings:
            others = [n for n in np.argsort(-scores[at]) if studies[n].patient != asked.patient]
            found.append([bool(asked.findings & studies[n].findings) for n in others[:5]])
    return np.array(found, np.bool_)


def told(found: NDArray[np.bool_], usual: NDArray[np.bool_]) -> str:
    """Cells: precision of the first hit, its difference from the usual way's, and of five.

    The difference is of pairs: both ways were asked the same questions.
    """
    first = found[:, 0].astype(np.float64)
    difference = with_interval(first - usual[:, 0])
    return f"{with_interval(first)} | {difference} | {found.mean():.3f}"


def with_interval(values: NDArray[np.float64]) -> str:
    """The mean with its 95 % by the normal approximation."""
    wide = 1.96 * float(values.std()) / len(values) ** 0.5
    return f"{values.mean():.3f} ± {wide:.3f}"


def main() -> None:
    """Measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=120)
    count: int = parser.parse_args().studies
    encoder = CheckedEncoder(BaselineEncoder())
    studies = [
        embedded(make_study(number, modality="CT"), encoder)
        for number in tqdm(range(count), "studies", disable=None)
    ]
    asking = sum(bool(one.findings) for one in studies)
    lines = [*as_list(provenance("benchmarks.volume_quality")), f"- questions: {asking}", ""]
    found = {name: alike(studies, scores) for name, scores in ways(studies, rerank=count // 2)}
    usual, *_ = found.values()
    lines += ["| compared by | first hit | less that of the middle slice | first five |"]
    lines += ["|---|---|---|---|"]
    lines += [f"| {name} | {told(of, usual)} |" for name, of in found.items()]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
