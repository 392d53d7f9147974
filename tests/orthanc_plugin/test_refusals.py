"""What the node does not take: for now, or of an image that it would never take."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage, MRImageStorage

from orthanc_plugin.refusals import Refusals, is_of_the_image
from tests.conftest import find_free_port
from tests.dicom_node.receivers import Answer, Receiver
from tests.end_to_end.orthanc import Installed
from tests.orthanc_plugin.plugged import (
    archive_in,
    image,
    mark_of,
    new_uid,
    node_scp,
    put,
    status,
    wait_until_sent,
)
from tests.waiting import wait_until

SAYS = 'C-STORE SCU to AET "LIKENESS" has failed with DIMSE status 0x'
OUT_OF_RESOURCES = 0xA700


@pytest.fixture(scope="module")
def scp_port() -> int:
    return find_free_port()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, scp_port: int) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("refusals")
    with archive_in(folder, scp_port=scp_port, RetrySeconds=0.1) as running:
        yield running


@pytest.fixture
def node(scp_port: int) -> Iterator[Receiver]:
    with node_scp(scp_port) as got:
        yield got


class FirstFew(dict[str, Answer]):
    """One answer to the first few C-STOREs, Success from then on."""

    def __init__(self, answer: Answer, times: int) -> None:
        self._answer = answer
        self.left = times

    def get(self, _sop_class: str, _default: object = None) -> Answer:
        """The next answer."""
        if not self.left:
            return 0x0000
        self.left -= 1
        return self._answer


# what Orthanc 1.10.1 says in these cases, but for the two last (from its texts)
@pytest.mark.parametrize(
    ("said", "of_the_image"),
    [
        (f"{SAYS}A900", True),
        (f"{SAYS}A9FF", True),
        (f"{SAYS}C000", True),
        (f"{SAYS}C210", True),
        (f"{SAYS}0122", True),
        (f"{SAYS}A700", False),
        (f"{SAYS}A701", False),
        (f"{SAYS}0110", False),
        (f"{SAYS}0124", False),
        (f"{SAYS}FE00", False),
        ("Cannot transcode from 1.2.840.10008.1.2.1 to one of [ ]", True),
        ('DicomAssociation - C-STORE to AET "C000": Peer aborted Association', False),
        ('DicomAssociation - C-STORE to AET "L": DIMSE No data available (timeout)', False),
        ('DicomAssociation - connecting to AET "L": DUL Association Rejected', False),
        ("Orthanc has forgotten its job", False),
        ("The job was canceled", False),
        ("No valid presentation context was negotiated for SOP class UID [1.2]", True),
        ("DicomUserConnection: No acceptable presentation context for modality: L", True),
    ],
)
def test_which_refusals_are_of_the_image(said: str, of_the_image: bool) -> None:
    assert is_of_the_image(said) is of_the_image


def test_a_refusal_that_passes_leaves_out_no_image(installed: Installed, node: Receiver) -> None:
    """The node is out of resources three times, then takes what comes."""
    node.answers = FirstFew(OUT_OF_RESOURCES, 3)
    uid = new_uid()
    study = put(installed.orthanc, image(uid), image(uid))
    wait_until_sent(installed.orthanc, [study])
    mark = mark_of(installed.orthanc, study)
    assert (mark["images"], mark["refused"]) == (2, 0)
    last = status(installed.orthanc)["forwarding"]["refused"]["last"]
    assert study not in {one["study"] for one in last}


def test_a_study_that_fails_for_now_lets_the_others_pass(
    installed: Installed, node: Receiver
) -> None:
    """However often: one study is no sign that the node takes nothing."""
    node.answers[CTImageStorage] = OUT_OF_RESOURCES
    uid = new_uid()
    study = put(installed.orthanc, image(uid, SOPClassUID=CTImageStorage, Modality="CT"))
    wait_until(lambda: len(node.uids()) >= 4, "it to be tried four times")
    assert status(installed.orthanc)["forwarding"]["paused"] == ""
    door = f"/likeness/state/study/{study}"
    wait_until(lambda: installed.orthanc.get(door)["state"] == "failed", "it to be told")
    assert "tried again" in installed.orthanc.get(door)["says"]
    other = put(installed.orthanc, image(new_uid()))
    wait_until_sent(installed.orthanc, [other])
    del node.answers[CTImageStorage]
    wait_until_sent(installed.orthanc, [study])


@pytest.mark.parametrize(
    ("sop_class", "why"),
    [
        (MRImageStorage, "Cannot transcode"),  # the SCP has no such presentation context
        (CTImageStorage, "DIMSE status 0xA900"),
    ],
)
def test_what_is_left_out_is_told(
    installed: Installed, node: Receiver, sop_class: str, why: str
) -> None:
    node.answers[CTImageStorage] = 0xA900
    before = status(installed.orthanc)["forwarding"]["refused"]
    uid = new_uid()
    images = [image(uid), image(uid), image(uid, SOPClassUID=sop_class)]
    study = put(installed.orthanc, *images)
    wait_until_sent(installed.orthanc, [study])
    _assert_told(installed, study, why)
    told = status(installed.orthanc)["forwarding"]["refused"]
    assert (told["studies"], told["images"]) == (before["studies"] + 1, before["images"] + 1)


def test_what_was_left_out_is_told_after_a_restart(installed: Installed) -> None:
    """The sweep finds it in the marks."""
    before = status(installed.orthanc)["forwarding"]["refused"]
    assert before["studies"] > 0
    installed.kill()
    installed.start()
    wait_until(lambda: status(installed.orthanc)["forwarding"]["sweep"]["over"], "the sweep to end")
    assert status(installed.orthanc)["forwarding"]["refused"].keys() == before.keys()
    for study in before["last"]:
        _assert_told(installed, study["study"], study["says"])


def _assert_told(installed: Installed, study: str, why: str) -> None:
    mark = mark_of(installed.orthanc, study)
    assert (mark["images"], mark["refused"]) == (2, 1)
    told = status(installed.orthanc)["forwarding"]["refused"]
    (of_study,) = (one for one in told["last"] if one["study"] == study)
    assert of_study["images"] == 1
    assert why in of_study["says"]
    says = installed.orthanc.get(f"/likeness/state/study/{study}")["says"]
    assert "1 of its 3 images not taken by the node" in says
    assert why in says


def test_refusals_are_counted_by_study() -> None:
    refusals = Refusals()
    for number in range(12):
        refusals.note(f"study{number}", 2, "why")
    refusals.note("study0", 0, "")
    refusals.note("study3", 5, "other")
    told = refusals.told()
    assert (told["studies"], told["images"], len(told["last"])) == (11, 25, 10)
    assert told["last"][0] == {"study": "study3", "images": 5, "says": "other"}


def test_a_study_counts_as_unchanged_west_of_greenwich(
    tmp_path: Path, scp_port: int, node: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orthanc keeps LastUpdate in UTC; it is some seconds old when the study is stable."""
    monkeypatch.setenv("TZ", "EST5")
    with archive_in(tmp_path, scp_port=scp_port, orthanc={"StableAge": 3}) as installed:
        study = put(installed.orthanc, image(new_uid()))
        wait_until_sent(installed.orthanc, [study])
        metadata = installed.orthanc.get(f"/studies/{study}/metadata?expand")
        assert mark_of(installed.orthanc, study)["changed"] == metadata["LastUpdate"]
    assert len(node.uids()) == 1
