"""What a node writes to its log."""

import subprocess
import sys

ODD = "JANE 1970"  # no date, which pydicom warns about, quoting it


def test_no_value_of_a_patient_reaches_the_log() -> None:
    script = (
        "from dicom_node.logs import configure_logging\n"
        "from pydicom.dataset import Dataset\n"
        "configure_logging()\n"
        f"Dataset().PatientBirthDate = '{ODD}'\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stderr == ""


def test_pydicom_does_warn_otherwise() -> None:
    script = f"from pydicom.dataset import Dataset\nDataset().PatientBirthDate = '{ODD}'\n"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "JANE" in ran.stderr
