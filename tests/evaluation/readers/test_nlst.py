"""NLST: CT series, and the weights of their patients."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.readers import nlst
from evaluation.readers.fault import ReaderError
from evaluation.readers.images import Images
from tests.evaluation.readers.made import replace_in, write
from tests.evaluation.readers.test_dicom import put

TABLE = """\
cen,dataset_version,pid,rndgroup,study,age,educat,ethnic,gender,height,marital,race,weight
1,2021.04.07,100012,1,1,61,3,2,1,70,2,1,199
1,2021.04.07,100035,1,1,57,3,2,2,64,2,1,.M
1,2021.04.07,200001,2,2,60,3,2,2,64,2,1,140
"""


def ct(path: Path, uid: str, patient: str, **attributes: Any) -> Path:
    series = uid.rpartition(".")[0]
    defaults = {
        "Modality": "CT",
        "StudyInstanceUID": f"1.{patient}",
        "SeriesInstanceUID": series,
        "PatientID": patient,
        "Manufacturer": "Maker",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    }
    return put(path, uid, **{**defaults, **attributes})


def make(place: Path) -> Path:
    write(place / "participant_d040722.csv", TABLE)
    for patient, series in (("100012", "1.4.1"), ("100012", "1.4.2"), ("100035", "1.4.3")):
        folder = place / "NLST" / patient / "01-02-1999-NLST-LSS" / series
        for number in (1, 2):
            ct(folder / f"1-{number}.dcm", f"{series}.{number}", patient)
    return place


def test_series_with_the_weights_of_their_patients(tmp_path: Path) -> None:
    found = nlst.read(make(tmp_path))
    assert found.ids == ("1.4.1", "1.4.2", "1.4.3")
    assert found.patients == ("100012", "100012", "100035")
    assert found.states.shape == (3, 0)
    np.testing.assert_equal(found.numbers["weight"], [199, 199, np.nan])
    assert found.numbers["age"].tolist() == [61, 61, 57]
    assert found.attributes["sex"].tolist() == ["M", "M", "F"]
    assert found.attributes["scanner"].tolist() == ["Maker"] * 3
    assert found.studies == ("1.100012", "1.100012", "1.100035")
    assert found.paths[2].name == "1.4.3"
    assert nlst.read(tmp_path, images=Images.NONE).paths == ()


def test_columns_in_capitals(tmp_path: Path) -> None:
    header, _, rows = TABLE.partition("\n")
    write(make(tmp_path) / "participant_d040722.csv", f"{header.upper()}\n{rows}")
    assert nlst.read(tmp_path).numbers["weight"][0] == 199


def test_the_table_beside_the_images_has_no_weight(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "participant_d040722.csv").unlink()
    write(tmp_path / "nlst_780_prsn_idc_20210527.csv", "race,cigsmok,gender,age,pid\n1,1,1,6,1\n")
    assert nlst.recognises(tmp_path)
    with pytest.raises(ReaderError, match=r"holds 0 tables .* a column 'weight' .*nlst_780_prsn"):
        nlst.read(tmp_path)
    elsewhere = write(tmp_path / "elsewhere" / "weights.csv", TABLE)
    assert len(nlst.read(tmp_path, participants=elsewhere)) == 3


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("100012,1", "100013,1", "no row for 1 patients whose CT lies in .*: 100012"),
        (",199", ",heavy", "line 2, column 'weight': 'heavy' is no number"),
        (",199", ",-3", "line 2, column 'weight': '-3' is no weight"),
        ("2,1,70", "2,5,70", "line 2, column 'gender': '5' is no gender"),
        ("100035", "100012", "line 3, column 'pid': '100012' stands in line 2"),
        ("gender", "sex", "no column 'gender'"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    replace_in(make(tmp_path) / "participant_d040722.csv", old, new)
    with pytest.raises(ReaderError, match=f"participant_d040722.csv.*{reason}"):
        nlst.read(tmp_path)


def test_folders_that_are_no_ct_series_are_told(tmp_path: Path) -> None:
    make(tmp_path)
    localizer = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    ct(tmp_path / "NLST/100012/x/scout/1.dcm", "1.4.9.1", "100012", **localizer)
    ct(tmp_path / "NLST/100012/x/mr/1.dcm", "1.4.8.1", "100012", Modality="MR")
    found = nlst.read(tmp_path)
    assert len(found) == 3
    (note,) = found.notes
    assert "3 folders left out: 1 no DICOM file" in note  # the table's own
    assert "1 of modality MR" in note
    assert "localizer" in note


def test_a_folder_of_several_series_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    ct(tmp_path / "NLST/flat/1.dcm", "1.4.5.1", "100012")
    ct(tmp_path / "NLST/flat/2.dcm", "1.4.6.1", "100012")
    with pytest.raises(ReaderError, match="flat holds several series; keep each in a folder"):
        nlst.read(tmp_path)


def test_a_series_in_two_folders_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    ct(tmp_path / "NLST/copy/1.dcm", "1.4.1.1", "100012")
    with pytest.raises(ReaderError, match=r"series 1\.4\.1 lies in .*copy and .*NLST-LSS"):
        nlst.read(tmp_path)


def test_a_table_without_images_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "participant_d040722.csv", TABLE)
    with pytest.raises(ReaderError, match="holds no CT series"):
        nlst.read(tmp_path)
