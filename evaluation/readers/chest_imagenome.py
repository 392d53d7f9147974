"""Chest ImaGenome (Wu et al. 2021): the regions of MIMIC-CXR's frontal images, and their findings.

Read are the silver scene graphs, ``silver_dataset/scene_graph/<dicom_id>_SceneGraph.json``, or
the COCO-like list that AnaXNet and CheXtriev make of them. A region's findings are told by its last
mention in the report, as that list's makers do. Patients, splits and views are
MIMIC-CXR's: read that set, then put the findings on it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.collection import NEGATIVE, POSITIVE, UNSAID, Collection, CollectionError
from evaluation.readers.boxes import Box, Boxes, any_region
from evaluation.readers.fault import ReaderError, some
from evaluation.readers.remarks import remarked
from evaluation.readers.table import opened

FINDINGS = (
    "lung opacity",
    "pleural effusion",
    "atelectasis",
    "enlarged cardiac silhouette",
    "pulmonary edema/hazy opacity",
    "pneumothorax",
    "consolidation",
    "fluid overload/heart failure",
    "pneumonia",
)
REGIONS = (
    "right lung",
    "right apical zone",
    "right upper lung zone",
    "right mid lung zone",
    "right lower lung zone",
    "right hilar structures",
    "right costophrenic angle",
    "left lung",
    "left apical zone",
    "left upper lung zone",
    "left mid lung zone",
    "left lower lung zone",
    "left hilar structures",
    "left costophrenic angle",
    "mediastinum",
    "upper mediastinum",
    "cardiac silhouette",
    "trachea",
)
"""In the order of the list's category_id."""
ENDING = "_SceneGraph.json"
_MENTION = {"yes": POSITIVE, "no": NEGATIVE}
_EDGES = ("original_x1", "original_y1", "original_width", "original_height")
_FAULTS = (KeyError, IndexError, TypeError, ValueError, AttributeError)
"""What JSON of another layout runs into."""


def read_list(path: Path) -> Boxes:
    """The boxes of a COCO-like list, by image, in the order of REGIONS.

    Args:
        path: JSON: records with ``image_id`` and ``annotations``, each of these with
            ``category_id``, ``bbox`` (x, y, width, height) and ``attributes`` (FINDINGS, 0 or 1);
            or the same column by column, as pandas writes it.

    Raises:
        ReaderError: the file is missing or has another layout, or an image stands twice.
    """
    found: dict[str, tuple[Box, ...]] = {}
    for image, annotations in _records(path, _json(path)):
        if image in found:
            raise ReaderError(f"{path}: image {image} stands twice; remove one")
        try:
            boxes = {at["category_id"]: _listed_box(at) for at in annotations}
        except _FAULTS as fault:
            raise ReaderError(f"{path}: image {image}: {_what(fault)}") from fault
        found[image] = tuple(boxes[region] for region in sorted(boxes))
    return found


def read_scene_graphs(
    folder: Path, images: Iterable[str] | None = None
) -> tuple[Boxes, tuple[str, ...]]:
    """The boxes of scene graphs, by image, in the order of REGIONS; other regions are left out.

    A detector found the boxes, and some have no area: these are left out, and a remark tells so.

    Args:
        folder: of the scene graphs.
        images: which; those that have no graph are left out. All where None.

    Raises:
        ReaderError: there are none, or one has another layout.
    """
    if images is None:
        paths = sorted(folder.glob(f"*{ENDING}"))
    else:
        paths = [path for one in images if (path := folder / f"{one}{ENDING}").is_file()]
    if not paths:
        raise ReaderError(f"{folder} holds none of these scene graphs (*{ENDING}); unpack them")
    found = {}
    flat: list[str] = []
    for path in paths:
        image, graph = path.name.removesuffix(ENDING), _json(path)
        try:
            found[image], without_area = _graph(graph)
        except _FAULTS as fault:
            raise ReaderError(f"{path}: {_what(fault)}") from fault
        flat += [f"{region} of {image}" for region in without_area]
    if not flat:
        return found, ()
    return found, (f"{folder}: {len(flat)} boxes without an area left out: {some(flat)}",)


def with_findings(collection: Collection, boxes: Boxes, remarks: Iterable[str] = ()) -> Collection:
    """The images of MIMIC-CXR that have boxes, labelled with FINDINGS.

    An image's label is POSITIVE where any region's is.

    Args:
        collection: MIMIC-CXR, or some of it.
        boxes: of `read_list` or `read_scene_graphs`.
        remarks: on the boxes.

    Raises:
        ReaderError: none of the images has boxes.
    """
    with_boxes = np.flatnonzero([image in boxes for image in collection.ids])
    if not len(with_boxes):
        raise ReaderError(f"no image of {collection.name} has boxes; are the ids dicom_ids?")
    told = list(remarks)
    if left := len(collection) - len(with_boxes):
        told.append(f"{collection.name}: {left} images without boxes are left out")
    found = collection.take(with_boxes, f"{collection.name} with Chest ImaGenome")
    rows = [any_region(boxes[image], len(FINDINGS)) for image in found.ids]
    labelled = replace(found, label_names=FINDINGS, states=np.array(rows, np.int8))
    return remarked(labelled, *told)


def _json(path: Path) -> Any:
    with opened(path) as lines:
        try:
            return json.load(lines)
        except ValueError as fault:
            raise ReaderError(f"{path} is no JSON: {fault}; fetch it again") from fault


def _what(fault: Exception) -> str:
    if isinstance(fault, CollectionError):
        return str(fault)
    return f"not as Chest ImaGenome has it ({type(fault).__name__}: {fault}); fetch it again"


def _records(path: Path, read: Any) -> list[tuple[str, Sequence[Mapping[str, Any]]]]:
    try:
        if isinstance(read, dict):
            rows = read["image_id"]
            return [(rows[row], read["annotations"][row]) for row in rows]
        return [(record["image_id"], record["annotations"]) for record in read]
    except _FAULTS as fault:
        raise ReaderError(f"{path}: {_what(fault)}") from fault


def _listed_box(annotation: Mapping[str, Any]) -> Box:
    states = tuple(int(state) for state in annotation["attributes"])
    region, size = annotation["category_id"], annotation["bbox"]
    if len(states) != len(FINDINGS) or not set(states) <= {NEGATIVE, POSITIVE}:
        raise ReaderError(f"attributes {states} are not {len(FINDINGS)} times 0 or 1")
    if len(size) != len(_EDGES) or not 0 <= region < len(REGIONS):
        raise ReaderError(f"bbox {size} of category_id {region} is no box of a region")
    x, y, width, height = map(float, size)
    return Box(REGIONS[region], x, y, width, height, states)


def _graph(graph: Mapping[str, Any]) -> tuple[tuple[Box, ...], list[str]]:
    """The boxes, and the regions whose boxes have no area."""
    said: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for attribute in graph["attributes"]:
        mentions = (mention for phrase in attribute["attributes"] for mention in phrase)
        for mention in mentions:
            _, answer, finding = mention.split("|", 2)
            if finding in FINDINGS:
                said[attribute["object_id"]][finding] = _MENTION[answer]
    boxes: list[Box] = []
    flat: list[str] = []
    objects = {thing["bbox_name"]: thing for thing in graph["objects"]}
    for region in filter(objects.__contains__, REGIONS):
        x, y, width, height = (float(objects[region][edge]) for edge in _EDGES)
        states = tuple(
            said[objects[region]["object_id"]].get(finding, UNSAID) for finding in FINDINGS
        )
        if width > 0 and height > 0:
            boxes.append(Box(region, x, y, width, height, states))
        else:
            flat.append(region)
    return tuple(boxes), flat
