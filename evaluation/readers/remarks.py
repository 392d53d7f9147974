"""What a reader left out or assumed: told in the collection's notes, and in the log."""

import logging
from dataclasses import replace

from evaluation.collection import Collection

log = logging.getLogger(__name__)


def remarked(collection: Collection, *remarks: str) -> Collection:
    """The collection with these sentences behind its notes; each is logged."""
    for remark in remarks:
        log.warning("%s", remark)
    return replace(collection, notes=(*collection.notes, *remarks))


def lone_images(name: str) -> str:
    """The remark that a set names no patients, so that each image stands for one."""
    return (
        f"{name} names no patients: images of one patient may find each other, and figures be too "
        "good"
    )
