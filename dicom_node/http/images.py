"""The route of a study's pictures: what the encoder saw of its images."""

import hashlib
from http import HTTPStatus

from sqlalchemy import Engine
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dicom_node.asking import space_in_use
from dicom_node.http.access import STUDY
from dicom_node.http.blocking import Threads
from dicom_node.http.disclosure import PRIVATE, log_disclosure
from dicom_node.http.refusals import refusals_told
from dicom_node.http.requests import is_uid, study_uid
from dicom_node.reporting import NoPictureError, UnknownStudyError
from storage import studies, study_pictures
from storage.study_pictures import StudyPicture

PNG = "image/png"
MOST_FRAMES = 2**31 - 1
"""PS3.5 6.2, VR IS: Number of Frames (0028,0008) can say no more."""


def image_routes(engine: Engine, *, reading_s: float = 10.0) -> list[Route]:
    """The route; a caller waits ``reading_s`` seconds."""
    reading = Threads("reading a picture", threads=4, patience_s=reading_s)

    async def image(request: Request) -> Response:
        uid = study_uid(request)
        instance, frame = _image_asked_for(request.query_params)
        picture = await reading.run(_picture, engine, uid, instance, frame)
        tag = f'"{hashlib.sha256(picture.png).hexdigest()[:32]}"'
        headers = {**PRIVATE, "Cache-Control": "private, no-cache", "ETag": tag}
        if tag in _tags(request):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        log_disclosure(request, uid, f"the picture of image {picture.sop_instance_uid}")
        return Response(picture.png, headers=headers, media_type=PNG)

    return [Route(f"{STUDY}/image.png", refusals_told(image), methods=["GET"])]


def _image_asked_for(parameters: QueryParams) -> tuple[str | None, int | None]:
    """SOP Instance UID and frame number from 1.

    Raises:
        HTTPException: 422, they are not that, or something else is asked for.
    """
    names = [name for name, _ in parameters.multi_items()]
    instance, frame = parameters.get("instance"), parameters.get("frame")
    if set(names) - {"instance", "frame"} or len(names) != len(set(names)):
        raise _unprocessable("takes the parameters instance and frame only, each once")
    if instance is not None and not is_uid(instance):
        raise _unprocessable("instance: takes a SOP Instance UID (PS3.5 9.1)")
    if frame is None:
        return instance, None
    if instance is None:
        raise _unprocessable("frame: needs the instance that it is a frame of")
    if not (frame.isascii() and frame.isdecimal() and len(frame) <= 10):
        raise _unprocessable("frame: takes the number of a frame, from 1")
    if not 1 <= int(frame) <= MOST_FRAMES:
        raise _unprocessable(f"frame: takes a number from 1 to {MOST_FRAMES}")
    return instance, int(frame)


def _unprocessable(detail: str) -> HTTPException:
    return HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, detail)


def _picture(engine: Engine, uid: str, instance: str | None, frame: int | None) -> StudyPicture:
    with engine.connect() as connection:
        state = studies.state_of(connection, uid)
        if state is None:
            raise UnknownStudyError(uid)
        found = study_pictures.of_study(
            connection,
            state.id,
            space_id=space_in_use(connection).id,
            sop_instance_uid=instance,
            frame=frame,
        )
    if found is None:
        what = "such image" if instance else "image"
        raise NoPictureError(f"study {uid}, which is {state.state}, has no {what} with a picture")
    return found


def _tags(request: Request) -> list[str]:
    """The entity tags of If-None-Match (RFC 9110 13.1.2), compared weakly, so without W/."""
    said = ",".join(request.headers.getlist("if-none-match"))
    return [tag.strip().removeprefix("W/") for tag in said.split(",")]
