"""Where pixels come from that are embedded again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text

from dicom_node.changeover.progress import ChangeoverProgress
from dicom_node.changeover.sources import (
    NOT_THE_SAME,
    Found,
    LackingError,
    Sources,
    WindowRules,
)
from dicom_node.settings import EncoderSettings, Settings
from encoders.precomputed import THE_FILES_OWN
from encoders.registry import find
from storage import changeover
from storage.changeover import MissingImage
from storage.spaces import Maker
from tests.conftest import find_free_port
from tests.dicom_node.archive_peers import ARCHIVE, dcmqrscp
from tests.dicom_node.changeover_archive import (
    become_older,
    image,
    run_to_its_end,
    used,
    vectors,
    want,
    wanted,
    work,
)
from tests.dicom_node.objects import written
from tests.dicom_node.receivers import peer_at
from tests.dicom_node.worked import WorkedNode, worked_node


@pytest.fixture
def node(engine: Engine, tmp_path: Path) -> Iterator[WorkedNode]:
    """A node with one study, whose encoder is of an earlier version."""
    with worked_node(engine, tmp_path / "a") as made:
        work(made, [0])
        yield made


def _missing(node: WorkedNode) -> MissingImage:
    with node.engine.connect() as connection:
        [found] = changeover.missing(
            connection, in_use=node.worker.space.id, wanted="another", after=0, limit=9
        )
    return found


def _find(node: WorkedNode, wanted: MissingImage, **changes: Any) -> Found:
    settings = node.worker.settings.model_copy(update=changes.pop("settings", {}))
    rule = node.worker.space.window_rule
    rules = WindowRules(rule, changes.pop("wanted_rule", rule))
    with Sources(settings, find("baseline"), node=node.worker.node, rules=rules) as sources:
        return sources.find(wanted)


def _empty_spool(node: WorkedNode) -> None:
    assert node.sweep(keep_days=0) == 1


def _forget_kept(node: WorkedNode) -> None:
    for kept in node.worker.settings.kept_images_folder.glob("*/*"):
        kept.unlink()


def test_a_kept_image_spares_the_decoding(node: WorkedNode) -> None:
    assert _find(node, _missing(node)).source == "kept image"


def test_for_another_window_the_file_says_what_the_kept_image_cannot(node: WorkedNode) -> None:
    found = _find(node, _missing(node), wanted_rule="another")
    assert (found.source, found.has_rules) == ("spool", True)
    assert found.pixels.rules


def test_spool_and_kept_image_are_the_same_to_the_last_bit(node: WorkedNode) -> None:
    kept = _find(node, _missing(node)).pixels.pixels
    _forget_kept(node)
    read = _find(node, _missing(node))
    assert read.source == "spool"
    assert np.array_equal(read.pixels.pixels, kept)
    assert _find(node, _missing(node)).source == "kept image"  # kept for the next time


def test_a_damaged_kept_image_is_passed_over(node: WorkedNode) -> None:
    [kept] = node.worker.settings.kept_images_folder.glob("*/*")
    kept.write_bytes(kept.read_bytes()[:-1])
    assert _find(node, _missing(node)).source == "spool"


def test_a_file_that_cannot_be_read_any_more_says_why(node: WorkedNode) -> None:
    _forget_kept(node)
    [name] = node.worker.spool.names()
    node.worker.spool.path(name).write_bytes(b"no DICOM")
    with pytest.raises(LackingError, match=r"not among the kept images.*; "):
        _find(node, _missing(node))


def test_vectors_computed_elsewhere_need_no_pixels(node: WorkedNode) -> None:
    _forget_kept(node)
    _empty_spool(node)
    assert not _find(node, _missing(node), wanted_rule=THE_FILES_OWN).is_seen


def test_a_file_with_other_bytes_than_the_vectors_is_not_taken(node: WorkedNode) -> None:
    _forget_kept(node)
    with pytest.raises(LackingError, match="other bytes came under its UID"):
        _find(node, replace(_missing(node), sha256="of other bytes"))


def test_what_a_busy_node_received_is_left_to_it(node: WorkedNode) -> None:
    rules = WindowRules("a", "a")
    with Sources(node.worker.settings, find("baseline"), node="me", rules=rules) as sources:
        sources.busy = {node.worker.node}
        with pytest.raises(LackingError, match=r"^it was received by another node"):
            sources.find(_missing(node))


def _fetching(port: int) -> dict[str, Any]:
    return {
        "encoder": EncoderSettings(fetch_from="pacs"),
        "peers": (peer_at(port, ae_title=ARCHIVE),),
    }


def test_an_image_that_is_nowhere_here_is_fetched(node: WorkedNode, tmp_path: Path) -> None:
    """From DCMTK's archive: the vector is that of the image that came first."""
    before = vectors(node.engine, node.worker.space.id, 0)
    file = written(tmp_path / "archived.dcm", image(0))
    _forget_kept(node)
    _empty_spool(node)
    space = become_older(node.engine)
    want(node.engine, space, Maker("baseline"))
    with dcmqrscp(tmp_path / "archive", [file]) as port:
        settings = node.worker.settings.model_copy(update=_fetching(port))
        run_to_its_end(node.engine, settings, node=node.worker.node)
    assert used(node.engine).id == space.id
    assert vectors(node.engine, space.id, 0) == before
    assert not (settings.data_folder / "fetched").exists()


def test_an_archive_that_is_away_is_left_alone_for_a_while(node: WorkedNode) -> None:
    _forget_kept(node)
    _empty_spool(node)
    port = find_free_port()
    settings = node.worker.settings.model_copy(update=_fetching(port))
    rules = WindowRules("a", "a")
    with Sources(settings, find("baseline"), node=node.worker.node, rules=rules) as sources:
        reasons = []
        for _ in range(2):
            with pytest.raises(LackingError) as lacking:
                sources.find(_missing(node))
            reasons.append(str(lacking.value))
    assert reasons[0] == reasons[1]
    assert "pacs" in reasons[0]


def test_what_a_killed_process_fetched_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "fetched" / "left.dcm"
    left.parent.mkdir()
    left.touch()
    settings = Settings(data_folder=tmp_path)
    with Sources(settings, find("baseline"), node="me", rules=WindowRules("a", "a")):
        assert not left.exists()


def test_nothing_is_kept_where_the_settings_keep_nothing(node: WorkedNode) -> None:
    _forget_kept(node)
    assert _find(node, _missing(node), settings={"encoder": EncoderSettings(kept_images_gb=0)})
    folder = node.worker.settings.kept_images_folder
    assert list(folder.glob("*/*")) == []


@pytest.mark.parametrize(
    ("changes", "is_taken"),
    [
        ({"PatientComments": "other bytes"}, True),
        ({"PixelData": image(3).PixelData}, False),
    ],
)
def test_what_an_archive_gives_must_be_what_was_received(
    node: WorkedNode, tmp_path: Path, changes: dict[str, Any], is_taken: bool
) -> None:
    """With other bytes it is compared with the picture; if it is another, it is not kept."""
    came = image(0)
    for keyword, value in changes.items():
        setattr(came, keyword, value)
    file = written(tmp_path / "archived.dcm", came)
    _forget_kept(node)
    _empty_spool(node)
    space = become_older(node.engine)
    want(node.engine, space, Maker("baseline"))
    with dcmqrscp(tmp_path / "archive", [file]) as port:
        settings = node.worker.settings.model_copy(update=_fetching(port))
        run_to_its_end(node.engine, settings, node=node.worker.node)
    assert (used(node.engine).id == space.id) is is_taken
    assert bool(list(settings.kept_images_folder.glob("*/*"))) is is_taken
    with node.engine.connect() as connection:
        told = "SELECT count(*) FROM embeddings WHERE produced_by ? 'fetched_sha256'"
        assert connection.execute(text(told)).scalar_one() == is_taken
    if not is_taken:
        [lack] = ChangeoverProgress.of(wanted(node.engine)).lacking  # type: ignore[arg-type]
        assert NOT_THE_SAME in lack.reason
