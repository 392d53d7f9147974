"""The synthetic archive: studies with known findings, one by one, the same at every run."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from pydicom.dataset import Dataset

from evaluation.synthetic.anatomy import Anatomy, draw_anatomy, with_findings
from evaluation.synthetic.chest_ct import draw_scan, render_ct
from evaluation.synthetic.chest_radiograph import draw_exposure, render_frontal
from evaluation.synthetic.ct_objects import ct_objects, draw_series_form
from evaluation.synthetic.dicom import StudyHeader
from evaluation.synthetic.findings import (
    CT_FINDINGS,
    RADIOGRAPH_FINDINGS,
    Findings,
    choose,
    draw_findings,
)
from evaluation.synthetic.lateral_radiograph import render_lateral
from evaluation.synthetic.radiograph_objects import draw_form, radiograph_object

MODALITIES = ("DX", "CR", "CT")
# Ten new patients and one follow-up make a block; one of the ten gets a CT series.
_BLOCK = 11
# Independent streams of random numbers, so that a change of one leaves the others alone.
_PLAN, _PATIENT, _FINDINGS, _DATES, _PIXELS = range(5)


class Labelled(Protocol):
    """What ``write_labels`` needs of a study."""

    @property
    def study_instance_uid(self) -> str:
        """Study Instance UID (0020,000D)."""

    @property
    def labels(self) -> Mapping[str, int]:
        """Value 1 or 0 by name."""


@dataclass(frozen=True)
class SyntheticStudy:
    """One study and what is known of it.

    Attributes:
        study_instance_uid: Study Instance UID (0020,000D).
        patient_id: Patient ID (0010,0020); a follow-up shares its prior's.
        modality: "DX", "CR" or "CT".
        labels: 1 or 0 for every finding that may be drawn in this modality, and for "normal".
        datasets: the objects with their file meta information, Explicit VR Little Endian.
    """

    study_instance_uid: str
    patient_id: str
    modality: str
    labels: Mapping[str, int]
    datasets: tuple[Dataset, ...]


@dataclass(frozen=True)
class _Plan:
    """What stands at one place of the archive; ``prior`` is the index followed up, or None."""

    patient: int
    modality: str
    prior: int | None


def make_study(index: int, *, seed: int = 1, modality: str | None = None) -> SyntheticStudy:
    """The study at ``index`` (from 0) of the archive of ``seed``.

    Args:
        index: place in the archive; any place can be made without those before it.
        seed: which archive. Patients of different seeds are different people.
        modality: "DX", "CR" or "CT" to have this patient imaged so; None for the archive's own.

    Raises:
        ValueError: a negative index or seed, or another modality.
    """
    _check(index, seed, modality)
    plan = _plan(index, seed)
    kind = modality or plan.modality
    names = CT_FINDINGS if kind == "CT" else RADIOGRAPH_FINDINGS
    anatomy = draw_anatomy(_stream(seed, plan.patient, _PATIENT))
    header = StudyHeader(seed, index, plan.patient, kind, _day(index, seed, plan), anatomy)
    findings = _findings(index, seed, plan, names)
    rng = _stream(seed, index, _PIXELS)
    make = _ct if kind == "CT" else _radiographs
    return SyntheticStudy(
        study_instance_uid=str(header.uid("study")),
        patient_id=header.patient_id,
        modality=kind,
        labels=findings.labels(names),
        datasets=tuple(make(header, findings, rng)),
    )


def archive(count: int, *, seed: int = 1) -> Iterator[SyntheticStudy]:
    """The first ``count`` studies, each made when it is asked for.

    About one in ten is a CT study, and one patient in ten has a prior and a follow-up.

    Raises:
        ValueError: a negative count or seed, at the call and not at the first study.
    """
    if count < 0:
        raise ValueError(f"count must be 0 or more, not {count}")
    _check(0, seed, None)
    return (make_study(index, seed=seed) for index in range(count))


def write_labels(studies: Iterable[Labelled], path: Path) -> None:
    """Write the findings as CSV: study_instance_uid, label, value; one line per finding."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("study_instance_uid", "label", "value"))
        for study in studies:
            writer.writerows(
                (study.study_instance_uid, name, value) for name, value in study.labels.items()
            )


def _check(index: int, seed: int, modality: str | None) -> None:
    if index < 0:
        raise ValueError(f"index must be 0 or more, not {index}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}")
    if modality is not None and modality not in MODALITIES:
        raise ValueError(f"modality must be one of {', '.join(MODALITIES)}, not {modality!r}")


def _stream(seed: int, number: int, what: int) -> np.random.Generator:
    return np.random.default_rng([seed, number, what])


def _plan(index: int, seed: int) -> _Plan:
    """Who is imaged at ``index``, and how."""
    block, member = divmod(index, _BLOCK)
    rng = _stream(seed, block, _PLAN)
    ct, followed = int(rng.integers(_BLOCK - 1)), int(rng.integers(_BLOCK - 1))
    digital = rng.random(_BLOCK) < 0.5
    person = followed if member == _BLOCK - 1 else member
    radiograph = "DX" if digital[member] else "CR"
    return _Plan(
        patient=block * (_BLOCK - 1) + person + 1,
        modality="CT" if person == ct else radiograph,
        prior=block * _BLOCK + followed if member == _BLOCK - 1 else None,
    )


def _day(index: int, seed: int, plan: _Plan) -> int:
    """Days since the archive's first; a follow-up comes 20 to 400 days after its prior."""
    if plan.prior is None:
        return index // 3
    return plan.prior // 3 + int(_stream(seed, index, _DATES).integers(20, 401))


def _findings(index: int, seed: int, plan: _Plan, names: tuple[str, ...]) -> Findings:
    """What is to be seen; every second follow-up shows its prior's findings, changed in size."""
    rng = _stream(seed, index, _FINDINGS)
    present = choose(rng, names)
    if plan.prior is not None and rng.random() < 0.5:
        present = choose(_stream(seed, plan.prior, _FINDINGS), names)
    return draw_findings(rng, present)


def _radiographs(
    header: StudyHeader, findings: Findings, rng: np.random.Generator
) -> Iterator[Dataset]:
    """A frontal view, and after some PA views a lateral one."""
    view = "AP" if rng.random() < 0.3 else "PA"
    form = draw_form(rng, header.modality)
    lateral = view == "PA" and rng.random() < 0.15
    exposure = draw_exposure(rng, view, _height(header.anatomy, findings))
    bright = render_frontal(header.anatomy, findings, exposure, rng)
    yield radiograph_object(header, bright, exposure, form, 1)
    if lateral:
        exposure = draw_exposure(rng, "LL", _height(header.anatomy, findings))
        bright = render_lateral(header.anatomy, findings, exposure, rng)
        yield radiograph_object(header, bright, exposure, form, 2)


def _height(anatomy: Anatomy, findings: Findings) -> float:
    """What a radiograph must show from top to bottom, in cm."""
    return with_findings(anatomy, findings).lung_height + 8.0


def _ct(header: StudyHeader, findings: Findings, rng: np.random.Generator) -> Iterator[Dataset]:
    """An axial series, with localizers after it in half the studies."""
    scan = draw_scan(rng, header.anatomy)
    form = draw_series_form(rng)
    volume = render_ct(header.anatomy, findings, scan, rng)
    return ct_objects(header, volume, scan, form)
