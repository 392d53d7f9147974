"""What a report refers to, listed by study and series (PS3.3 C.17.2.3)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from pydicom import Dataset

from dicom_node.report.filing import DocumentReference
from dicom_node.report.items import dataset, sop_reference
from storage.answer import ImageReference


def of_image(study_instance_uid: str, image: ImageReference) -> DocumentReference:
    """The instance that an image is, or is a frame of."""
    return DocumentReference(
        study_instance_uid, image.series_instance_uid, image.sop_class_uid, image.sop_instance_uid
    )


def hierarchy(references: Iterable[DocumentReference]) -> list[Dataset]:
    """Items of the Hierarchical SOP Instance Reference Macro (table C.17-3), one for each study.

    An instance that comes twice is listed once; studies and series stand in the order they come.
    """
    studies: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for one in references:
        series = studies[one.study_instance_uid][one.series_instance_uid]
        series.setdefault(one.sop_instance_uid, one.sop_class_uid)
    return [
        dataset(StudyInstanceUID=study, ReferencedSeriesSequence=_series(series))
        for study, series in studies.items()
    ]


def _series(series: Mapping[str, Mapping[str, str]]) -> list[Dataset]:
    return [
        dataset(
            SeriesInstanceUID=uid,
            ReferencedSOPSequence=[
                sop_reference(sop_class, instance) for instance, sop_class in instances.items()
            ],
        )
        for uid, instances in series.items()
    ]
