"""Sends studies to a node by C-STORE, as a modality would: for the demo and the benchmarks."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    Verification,
)

from dicom_node.scu import SendError, handle_open
from dicom_node.settings import DicomSettings, TlsSettings
from dicom_node.tls import client_context

SOP_CLASSES = (
    Verification,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    CTImageStorage,
)


class OpenAssociation:
    """An association on which instances are sent one after the other."""

    def __init__(self, association: Association) -> None:
        self._association = association

    def send(self, datasets: Iterable[Dataset]) -> None:
        """C-STORE of each.

        Raises:
            SendError: one was not acknowledged with Success.
        """
        for dataset in datasets:
            status = self._association.send_c_store(dataset)
            if "Status" not in status or status.Status != 0x0000:
                code = f"0x{status.Status:04X}" if "Status" in status else "no answer"
                raise SendError(f"C-STORE of {dataset.SOPInstanceUID}: {code}")


class StoreSender:
    """A Storage SCU for the node that listens by ``settings`` on this machine.

    With ``tls`` it calls the node's TLS port, with the certificate that is named there.
    """

    def __init__(
        self, settings: DicomSettings, *, calling_ae: str, tls: TlsSettings | None = None
    ) -> None:
        self._called = settings.ae_title
        self._address = (settings.bind, settings.port if tls is None else tls.port)
        self._tls = tls
        self._ae = AE(ae_title=calling_ae)
        for uid in SOP_CLASSES:
            self._ae.add_requested_context(uid, ExplicitVRLittleEndian)

    def echo(self) -> None:
        """Verifies that the node answers.

        Raises:
            SendError: it does not.
        """
        with self.association() as association:
            association.send([])

    @contextmanager
    def association(self) -> Iterator[OpenAssociation]:
        """An association for as long as the block lasts.

        Raises:
            SendError: the node does not answer or refuses.
            TlsError: the files of ``tls`` cannot be used.
        """
        context = None if self._tls is None else client_context(self._tls)
        association = self._ae.associate(
            *self._address,
            ae_title=self._called,
            evt_handlers=[(evt.EVT_CONN_OPEN, handle_open)],
            tls_args=None if context is None else (context, self._address[0]),
        )
        if not association.is_established:
            why = "" if context is None or context.fault is None else f": {context.fault}"
            raise SendError(f"no association with {self._called} at {self._address}{why}")
        try:
            yield OpenAssociation(association)
        finally:
            association.release()
