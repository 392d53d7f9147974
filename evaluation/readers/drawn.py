"""Boxes of regions, put on a collection's images: Chest ImaGenome's, or one's own.

One's own are a CSV file with ``file``, ``region``, ``x``, ``y``, ``width`` and ``height``: the
image as its data set calls it, the region's name, and a rectangle in the image's pixels.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from encoders.regions.crops import RegionError, from_pixels
from encoders.regions.names import REGIONS
from evaluation.collection import Collection
from evaluation.readers import chest_imagenome
from evaluation.readers.boxes import Box, Boxes
from evaluation.readers.fault import ReaderError
from evaluation.readers.remarks import remarked
from evaluation.readers.table import read_table
from evaluation.systems.images import size_of

COLUMNS = ("file", "region", "x", "y", "width", "height")
BEYOND = 0.02
"""Of a side: boxes that pass it by more were drawn on another image than is there."""


def with_regions(collection: Collection, place: Path) -> Collection:
    """The images that have a box of every region; the others are left out, and told.

    With Chest ImaGenome's findings of regions the labels are these, as in its papers.

    Args:
        collection: with image files.
        place: a folder of scene graphs, a COCO-like JSON list of them, or a CSV file.

    Raises:
        ReaderError: the boxes cannot be read, are of no image that is here, or were drawn on other
            images than are here.
        CollectionError: an image cannot be read.
    """
    boxes, remarks = _read(place, collection)
    states = {len(box.states) for drawn in boxes.values() for box in drawn}
    if states == {len(chest_imagenome.FINDINGS)}:
        collection = chest_imagenome.with_findings(collection, boxes, remarks)
    else:
        collection = remarked(collection, *remarks)
    whole = np.flatnonzero([_is_whole(boxes.get(one, ())) for one in collection.ids])
    if not len(whole):
        raise ReaderError(
            f"{place}: no image of {collection.name} has a box of each of the {len(REGIONS)} "
            f"regions ({', '.join(REGIONS[:3])} ...)"
        )
    found = collection.take(whole)
    if left := len(collection) - len(whole):
        found = remarked(found, f"{left} images without a box of each region are left out")
    return _drawn(found, boxes, states != {0})


def _read(place: Path, collection: Collection) -> tuple[Boxes, tuple[str, ...]]:
    if place.is_dir():
        return chest_imagenome.read_scene_graphs(place, collection.ids)
    if place.suffix == ".json":
        return chest_imagenome.read_list(place), ()
    return _read_table(place), ()


def _read_table(path: Path) -> Boxes:
    table = read_table(path, *COLUMNS)
    edges = [table.parsed(name, float) for name in COLUMNS[2:]]
    found: defaultdict[str, dict[str, Box]] = defaultdict(dict)
    rows = zip(table.column("file"), table.column("region"), *edges, strict=True)
    for image, region, x, y, width, height in rows:
        if region in found[image]:
            raise ReaderError(f"{path}: {region} of {image} stands twice; remove one")
        if region not in REGIONS:
            raise ReaderError(f"{path}: {region!r} is no region; there are {', '.join(REGIONS)}")
        found[image][region] = Box(region, x, y, width, height)
    return {image: tuple(boxes.values()) for image, boxes in found.items()}


def _is_whole(drawn: Sequence[Box]) -> bool:
    return {box.name for box in drawn} >= set(REGIONS)


def _drawn(collection: Collection, boxes: Boxes, told: bool) -> Collection:
    parts, states = [], []
    for image, path in zip(collection.ids, collection.paths, strict=True):
        by_name = {box.name: box for box in boxes[image]}
        ordered = [by_name[name] for name in REGIONS]
        parts.append(_parts(path, ordered))
        states.append([box.states for box in ordered])
    return replace(
        collection,
        boxes=np.stack(parts),
        region_states=np.array(states, np.int8) if told else None,
    )


def _parts(path: Path, ordered: Sequence[Box]) -> np.ndarray:
    rows, columns = size_of(path)
    drawn = np.array([[box.x, box.y, box.width, box.height] for box in ordered])
    far = (drawn[:, :2] + drawn[:, 2:]).max(axis=0) / (columns, rows)
    near = drawn[:, :2].min(axis=0) / (columns, rows)
    if near.min() < -BEYOND:
        raise ReaderError(
            f"{path} has {columns} x {rows} pixels, and boxes begin {-near.min():.2f} of a side "
            "before the first: they were drawn on an image of another size; give that one"
        )
    if far.max() > 1 + BEYOND:
        raise ReaderError(
            f"{path} has {columns} x {rows} pixels, and boxes reach {far.max():.2f} times as far: "
            "they were drawn on an image of another size; give that one"
        )
    try:
        return from_pixels(drawn, rows, columns, REGIONS)
    except RegionError as fault:
        raise ReaderError(f"{path}: {fault}") from fault
