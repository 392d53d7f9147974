"""The content tree of a report: TID 1500 with one measurement group per similar study."""

import uuid
from collections.abc import Sequence

from highdicom import sr
from highdicom.sr import RelationshipTypeValues as Relation
from pydicom.sr.codedict import codes

from dicom_node.report.codes import Private, clean, procedure_code
from dicom_node.report.device import Device
from dicom_node.report.items import (
    STUDIES,
    by_rank,
    image_facts,
    label_counts,
    number,
    source_image,
    study_items,
    text,
)
from dicom_node.report.text import parameters, summary
from storage.answer import Answer, Hit, ImageReference


def content_tree(answer: Answer, device: Device, report_uid: str) -> sr.MeasurementReport:
    """TID 1500 for an answer, its similar studies in order of rank and its priors after them.

    The first group says how the search was made and with what outcome, so that an answer without
    hits has its group too. ``report_uid`` is the report's SOP Instance UID, from which the
    tracking identifiers are made: the same answer in the same report gives the same tree.

    Raises ``ReportError`` for a similarity or percentile that is no number.
    """
    groups = [_search_group(answer, report_uid)]
    groups += _study_groups(answer, answer.hits, Private.SIMILAR_STUDY, report_uid)
    groups += _study_groups(answer, answer.priors, Private.PRIOR_STUDY, report_uid)
    tree = sr.MeasurementReport(
        observation_context=_observation_context(device),
        procedure_reported=procedure_code(answer.image.modality),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    # A reader meets the sentence before the lists: TID 1500 is extensible, and of its own rows
    # the image library comes before the measurements.
    *head, measurements = tree[0].ContentSequence
    sentence = text(codes.DCM.Summary, summary(answer), Relation.CONTAINS)
    tree[0].ContentSequence = [*head, sentence, _image_library(answer), measurements]
    return tree


def _observation_context(device: Device) -> sr.ObservationContext:
    observer = sr.DeviceObserverIdentifyingAttributes(
        uid=device.uid,
        name=clean(device.ae_title) or None,
        manufacturer_name=clean(device.manufacturer),
        model_name=clean(device.model_name),
        serial_number=device.uid,
    )
    return sr.ObservationContext(
        observer_device_context=sr.ObserverContext(codes.DCM.Device, observer)
    )


def _image_library(answer: Answer) -> sr.ContainerContentItem:
    """TID 1600, one group each for the query, the similar studies and the priors.

    highdicom's own ``ImageLibrary`` wants the whole image header, which the node does not keep.
    """
    roles = (
        (Private.QUERY_IMAGE, [answer.image]),
        (Private.SIMILAR_IMAGE, [hit.image for hit in by_rank(answer.hits)]),
        (Private.PRIOR_IMAGE, [hit.image for hit in by_rank(answer.priors)]),
    )
    library = sr.ContainerContentItem(codes.DCM.ImageLibrary, relationship_type=Relation.CONTAINS)
    library.ContentSequence = [_library_group(role, images) for role, images in roles if images]
    return library


def _library_group(role: Private, images: Sequence[ImageReference]) -> sr.ContainerContentItem:
    group = sr.ContainerContentItem(
        codes.DCM.ImageLibraryGroup, relationship_type=Relation.CONTAINS
    )
    once = {(image.sop_instance_uid, image.frame_number): image for image in images}
    group.ContentSequence = [_library_entry(role, image) for image in once.values()]
    return group


def _library_entry(role: Private, image: ImageReference) -> sr.ImageContentItem:
    entry = sr.ImageContentItem(
        name=role.value,
        referenced_sop_class_uid=image.sop_class_uid,
        referenced_sop_instance_uid=image.sop_instance_uid,
        referenced_frame_numbers=image.frame_number,
        relationship_type=Relation.CONTAINS,
    )
    entry.ContentSequence = image_facts(image)
    return entry


def _search_group(answer: Answer, report_uid: str) -> sr.MeasurementsAndQualitativeEvaluations:
    """How the search was made (TID 4019), over how many studies, and what came of it."""
    outcome = Private.SIMILAR_FOUND if answer.hits else Private.NONE_FOUND
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(report_uid, "Similarity search"),
        finding_type=outcome.value,
        algorithm_id=_algorithm(answer, parameters(answer)),
    )
    counts = (
        number(Private.SEARCHED.value, answer.searched, STUDIES),
        number(Private.ASKED.value, answer.asked, STUDIES),
        number(Private.RETURNED.value, len(answer.hits), STUDIES),
    )
    image = source_image(answer.image)
    group[0].ContentSequence.extend([*counts, *label_counts(answer), image])
    return group


def _study_groups(
    answer: Answer, hits: Sequence[Hit], kind: Private, report_uid: str
) -> list[sr.MeasurementsAndQualitativeEvaluations]:
    """TID 1501 for each study: rank, percentile, similarity, labels, what it is, its image."""
    groups = []
    for hit in by_rank(hits):
        group = sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=_tracking(report_uid, f"{kind.value.meaning} {hit.rank}"),
            finding_type=kind.value,
            algorithm_id=_algorithm(answer),
        )
        group[0].ContentSequence.extend(study_items(hit))
        groups.append(group)
    return groups


def _algorithm(answer: Answer, settings: Sequence[str] | None = None) -> sr.AlgorithmIdentification:
    return sr.AlgorithmIdentification(
        name=clean(answer.space.encoder) or "unknown",
        version=clean(answer.space.encoder_version) or "unknown",
        parameters=settings,
    )


def _tracking(report_uid: str, identifier: str) -> sr.TrackingIdentifier:
    """TID 4108. The UID is derived from the report's (PS3.5 B.2), so that it can be repeated."""
    number = uuid.uuid5(uuid.NAMESPACE_OID, f"{report_uid}/{identifier}").int
    return sr.TrackingIdentifier(uid=f"2.25.{number}", identifier=identifier)
