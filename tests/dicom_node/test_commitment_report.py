"""A report is judged by PS3.7 10.1.1.1.8, and told before it is answered."""

from typing import Any

import pytest

from dicom_node.commitment_report import LONGEST, REPORT_STATUSES, IncomingReport
from dicom_node.event_information import CommitmentResult
from dicom_node.upper_layer.association import EventReport
from tests.dicom_node.raw_peer import COMMITMENT, COMMITMENT_INSTANCE, CR, EXPLICIT
from tests.dicom_node.test_event_information import TRANSACTION, encoded, information

GOOD = encoded(information("1.2.1", failed={"1.2.2": 0x0110}), EXPLICIT)


def _answered(*pieces: bytes, **changes: Any) -> tuple[int, list[CommitmentResult]]:
    about = {
        "sop_class_uid": COMMITMENT,
        "sop_instance_uid": COMMITMENT_INSTANCE,
        "event_type": 2,
        "transfer_syntax": EXPLICIT,
        **changes,
    }
    told: list[CommitmentResult] = []
    report = IncomingReport(EventReport(**about), "ARCHIVE", told.append)
    for piece in pieces:
        report.write(piece)
    return report.finish().status, told


@pytest.mark.parametrize("event_type", [1, 2])
def test_a_good_report_is_told(event_type: int) -> None:
    told = [CommitmentResult(TRANSACTION, ("1.2.1",), (("1.2.2", 0x0110),))]
    assert _answered(GOOD[:7], b"", GOOD[7:], event_type=event_type) == (0x0000, told)


@pytest.mark.parametrize(
    ("pieces", "changes", "status"),
    [
        ([GOOD], {"sop_class_uid": CR}, 0x0118),
        ([GOOD], {"sop_instance_uid": "1.2.3"}, 0x0112),
        ([GOOD], {"event_type": 0}, 0x0113),
        ([GOOD], {"event_type": 3}, 0x0113),
        ([], {}, 0x0115),
        ([GOOD[:-1]], {}, 0x0115),
        ([GOOD], {"transfer_syntax": "1.2.840.10008.1.2"}, 0x0115),
        ([encoded(information(), EXPLICIT)[10:]], {}, 0x0115),
        ([GOOD, bytes(LONGEST)], {}, 0x0213),
        ([b"\xff" * 1000] * 1000, {}, 0x0213),
    ],
    ids=[
        *("class", "instance", "event type 0", "event type 3", "no data", "cut off"),
        *("other syntax", "no transaction", "too long", "far too long"),
    ],
)
def test_another_one_is_refused_by_its_status(
    pieces: list[bytes], changes: dict[str, Any], status: int
) -> None:
    assert _answered(*pieces, **changes) == (status, [])
    assert status in REPORT_STATUSES


def test_the_longest_that_is_read() -> None:
    room = LONGEST - len(GOOD)
    filler = b"\x09\0\x01\x10OB\0\0" + (room - 12).to_bytes(4, "little") + bytes(room - 12)
    assert _answered(GOOD, filler)[0] == 0x0000
