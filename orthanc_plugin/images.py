# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which SOP instances of a study the node is sent, and how it is told whether they changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from orthanc_plugin.archive import Archive, Instance, Study

OWN_MANUFACTURER = "Likeness project"
"""Manufacturer (0008,0070) of what the node makes."""

IMAGE_STORAGE = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{last}"
    for last in (
        "1",  # Computed Radiography
        "1.1",  # Digital X-Ray, for presentation
        "1.1.1",  # Digital X-Ray, for processing
        "1.2",  # Digital Mammography X-Ray, for presentation
        "1.2.1",  # Digital Mammography X-Ray, for processing
        "13.1.3",  # Breast Tomosynthesis
        "2",  # CT
        "2.1",  # Enhanced CT
        "2.2",  # Legacy Converted Enhanced CT
        "4",  # MR
        "4.1",  # Enhanced MR
        "4.3",  # Enhanced MR Color
        "4.4",  # Legacy Converted Enhanced MR
        "6.1",  # Ultrasound
        "3.1",  # Ultrasound Multi-frame
        "6.2",  # Enhanced US Volume
        "12.1",  # X-Ray Angiographic
        "12.1.1",  # Enhanced XA
        "12.2",  # X-Ray Radiofluoroscopic
        "12.2.1",  # Enhanced XRF
        "7",  # Secondary Capture
        "7.2",  # Multi-frame Grayscale Byte Secondary Capture
        "7.3",  # Multi-frame Grayscale Word Secondary Capture
        "7.4",  # Multi-frame True Color Secondary Capture
    )
)
"""What the node's Storage SCP takes (PS3.4 B.5): no reports, presentation states, segmentations."""


def images_of(archive: Archive, study: Study, node_ae_title: str) -> list[Instance]:
    """The study's images but for what came from the node, in an order that stays the same.

    Raises:
        AbsentError: the study was deleted meanwhile, or a part of it.
    """
    found: list[Instance] = []
    for series in study.series:
        if archive.series(series).manufacturer != OWN_MANUFACTURER:
            found += _taken(archive, archive.instances(series), node_ae_title)
    return sorted(found)


def _taken(
    archive: Archive, instances: Iterable[Instance], node_ae_title: str
) -> Iterator[Instance]:
    for instance in instances:
        metadata = archive.metadata("instances", instance.identifier)
        sop_class = metadata.get("SopClassUid") or archive.sop_class(instance.identifier)
        returned = metadata.get("RemoteAET", "").strip() == node_ae_title.strip()
        if sop_class in IMAGE_STORAGE and not returned:
            yield instance


def fingerprint(images: Iterable[Instance]) -> str:
    """Tells two sets of files apart; the order of the images does not matter."""
    digest = hashlib.sha256()
    for image in sorted(images):
        digest.update(f"{image.identifier} {image.file}\n".encode())
    return digest.hexdigest()[:32]
