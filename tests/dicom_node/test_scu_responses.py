"""A response that arrives at an unlucky moment still reaches the sender that waits for it."""

from pynetdicom import AE, evt
from pynetdicom.sop_class import Comprehensive3DSRStorage

from dicom_node.scu import handle_open
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
