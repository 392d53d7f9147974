"""A response that arrives at an unlucky moment still reaches the sender that waits for it."""

import queue

import pytest
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_ECHO, N_EVENT_REPORT
from pynetdicom.sop_class import Comprehensive3DSRStorage

from dicom_node.scu import MessageQueue, handle_open
from tests.dicom_node.receivers import receiver


def test_only_a_waiting_sender_takes_responses(free_port: int) -> None:
    """pynetdicom's reactor polls without blocking, and would drop a response as unexpected."""
    ae = AE()
    ae.add_requested_context(Comprehensive3DSRStorage)
    with receiver(free_port):
        handlers = [(evt.EVT_CONN_OPEN, handle_open)]
        association = ae.associate("127.0.0.1", free_port, evt_handlers=handlers)
        association.dimse.msg_queue.put((1, "a response"))
        assert association.dimse.get_msg(block=False) == (None, None)
        assert association.dimse.get_msg(block=True) == (1, "a response")
        association.release()


def _report(*, is_response: bool) -> N_EVENT_REPORT:
    message = N_EVENT_REPORT()
    message.AffectedSOPClassUID, message.AffectedSOPInstanceUID = UID("1.2.3"), UID("1.2.4")
    message.EventTypeID = 1
    if is_response:
        message.MessageIDBeingRespondedTo, message.Status = 1, 0
    else:
        message.MessageID = 1
    return message


def test_a_report_is_for_the_reactor_even_while_a_sender_waits() -> None:
    """A peer may report on the association on which it was asked, before it answers or after."""
    messages, report, response = MessageQueue(), _report(is_response=False), C_ECHO()
    messages.put((1, report))
    messages.put((3, response))
    assert messages.get(block=True, timeout=1) == (3, response)
    assert messages.get(block=False) == (1, report)


@pytest.mark.parametrize("message", [None, C_ECHO(), _report(is_response=True)])
def test_everything_else_is_for_the_sender(message: object) -> None:
    """Also what pynetdicom puts there to wake a sender whose association was aborted."""
    messages = MessageQueue()
    messages.put((None, message))
    with pytest.raises(queue.Empty):
        messages.get(block=False)
    assert messages.get(block=True, timeout=1) == (None, message)
