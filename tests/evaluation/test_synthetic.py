"""The synthetic archive: repeatable, valid DICOM, and its labels are in its pixels."""

import csv
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from evaluation.synthetic import SyntheticStudy, archive, make_study, write_labels
from evaluation.synthetic.anatomy import draw_anatomy
from evaluation.synthetic.chest_ct import Scan, render_ct
from evaluation.synthetic.chest_radiograph import draw_exposure, render_frontal
from evaluation.synthetic.findings import Findings, draw_findings

DCIODVFY = shutil.which("dciodvfy")
Floats = NDArray[np.floating[Any]]


@pytest.fixture(scope="module")
def studies() -> tuple[SyntheticStudy, ...]:
    return tuple(archive(55))


@pytest.fixture(scope="module")
def radiographs(studies: tuple[SyntheticStudy, ...]) -> list[tuple[SyntheticStudy, Dataset]]:
    return [(s, d) for s in studies if s.modality != "CT" for d in s.datasets]


@pytest.fixture(scope="module")
def ct_studies() -> tuple[SyntheticStudy, ...]:
    return tuple(make_study(index, modality="CT") for index in range(8))


def hounsfield(ds: Dataset) -> Floats:
    return np.asarray(apply_modality_lut(ds.pixel_array, ds))


def axial(study: SyntheticStudy) -> list[Dataset]:
    return [ds for ds in study.datasets if "LOCALIZER" not in ds.ImageType]


def displayed(ds: Dataset) -> Floats:
    """Brightness in [0, 1] by pydicom's VOI LUT, and inverted where the polarity says so."""
    shown = np.asarray(apply_voi_lut(ds.pixel_array, ds), dtype=np.float64) / (2**ds.BitsStored - 1)
    return np.asarray(1.0 - shown) if ds.PhotometricInterpretation == "MONOCHROME1" else shown


def dark_run(half: Floats, limit: float) -> tuple[int, int]:
    """Where, from the midline outwards, the first run below ``limit`` begins and ends."""
    dark = np.flatnonzero(half < limit)
    if not dark.size:
        return 0, 0
    bright = np.flatnonzero(half[dark[0] :] >= limit)
    return int(dark[0]), int(dark[0] + (bright[0] if bright.size else 0))


def cardiothoracic_ratio(image: Floats) -> float:
    """Widest heart over widest chest, measured between the lungs above the right diaphragm."""
    rows, columns = image.shape
    middle, heart = columns // 2, columns // 50
    chest = image[int(0.3 * rows) : int(0.45 * rows)]
    lung = np.quantile(chest[:, columns // 4 : 3 * columns // 4], 0.25)
    limit = float(0.5 * (lung + np.median(chest[:, middle - heart : middle + heart])))
    right_lung = image[int(0.45 * rows) :, int(0.2 * columns) : int(0.36 * columns)].mean(1)
    dome = int(0.45 * rows) + int(np.flatnonzero(right_lung > limit)[0])
    ratios = [0.0]
    for top in range(int(0.4 * rows), dome - rows // 10, rows // 50):
        profile = image[top : top + rows // 16].mean(0)  # a band, so that ribs wash out
        right, left = dark_run(profile[:middle][::-1], limit), dark_run(profile[middle:], limit)
        if right[1] - right[0] > 0.13 * columns and left[1] - left[0] > 0.05 * columns:
            ratios.append((right[0] + left[0]) / (right[1] + left[1]))
    return max(ratios)


def content(study: SyntheticStudy) -> list[tuple[str, bytes]]:
    return [(ds.SOPInstanceUID, ds.PixelData) for ds in study.datasets]


@pytest.mark.parametrize("modality", ["DX", "CR", "CT"])
def test_the_same_seed_gives_the_same_bytes(modality: str) -> None:
    first, again = (make_study(3, seed=4, modality=modality) for _ in range(2))
    assert content(first) == content(again)
    assert [str(ds) for ds in first.datasets] == [str(ds) for ds in again.datasets]


def test_a_study_does_not_depend_on_those_before_it(studies: tuple[SyntheticStudy, ...]) -> None:
    assert content(make_study(17)) == content(studies[17])


def test_another_seed_is_another_archive(studies: tuple[SyntheticStudy, ...]) -> None:
    other = make_study(0, seed=2)
    assert other.patient_id != studies[0].patient_id
    assert not {uid for uid, _ in content(other)} & {uid for uid, _ in content(studies[0])}


def test_uids_are_distinct_and_valid(studies: tuple[SyntheticStudy, ...]) -> None:
    uids = [ds.SOPInstanceUID for study in studies for ds in study.datasets]
    assert len(set(uids)) == len(uids)
    assert len({study.study_instance_uid for study in studies}) == len(studies)
    assert all(uid.is_valid and uid.startswith("2.25.") for uid in uids)


def test_every_object_says_that_it_is_synthetic(studies: tuple[SyntheticStudy, ...]) -> None:
    for study in studies:
        for ds in study.datasets:
            assert str(ds.PatientName).startswith("SYNTHETIC^")
            assert ds.IssuerOfPatientID == "LIKENESS-SYNTHETIC"
            assert ds.Manufacturer == "Likeness synthetic archive"
            assert ds.StudyDescription.startswith("SYNTHETIC")
            notice = "Synthetic image made by the Likeness project, not a patient"
            assert ds.PatientComments == notice
            assert ds.ImageComments.startswith(notice)


def test_the_mix_of_modalities(studies: tuple[SyntheticStudy, ...]) -> None:
    counts = Counter(study.modality for study in studies)
    assert 5 <= counts["CT"] <= 10
    assert counts["DX"] > 10
    assert counts["CR"] > 10


def test_one_patient_in_ten_has_a_prior(studies: tuple[SyntheticStudy, ...]) -> None:
    """55 studies are 50 patients, 5 of them twice; the later study has the later date."""
    by_patient: dict[str, list[Dataset]] = {}
    for study in studies:
        by_patient.setdefault(study.patient_id, []).append(study.datasets[0])
    pairs = [found for found in by_patient.values() if len(found) == 2]
    assert (len(by_patient), len(pairs)) == (50, 5)
    for prior, later in pairs:
        assert prior.StudyDate < later.StudyDate
        assert (prior.PatientName, prior.PatientBirthDate, prior.PatientSex) == (
            later.PatientName,
            later.PatientBirthDate,
            later.PatientSex,
        )


def test_the_archive_holds_every_form_of_storage(
    radiographs: list[tuple[SyntheticStudy, Dataset]],
) -> None:
    forms = [ds for _, ds in radiographs]
    assert {ds.PhotometricInterpretation for ds in forms} == {"MONOCHROME1", "MONOCHROME2"}
    assert {ds.BitsStored for ds in forms} == {10, 12, 14, 16}
    assert {ds.ViewPosition for ds in forms} == {"PA", "AP", "LL"}
    functions = {ds.get("VOILUTFunction") for ds in forms}
    assert functions == {None, "LINEAR", "LINEAR_EXACT", "SIGMOID"}
    assert any("WindowCenter" not in ds for ds in forms)
    assert any("WindowCenterWidthExplanation" in ds for ds in forms)


def test_polarity_as_displayed(radiographs: list[tuple[SyntheticStudy, Dataset]]) -> None:
    """Both polarities show air dark, and what beams hardly pass, the lower midline, bright."""
    for _, ds in radiographs:
        image = displayed(ds)
        rows, columns = image.shape
        belly = image[-rows // 12 :, 2 * columns // 5 : 3 * columns // 5].mean()
        assert np.quantile(image, 0.02) < 0.3
        assert belly > 0.65
        assert belly > np.quantile(image, 0.3) + 0.15


@pytest.mark.parametrize("modality", ["DX"])
def test_presentation_lut_shape_follows_the_polarity(modality: str) -> None:
    """PS3.3 C.8.11.3: INVERSE with MONOCHROME1, IDENTITY with MONOCHROME2."""
    shapes = {"MONOCHROME1": "INVERSE", "MONOCHROME2": "IDENTITY"}
    for index in range(4):
        ds = make_study(index, modality=modality).datasets[0]
        assert ds.PresentationLUTShape == shapes[ds.PhotometricInterpretation]


def test_cardiomegaly_is_in_the_pixels(
    radiographs: list[tuple[SyntheticStudy, Dataset]],
) -> None:
    """A heart wider than half the chest is what the word means."""
    large: list[float] = []
    normal: list[float] = []
    for study, ds in radiographs:
        covered = study.labels["opacity"] or study.labels["effusion"]
        if ds.ViewPosition != "LL" and not covered:
            group = large if study.labels["cardiomegaly"] else normal
            group.append(cardiothoracic_ratio(displayed(ds)))
    # The measurement errs where noise or a faint lung hides the border: medians, and 9 in 10.
    right = sum(ratio > 0.5 for ratio in large) + sum(ratio < 0.5 for ratio in normal)
    assert np.median(normal) < 0.47
    assert np.median(large) > 0.53
    assert right >= 0.9 * (len(large) + len(normal))


@pytest.mark.parametrize("side", [-1, 1])
def test_an_effusion_whitens_the_base_of_its_side(side: int) -> None:
    anatomy = draw_anatomy(np.random.default_rng(5))
    exposure = draw_exposure(np.random.default_rng(6), "PA", 32.0)
    sick = Findings(frozenset({"effusion"}), effusion=8.0, effusion_side=side)
    clear, white = (
        render_frontal(anatomy, finding, exposure, np.random.default_rng(7))
        for finding in (Findings(), sick)
    )
    gain = (white - clear)[exposure.shape[0] // 2 :]
    left, right = np.array_split(gain, 2, axis=1)
    sick_side, other = (left, right) if side < 0 else (right, left)
    assert sick_side.mean() > 0.03
    assert abs(other.mean()) < 0.003


@pytest.mark.parametrize("name", ["opacity", "hyperinflation"])
def test_other_findings_change_the_lungs(name: str) -> None:
    """Consolidation takes air away, hyperinflation adds it."""
    anatomy = draw_anatomy(np.random.default_rng(8))
    exposure = draw_exposure(np.random.default_rng(9), "PA", 34.0)
    sick = draw_findings(np.random.default_rng(10), frozenset({name}))
    clear, changed = (
        float(render_frontal(anatomy, finding, exposure, np.random.default_rng(11)).mean())
        for finding in (Findings(), sick)
    )
    assert (changed > clear) == (name == "opacity")
    assert abs(changed - clear) > 0.004


@pytest.mark.parametrize("name", ["nodule", "consolidation", "effusion"])
def test_ct_findings_reach_the_middle_slice(name: str) -> None:
    anatomy = draw_anatomy(np.random.default_rng(1))
    scan = Scan(slices=60, matrix=128, field=380.0, spacing=5.0, contrast=0.0, noise=10.0)
    sick = draw_findings(np.random.default_rng(2), frozenset({name}))
    clear, changed = (
        render_ct(anatomy, finding, scan, np.random.default_rng(3))[30].astype(int)
        for finding in (Findings(), sick)
    )
    area = np.count_nonzero(changed - clear > 400) * scan.pixel_spacing**2
    # The smallest nodule has a radius of 8 mm: 201 square mm.
    assert area > 150


def test_tissues_have_their_hounsfield_units(ct_studies: tuple[SyntheticStudy, ...]) -> None:
    """Air -1000, lung about -850, soft tissue about 50, bone above 300."""
    for study in ct_studies:
        slices = axial(study)
        middle = hounsfield(slices[len(slices) // 2])
        assert middle[:6].mean() == pytest.approx(-1000, abs=8)
        lung = middle[(middle > -950) & (middle < -750)]
        assert np.median(lung) == pytest.approx(-850, abs=45)
        soft = middle[(middle > 0) & (middle < 100)]
        assert np.median(soft) == pytest.approx(50, abs=15)
        assert np.count_nonzero(middle > 300) > 60


def test_ct_forms_of_storage(ct_studies: tuple[SyntheticStudy, ...]) -> None:
    first = [study.datasets[0] for study in ct_studies]
    assert {(ds.PixelRepresentation, int(ds.RescaleIntercept)) for ds in first} == {
        (0, -1024),
        (1, -1024),
        (1, 0),
    }
    assert {ds.get("WindowCenter") for ds in first} == {-600, 40, None}
    assert {ds.SliceLocation > 1400 for ds in first} == {True, False}
    assert any(len(axial(study)) < len(study.datasets) for study in ct_studies)


def test_ct_geometry(ct_studies: tuple[SyntheticStudy, ...]) -> None:
    """Slices lie 5 mm apart along the normal, centred on the patient's axis (C.7.6.2)."""
    for study in ct_studies:
        slices = axial(study)
        assert 56 <= len(slices) <= 64
        assert [ds.InstanceNumber for ds in slices] == list(range(1, len(slices) + 1))
        row, column = np.array(slices[0].ImageOrientationPatient).reshape(2, 3)
        positions = np.array([ds.ImagePositionPatient for ds in slices], dtype=float)
        steps = np.diff(positions @ np.cross(row, column))
        assert np.allclose(np.abs(steps), 5.0)
        assert np.ptp(np.sign(steps)) == 0
        far = positions[0, 0] + (slices[0].Columns - 1) * float(slices[0].PixelSpacing[1])
        assert positions[0, 0] + far == pytest.approx(0, abs=0.01)


def examples() -> list[tuple[str, Dataset]]:
    """One object of each kind, by name."""
    found: dict[str, Dataset] = {}
    for index in range(24):
        for modality in ("DX", "CR"):
            for ds in make_study(index, modality=modality).datasets:
                polarity = ds.PhotometricInterpretation
                found.setdefault(f"{modality} {ds.ViewPosition} {polarity}", ds)
    for index in range(4):
        study = make_study(index, modality="CT")
        for ds in (study.datasets[0], study.datasets[-1]):
            found.setdefault(f"CT {ds.ImageType[2]} {ds.PixelRepresentation}", ds)
    return list(found.items())


@pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy (Debian: dicom3tools) is not installed")
def test_dciodvfy_finds_no_error_in_any_kind(tmp_path: Path) -> None:
    complaints = []
    kinds = examples()
    assert {name.split()[1] for name, _ in kinds} == {"PA", "AP", "LL", "AXIAL", "LOCALIZER"}
    for name, ds in kinds:
        path = tmp_path / "object.dcm"
        dcmwrite(path, ds, enforce_file_format=True)
        done = subprocess.run(
            [str(DCIODVFY), str(path)], capture_output=True, text=True, check=False
        )
        said = (done.stdout + done.stderr).splitlines()
        complaints += [(name, line) for line in said if line.startswith(("Error", "Warning"))]
    assert complaints == []


def test_objects_survive_a_file(tmp_path: Path) -> None:
    ds = make_study(0).datasets[0]
    dcmwrite(tmp_path / "object.dcm", ds, enforce_file_format=True)
    again = dcmread(tmp_path / "object.dcm")
    assert again.PixelData == ds.PixelData
    assert again.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


def test_labels_are_written_one_to_a_line(tmp_path: Path) -> None:
    study = make_study(0)
    write_labels([study], tmp_path / "labels.csv")
    with (tmp_path / "labels.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert list(lines[0]) == ["study_instance_uid", "label", "value"]
    assert {line["study_instance_uid"] for line in lines} == {study.study_instance_uid}
    assert {line["label"]: int(line["value"]) for line in lines} == dict(study.labels)


def test_normal_means_no_finding(studies: tuple[SyntheticStudy, ...]) -> None:
    for study in studies:
        assert study.labels["normal"] == int(sum(study.labels.values()) == study.labels["normal"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"index": -1}, "index must be 0 or more, not -1"),
        ({"index": 0, "seed": -3}, "seed must be 0 or more, not -3"),
        ({"index": 0, "modality": "MR"}, "modality must be one of DX, CR, CT, not 'MR'"),
    ],
)
def test_bad_arguments_raise(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_study(**arguments)


def test_a_negative_count_raises_at_the_call() -> None:
    with pytest.raises(ValueError, match="count must be 0 or more, not -1"):
        archive(-1)
