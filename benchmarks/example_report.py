"""Makes the example of an evaluation's report that stands in docs, from synthetic radiographs.

Run ``python -m benchmarks.example_report``. The studies show drawn findings, the same at every run;
nobody's images are in them.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

from evaluation.synthetic import make_study
from evaluation.synthetic.archive import SyntheticStudy, write_labels

STUDIES = 160
TO = Path("docs/evaluation-example.html")
ASKED = (
    *("evaluate", "synthetic", "--reader", "dicom", "--option", "every=true"),
    *("--option", "labels=labels.csv"),
    *("--encoder", "baseline", "--encoder", "pixels", "--encoder", "random"),
    *("--classes", "view", "--labels", "--make-splits", "--probe", "knn"),
    *("--ablation", "5", "10", "20", "--ablation-queries", "10"),
)


def radiographs(count: int) -> list[SyntheticStudy]:
    """The first radiographs of the synthetic archive."""
    made = (make_study(index, modality="DX") for index in range(count))
    return list(tqdm(made, total=count, unit="study", disable=None))


def write_files(studies: list[SyntheticStudy], folder: Path) -> None:
    """Each object as a file, and what is to be seen beside them."""
    for number, study in enumerate(studies):
        for at, dataset in enumerate(study.datasets):
            dataset.save_as(folder / f"{number:04}-{at}.dcm", enforce_file_format=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=STUDIES)
    parser.add_argument("--to", type=Path, default=TO)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "synthetic").mkdir()
        studies = radiographs(options.studies)
        write_files(studies, folder / "synthetic")
        write_labels(studies, folder / "labels.csv")
        # as a user would, so that the report says so
        subprocess.run([sys.executable, "-m", "dicom_node", *ASKED], cwd=folder, check=True)
        shutil.copyfile(folder / "evaluation-report" / "report.html", options.to)


if __name__ == "__main__":
    main()
