"""Chest ImaGenome: scene graphs, and the list that is made of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.collection import Collection
from evaluation.readers.boxes import Box
from evaluation.readers.chest_imagenome import (
    FINDINGS,
    read_list,
    read_scene_graphs,
    with_findings,
)
from evaluation.readers.fault import ReaderError
from tests.evaluation.readers.made import write

IMAGE = "02aa804e-bde0afdd-112c0b34-7bc16630-4e384014"
NO_FINDINGS = (0,) * 9


def annotation(region: int, attributes: tuple[int, ...] = NO_FINDINGS) -> dict[str, Any]:
    return {
        "id": f"{IMAGE}_{region}",
        "category_id": region,
        "iscrowd": 0,
        "bbox_mode": 1,
        "image_id": IMAGE,
        "attributes": list(attributes),
        "bbox": [395, 532, 860, 736],
    }


RECORD = {
    "image_id": IMAGE,
    "file_name": f"{IMAGE}.jpg",
    "annotations": [annotation(17), annotation(0, (1, 0, 0, 0, 0, 0, 0, 0, 1))],
}
BY_COLUMNS = {name: {"0": value} for name, value in RECORD.items()}


def thing(region: str, **edges: int) -> dict[str, Any]:
    size = {"original_x1": 395, "original_y1": 532, "original_x2": 1255, "original_y2": 1268}
    wide = {"original_width": 860, "original_height": 736}
    return {
        "object_id": f"{IMAGE}_{region}",
        "x1": 29,
        "bbox_name": region,
        "name": region.capitalize(),
        **size,
        **wide,
        **edges,
    }


def said(region: str, *phrases: list[str]) -> dict[str, Any]:
    return {"bbox_name": region, "object_id": f"{IMAGE}_{region}", "attributes": list(phrases)}


def graph() -> dict[str, Any]:
    return {
        "image_id": IMAGE,
        "viewpoint": "PA",
        "patient_id": 10000032,
        "study_id": 50414267,
        "objects": [thing("trachea"), thing("spine"), thing("right lung"), thing("mediastinum")],
        "attributes": [
            said(
                "right lung",
                ["anatomicalfinding|yes|lung opacity", "nlp|yes|abnormal", "disease|yes|pneumonia"],
                ["anatomicalfinding|no|pneumothorax", "disease|no|pneumonia"],
            ),
            said("spine", ["anatomicalfinding|yes|lung opacity"]),
        ],
    }


def write_graph(folder: Path, content: dict[str, Any], image: str = IMAGE) -> Path:
    write(folder / f"{image}_SceneGraph.json", json.dumps(content))
    return folder


@pytest.mark.parametrize("content", [[RECORD], BY_COLUMNS])
def test_the_list_by_records_and_by_columns(tmp_path: Path, content: Any) -> None:
    boxes = read_list(write(tmp_path / "mimic_coco_filtered.json", json.dumps(content)))
    size = (395.0, 532.0, 860.0, 736.0)
    assert boxes == {
        IMAGE: (
            Box("right lung", *size, states=(1, 0, 0, 0, 0, 0, 0, 0, 1)),
            Box("trachea", *size, states=NO_FINDINGS),
        )
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([RECORD, RECORD], f"image {IMAGE} stands twice"),
        ([{"image_id": "a", "annotations": [annotation(18)]}], "category_id 18 is no box"),
        ([{"image_id": "a", "annotations": [annotation(1, (1, 0))]}], "not 9 times 0 or 1"),
        ([{"image_id": "a", "annotations": [annotation(1, (2,) * 9)]}], "not 9 times 0 or 1"),
        ([{"image_id": "a", "annotations": [{"category_id": 1}]}], "image a: not as Chest Ima"),
        ([{"image": "a"}], "not as Chest ImaGenome has it"),
        ({"images": []}, "not as Chest ImaGenome has it"),
        (5, "not as Chest ImaGenome has it"),
    ],
)
def test_a_fault_of_the_list_is_named(tmp_path: Path, content: Any, reason: str) -> None:
    path = write(tmp_path / "list.json", json.dumps(content))
    with pytest.raises(ReaderError, match=f"list.json: .*{reason}"):
        read_list(path)


def test_regions_have_the_last_word_of_the_report(tmp_path: Path) -> None:
    boxes, remarks = read_scene_graphs(write_graph(tmp_path, graph()))
    assert remarks == ()
    size = (395.0, 532.0, 860.0, 736.0)
    lung = dict.fromkeys(FINDINGS, -2) | {"lung opacity": 1, "pneumothorax": 0, "pneumonia": 0}
    nothing = (-2,) * 9
    assert boxes == {
        IMAGE: (
            Box("right lung", *size, states=tuple(lung.values())),
            Box("mediastinum", *size, states=nothing),
            Box("trachea", *size, states=nothing),
        )
    }


def test_only_some_images_are_read(tmp_path: Path) -> None:
    write_graph(write_graph(tmp_path, graph()), graph(), "other")
    assert list(read_scene_graphs(tmp_path, ["other", "absent"])[0]) == ["other"]
    assert sorted(read_scene_graphs(tmp_path)[0]) == [IMAGE, "other"]


def test_boxes_without_an_area_are_left_out_and_told(tmp_path: Path) -> None:
    made = graph() | {"objects": [thing("trachea", original_width=0), thing("right lung")]}
    boxes, remarks = read_scene_graphs(write_graph(tmp_path, made))
    assert [box.name for box in boxes[IMAGE]] == ["right lung"]
    assert remarks == (f"{tmp_path}: 1 boxes without an area left out: trachea of {IMAGE}",)


@pytest.mark.parametrize(
    "fault",
    [
        {"objects": [{"bbox_name": "trachea"}]},
        {"attributes": [said("right lung", ["lung opacity"])]},
        {"attributes": [said("right lung", ["anatomicalfinding|maybe|lung opacity"])]},
        {"objects": None},
    ],
)
def test_a_fault_of_a_graph_is_named(tmp_path: Path, fault: dict[str, Any]) -> None:
    with pytest.raises(ReaderError, match=f"{IMAGE}_SceneGraph.json: not as Chest ImaGenome has"):
        read_scene_graphs(write_graph(tmp_path, graph() | fault))


def test_a_folder_without_graphs_and_a_file_without_json(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="holds none of these scene graphs"):
        read_scene_graphs(tmp_path)
    with pytest.raises(ReaderError, match=r"a\.json is no JSON"):
        read_list(write(tmp_path / "a.json", "{"))
    with pytest.raises(ReaderError, match=r"there is no file .*b\.json"):
        read_list(tmp_path / "b.json")


def test_findings_are_put_on_the_images_that_have_boxes(tmp_path: Path) -> None:
    mimic = Collection(
        "MIMIC", ("x", IMAGE), ("1", "2"), ("Edema",), np.zeros((2, 1), np.int8), splits=("a", "b")
    )
    boxes, _ = read_scene_graphs(write_graph(tmp_path, graph()))
    found = with_findings(mimic, boxes, ["of the boxes"])
    assert (found.ids, found.patients, found.splits) == ((IMAGE,), ("2",), ("b",))
    assert found.label_names == FINDINGS
    assert found.states.tolist() == [[1, -2, -2, -2, -2, 0, -2, -2, 0]]
    assert found.notes == ("of the boxes", "MIMIC: 1 images without boxes are left out")
    with pytest.raises(ReaderError, match="no image of MIMIC has boxes"):
        with_findings(mimic, {})
