"""The content tree of a report: TID 1500 with one measurement group per similar study."""

from collections.abc import Iterable, Sequence

from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from dicom_node.report.codes import Private, clean, procedure_code
from dicom_node.report.device import Device
from dicom_node.report.filing import DocumentReference
from dicom_node.report.groups import descriptors, search_group, study_group
from dicom_node.report.items import Relation, coded, container, image, instance, text, uid
from dicom_node.report.privacy import ShownStudy
from dicom_node.report.text import summary
from storage.answer import Answer, ImageReference

ENGLISH = Code("en-US", "RFC5646", "English (United States)")


def content_tree(
    answer: Answer,
    *,
    similar: Sequence[ShownStudy],
    priors: Sequence[ShownStudy],
    device: Device,
    report_uid: str,
    picture: DocumentReference | None = None,
) -> Dataset:
    """TID 1500 for an answer: the root, with its similar studies and then its priors in order.

    The first group says how the search was made and with what outcome, so that an answer without
    hits has its group too. ``report_uid`` is the report's SOP Instance UID, from which the
    tracking identifiers are made: the same answer in the same report gives the same tree. Of the
    answer's studies nothing is told but what ``similar`` and ``priors`` hold.

    Raises ``ReportError`` for a similarity or percentile that is no number.
    """
    kinds = ((Private.SIMILAR_STUDY, similar), (Private.PRIOR_STUDY, priors))
    groups = [
        search_group(answer, report_uid),
        *(
            study_group(study, kind, space=answer.space, report_uid=report_uid)
            for kind, studies in kinds
            for study in studies
        ),
    ]
    # A reader meets the sentence before the lists: TID 1500 is extensible, and of its own rows
    # the image library comes before the measurements.
    return container(
        codes.DCM.ImagingMeasurementReport,
        [
            coded(Relation.CONCEPT_MOD, codes.DCM.LanguageOfContentItemAndDescendants, ENGLISH),
            *_observer(device),
            coded(
                Relation.CONCEPT_MOD,
                codes.DCM.ProcedureReported,
                procedure_code(answer.image.modality),
            ),
            text(Relation.CONTAINS, codes.DCM.Summary, summary(answer)),
            *_picture(picture),
            _image_library(answer.image, similar, priors),
            container(codes.DCM.ImagingMeasurements, groups),
        ],
        relation=None,
        template="1500",
    )


def _observer(device: Device) -> list[Dataset]:
    """TID 1002 and 1004: the node is the observer."""
    said = (
        (codes.DCM.DeviceObserverName, device.ae_title),
        (codes.DCM.DeviceObserverManufacturer, device.manufacturer),
        (codes.DCM.DeviceObserverModelName, device.model_name),
        (codes.DCM.DeviceObserverSerialNumber, device.uid),
    )
    return [
        coded(Relation.OBS_CONTEXT, codes.DCM.ObserverType, codes.DCM.Device),
        uid(Relation.OBS_CONTEXT, codes.DCM.DeviceObserverUID, device.uid),
        *(text(Relation.OBS_CONTEXT, name, words) for name, words in said if clean(words)),
    ]


def _picture(picture: DocumentReference | None) -> list[Dataset]:
    if picture is None:
        return []
    return [instance(Private.PICTURE.value, picture.sop_class_uid, picture.sop_instance_uid)]


def _image_library(
    query: ImageReference, similar: Iterable[ShownStudy], priors: Iterable[ShownStudy]
) -> Dataset:
    """TID 1600, one group each for the query, the similar studies and the priors, as far as their
    images may be told."""
    roles = (
        (Private.QUERY_IMAGE, [query]),
        (Private.SIMILAR_IMAGE, [study.image for study in similar if study.image]),
        (Private.PRIOR_IMAGE, [study.image for study in priors if study.image]),
    )
    groups = [_library_group(role, images) for role, images in roles if images]
    return container(codes.DCM.ImageLibrary, groups)


def _library_group(role: Private, images: Sequence[ImageReference]) -> Dataset:
    once = {(one.sop_instance_uid, one.frame_number): one for one in images}
    entries = [image(role.value, one, [*descriptors(one), *_choice(one)]) for one in once.values()]
    return container(codes.DCM.ImageLibraryGroup, entries)


def _choice(chosen: ImageReference) -> list[Dataset]:
    """How the image was chosen from its series, where there was a choice."""
    if not clean(chosen.slice_rule):
        return []
    return [text(Relation.ACQ_CONTEXT, Private.CHOICE.value, chosen.slice_rule)]
