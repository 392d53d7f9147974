"""Questions from the command line: about studies of the archive, or with files from outside."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node import answering, asking
from dicom_node.making import (
    declaration_of,
    differences,
    image_key,
    make_again,
    named,
    summary_of,
)
from dicom_node.reading import frame_number, reference_of
from dicom_node.received import MALFORMED, UnreadableError, study_facts
from dicom_node.settings import Settings
from encoders.checked import CheckedEncoder
from encoders.choice import ChosenImage
from encoders.deflated import read_header
from encoders.elements import explain
from encoders.header import HeaderError, ImageHeader
from encoders.image import GrayscaleImage, PixelError
from encoders.pixel_reader import PixelReader
from storage import search, spaces, studies
from storage.answer import Answer, SpaceSummary, StudyRecord
from storage.search import QueryImage, QueryStudy, Question, Wish
from storage.spaces import KnownSpace


@dataclasses.dataclass(frozen=True)
class _Outside:
    """Files as studies to ask with, by the names under which they were given."""

    space: SpaceSummary
    studies: dict[str, QueryStudy]


def ask(
    engine: Engine, settings: Settings, asked: Sequence[str], *, wish: Wish, asked_by: str
) -> Answer:
    """The answer for one or several studies of the archive, or image files from outside.

    Files are not taken into the archive; those of one study are asked with together. The priors
    are those of the first.

    Args:
        engine: of the archive's database.
        settings: of the node.
        asked: at least one; what is no file is a Study Instance UID.
        wish: how many hits, and the marks that refine the question; ``also`` is not looked at.
        asked_by: in the words of the audit.

    Raises:
        UnreadableError: a file is no DICOM image, or cannot be decoded.
        SearchError: a study is not here or not indexed, or the encoder of the space in use, made
            here, is that of another space.
        EncoderError: it cannot be made here.
    """
    files = [entry for entry in dict.fromkeys(asked) if Path(entry).exists()]
    outside = _embedded(engine, settings, files) if files else None
    with engine.begin() as connection:
        rows = _rows(connection, [entry for entry in asked if entry not in files])
        # what vectors were made for; another may be in use by now, and this one still answers
        space = asking.space_in_use(connection) if outside is None else outside.space
        known = {} if outside is None else outside.studies
        first, *others = _one_for_each(
            known[entry]
            if entry in known
            else search.query_study(connection, rows[entry], space=space)
            for entry in dict.fromkeys(asked)
        )
        question = Question(
            study=first.study,
            images=first.images,
            space=space,
            k=settings.search.k if wish.k is None else wish.k,
            level=settings.search.level,
            filters=wish.filters,
            also=others,
            strategy=wish.strategy,
        )
        question = search.refined(connection, question, wish.marks)
        with asking.read_only_index(connection, settings, space) as index:
            return answering.answer_to(
                connection, index, question, settings=settings, asked_by=asked_by
            )


def _rows(connection: Connection, uids: Sequence[str]) -> dict[str, int]:
    """The rows of studies by their Study Instance UIDs."""
    found = {}
    for uid in uids:
        state = studies.state_of(connection, uid)
        if state is None:
            raise search.NoSuchStudyError(f"{uid} is neither a file nor a study of this archive")
        found[uid] = state.id
    return found


def _one_for_each(asked: Iterable[QueryStudy]) -> list[QueryStudy]:
    """The studies, those of one Study Instance UID as one, with the images of all."""
    found: list[QueryStudy] = []
    for entry in asked:
        uid = entry.study.study_instance_uid
        same = [known for known in found if uid and known.study.study_instance_uid == uid]
        if same:
            both = dataclasses.replace(same[0], images=[*same[0].images, *entry.images])
            found[found.index(same[0])] = both
        else:
            found.append(entry)
    return found


def _embedded(engine: Engine, settings: Settings, files: Sequence[str]) -> _Outside:
    read = [_read_question(Path(file)) for file in files]
    with engine.connect() as connection:
        known = spaces.known_in_use(connection)
    images = [
        _read_image(Path(file), chosen, known)
        for file, (_, chosen) in zip(files, read, strict=True)
    ]
    encoder = _encoder_of(asking.indexed(known), settings)
    vectors = encoder.embed(images)
    made = {
        file: QueryStudy(study, [QueryImage(reference_of(chosen, image.rules), vector)])
        for file, (study, chosen), image, vector in zip(files, read, images, vectors, strict=True)
    }
    return _Outside(summary_of(encoder.space), made)


def _read_image(path: Path, chosen: ChosenImage, known: KnownSpace | None) -> GrayscaleImage:
    """The image as the encoder of a space sees it; a fault of its own is told in any case."""
    ct_window = None
    if known is not None:
        ct_window = declaration_of(known.summary, known.maker).ct_window
    try:
        with PixelReader() as reader:
            image = reader.read(path, chosen.frame, ct_window=ct_window)
    except PixelError as fault:
        raise UnreadableError(f"{path}: {fault}") from fault
    key = image_key(chosen.header.sop_instance_uid, frame_number(chosen))
    return named(image, key, chosen.header)


def _encoder_of(known: KnownSpace, settings: Settings) -> CheckedEncoder:
    encoder = make_again(settings, known.maker, known.summary)
    made = summary_of(encoder.space)
    if made != known.summary:
        raise search.SearchError(
            f"the archive answers in space {known.id}, and its encoder made here is of space "
            f"{made.id}: {differences(known.summary, made)}"
        )
    return encoder


def _read_question(path: Path) -> tuple[StudyRecord, ChosenImage]:
    try:
        dataset = read_header(path)
        header = ImageHeader.from_dataset(dataset)
        facts = study_facts(dataset)
    except HeaderError as fault:
        raise UnreadableError(f"{path}: {fault}") from fault
    except MALFORMED as fault:
        raise UnreadableError(f"{path} is not readable as DICOM ({explain(fault)})") from fault
    frames = header.number_of_frames
    chosen = ChosenImage(header, None if frames == 1 else (frames - 1) // 2, "the file asked with")
    study = StudyRecord(
        id=0, study_instance_uid=str(dataset.get("StudyInstanceUID") or ""), **facts
    )
    return study, chosen
