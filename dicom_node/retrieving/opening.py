"""The retriever that the settings ask for."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from pydicom.uid import UID

from dicom_node.retrieving.awaited import Awaited
from dicom_node.retrieving.c_get import CGetRetriever
from dicom_node.retrieving.c_move import CMoveRetriever
from dicom_node.retrieving.orthanc import OrthancRetriever
from dicom_node.retrieving.retriever import RetrieveError, Retriever
from dicom_node.settings import Settings
from dicom_node.spool import Spool
from encoders.self_test import run_self_test


@contextmanager
def open_retriever(
    settings: Settings,
    *,
    stop: threading.Event | None = None,
    decodable: Sequence[UID] | None = None,
) -> Iterator[Retriever]:
    """The retriever of ``encoder.fetch_from``, for as long as the block lasts.

    Nobody is called before the first instance is fetched.

    Args:
        settings: of a node that has an ``encoder.fetch_from``.
        stop: set when the node is to end; fetching is broken off then.
        decodable: transfer syntaxes that were proved; if not given, a self-test proves them.

    Raises:
        RetrieveError: ``encoder.fetch_from`` is not set.
    """
    with closing(_retriever(settings, stop or threading.Event(), decodable)) as retriever:
        yield retriever


def _retriever(
    settings: Settings, stop: threading.Event, decodable: Sequence[UID] | None
) -> CGetRetriever | CMoveRetriever | OrthancRetriever:
    encoder = settings.encoder
    if encoder.fetch_from == "orthanc" and encoder.orthanc_url is not None:
        return OrthancRetriever(encoder.orthanc_url, settings, stop)
    peer = None if encoder.fetch_from is None else settings.peer_named(encoder.fetch_from)
    if peer is None:
        raise RetrieveError("encoder.fetch_from names nobody from whom images could come")
    if peer.retrieve == "c-move":
        awaited = Awaited(Spool(settings.data_folder).folder)
        awaited.sweep()
        return CMoveRetriever(peer, settings, awaited, stop)
    return CGetRetriever(peer, settings, decodable or run_self_test().proved, stop)
