"""A synthetic archive: procedural chest radiographs and CT series with known findings."""

from evaluation.synthetic.archive import SyntheticStudy, archive, make_study, write_labels

__all__ = ["SyntheticStudy", "archive", "make_study", "write_labels"]
