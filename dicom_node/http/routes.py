"""All routes that ask the archive, over one index that they share."""

from sqlalchemy import Engine
from starlette.routing import BaseRoute

from dicom_node.http.feedback import feedback_routes
from dicom_node.http.images import image_routes
from dicom_node.http.labels import label_routes
from dicom_node.http.pages import page_routes
from dicom_node.http.reports import report_routes
from dicom_node.http.studies import study_routes
from dicom_node.reporting import Reporting
from dicom_node.settings import Settings
from dicom_node.shared_index import SharedIndex
from dicom_node.similar import Similar


def archive_routes(
    engine: Engine, settings: Settings, *, node: str, index: SharedIndex | None = None
) -> list[BaseRoute]:
    """The routes; ``node`` is the device UID that reports name as their author."""
    index = index or SharedIndex(settings)
    similar = Similar(engine, settings, index=index)
    reporting = Reporting(engine, settings, node=node, index=index)
    return [
        *study_routes(engine, similar),
        *image_routes(engine),
        *report_routes(reporting),
        *label_routes(engine),
        *feedback_routes(engine),
        *page_routes(similar, engine, settings, reporting=reporting),
    ]
