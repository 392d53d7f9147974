"""What a search answers: the values that the report, the command line and the pages read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Label:
    """One finding said of a study, series or instance.

    ``value`` is 1 (present), 0 (absent) or -1 (uncertain). ``code`` and ``scheme`` hold the
    coded concept where one is known, such as ``("8186001", "SCT")``.
    """

    name: str
    value: int = 1
    code: str | None = None
    scheme: str | None = None


@dataclass(frozen=True)
class ImageReference:
    """The image that a vector was made from, named as DICOM names it.

    ``frame_number`` counts from 1 (PS3.3 C.7.6.16) and is None for a single-frame instance.
    ``laterality`` is R, L, B or U; ``burned_in`` is Burned In Annotation (0028,0301), YES or NO,
    None where the image does not say and "UNKNOWN" where an earlier version did not look.
    ``lossy`` is true where the image says that it was once compressed with loss (0028,2110).
    ``pixel_rules`` says which pixel rules fired and with which numbers, and ``slice_rule`` how
    the image was chosen from its series.
    """

    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    frame_number: int | None
    modality: str
    body_part: str | None = None
    view: str | None = None
    laterality: str | None = None
    burned_in: str | None = None
    lossy: bool = False
    slice_rule: str = ""
    pixel_rules: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyRecord:
    """A study as the database knows it.

    ``attributes`` holds the patient and study modules as they arrived, in the DICOM JSON model
    (PS3.18 F.2): ``pydicom.Dataset.from_json(attributes)`` gives them back, character set and
    all. The plain fields beside it are what rules and readers need most. ``age`` is in years.
    ``revision`` counts how often the study was closed, so that a record that was read earlier can
    be told from the study as it now is; 0 for one that is in no database.
    """

    id: int
    study_instance_uid: str
    patient_id: str
    issuer_of_patient_id: str
    sex: str | None
    age: int | None
    study_date: str | None
    description: str | None
    attributes: Mapping[str, Any]
    revision: int = 0


@dataclass(frozen=True)
class Hit:
    """One similar study, as a reader sees it.

    ``rank`` counts from 1. ``similarity`` is the cosine of the two best comparable images, in
    [-1, 1]. ``percentile``, in [0, 100], places it among this archive's own similarities between
    different patients; None where the archive is too small to say. ``query_image`` is the one of
    the question's images that ``image`` was compared with; None where nobody said.
    ``slice_similarity``, in [-1, 1], is the mean over the question's slices of the cosine of the
    most similar slice; None where slices were not compared. ``way`` is how a search by communities
    found it: "region" or "nearest"; None where there was none.
    """

    rank: int
    study: StudyRecord
    image: ImageReference
    similarity: float
    percentile: float | None
    labels: tuple[Label, ...] = ()
    query_image: ImageReference | None = None
    slice_similarity: float | None = None
    way: str | None = None


@dataclass(frozen=True)
class SpaceSummary:
    """The vector space of an answer, for readers: what must be equal for vectors to compare."""

    id: str
    encoder: str
    encoder_version: str
    weights_digest: str
    preprocessing: str
    window_rule: str
    slice_rule: str
    pooling: str
    dimension: int
    metric: str


@dataclass(frozen=True)
class Refined:
    """How a question was refined by marks, as Study Instance UIDs.

    It was moved towards ``more`` and away from ``less``; the latter are no hits. ``left_out`` are
    marked studies that could not be used. ``by_reader`` says that all are marks that the reader
    had given, not a wish that came with the question.
    """

    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    by_reader: bool = False


@dataclass(frozen=True)
class SecondStage:
    """What was compared slice by slice (docs/volume-search.md).

    ``slices`` counts those of the question; where it has none, nothing was compared. Of the
    ``studies`` that the first stage found most similar, those ``with_slices`` were put in the
    order of their slices' likeness; each of the others stands where the first stage put it.
    """

    slices: int
    studies: int
    with_slices: int


@dataclass(frozen=True)
class ByCommunities:
    """How hits were found by communities (docs/search-rules.md).

    ``method`` is "louvain" or "leiden". ``edges`` counts those of the question's images to vectors
    that may be found; with 0 all hits are plain nearest ones. The communities hold ``vectors``, and
    not those ``not_held`` that may be found and came since.
    """

    method: str
    edges: int
    vectors: int
    not_held: int


@dataclass(frozen=True)
class Answer:
    """The studies most similar to one study, and how they were found.

    ``hits`` leave out the query's patient; ``priors`` are that patient's other studies, in the
    same form, the most similar first and k of them at most: ``priors_found`` counts them all, as
    far as they are comparable. ``searched`` counts the comparable studies of other patients,
    ``asked`` is k, and ``level`` the percentile that the best hit must reach for there to be a
    similar study at all. An answer without hits is an answer: no similar study.

    ``also`` are further studies that were asked with, by their Study Instance UIDs; no patient of
    theirs is among the hits. ``refined`` tells of marks, by which the hits are then ordered: their
    similarities and percentiles stay those of the images. ``second_stage`` tells of slices, by
    which the hits are then ordered; None where none were to be compared. ``by_communities`` tells
    of a search that went by them, whose order the hits then have; None of the plain one.
    """

    query: StudyRecord
    image: ImageReference
    space: SpaceSummary
    searched: int
    asked: int
    level: float
    hits: tuple[Hit, ...]
    priors: tuple[Hit, ...]
    filters: Mapping[str, str] = field(default_factory=dict)
    priors_found: int = 0
    also: tuple[str, ...] = ()
    refined: Refined | None = None
    second_stage: SecondStage | None = None
    by_communities: ByCommunities | None = None

    def count_priors(self) -> int:
        """How many priors there are, listed or not."""
        return max(self.priors_found, len(self.priors))

    def label_counts(self) -> dict[str, int]:
        """How many of the hits carry each label as present, most frequent first."""
        counts: dict[str, int] = {}
        for hit in self.hits:
            # two sources, or study and series, may say the same of one hit
            for name in {label.name for label in hit.labels if label.value == 1}:
                counts[name] = counts.get(name, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
