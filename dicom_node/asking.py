"""Questions from the command line: about a study of the archive, or with a file from outside."""

import dataclasses
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node import answering
from dicom_node.making import differences, image_key, make_again, summary_of
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
from encoders.registry import find
from storage import audit, search, spaces, studies
from storage.answer import Answer, SpaceSummary, StudyRecord
from storage.index import SnapshotError, VectorIndex, snapshot_path
from storage.spaces import KnownSpace


def space_in_use(connection: Connection) -> SpaceSummary:
    """The space that answers.

    Raises:
        SearchError: nothing was ever indexed here.
    """
    return known_space_in_use(connection).summary


def known_space_in_use(connection: Connection) -> KnownSpace:
    """The same, with how its encoder is made.

    Raises:
        SearchError: nothing was ever indexed here.
    """
    return _indexed(spaces.known_in_use(connection))


def _indexed(known: KnownSpace | None) -> KnownSpace:
    if known is None:
        raise search.SearchError("nothing is indexed yet: start the node with `likeness serve`")
    return known


def read_only_index(connection: Connection, settings: Settings, space: SpaceSummary) -> VectorIndex:
    """The index for a reader beside its owner: the snapshot if it is good, then the database.

    The reader leaves the snapshot as it is; only the owner sets a bad one aside.
    """
    try:
        index = VectorIndex.load(snapshot_path(settings.index_folder, space.id), space)
    except (FileNotFoundError, SnapshotError):
        index = VectorIndex.empty(space)
    index.catch_up(connection)
    return index


def ask_by_uid(
    engine: Engine, settings: Settings, study_instance_uid: str, *, k: int, asked_by: str
) -> Answer:
    """The answer for a study of the archive.

    Raises:
        SearchError: the study is not here, or not indexed.
    """
    with engine.begin() as connection:
        state = studies.state_of(connection, study_instance_uid)
        if state is None:
            raise search.SearchError(
                f"{study_instance_uid} is neither a file nor a study of this archive"
            )
        space = space_in_use(connection)
        index = read_only_index(connection, settings, space)
        return answering.ask(
            connection, index, state.id, space=space, settings=settings, asked_by=asked_by, k=k
        )


def ask_with_file(
    engine: Engine, settings: Settings, path: Path, *, k: int, asked_by: str
) -> Answer:
    """The answer for an image file from outside, which is not taken into the archive.

    Raises:
        UnreadableError: the file is no DICOM image, or cannot be decoded.
        SearchError: the encoder of the space in use, made here, is that of another space.
        EncoderError: it cannot be made here.
    """
    study, chosen = _read_question(path)
    with engine.connect() as connection:
        known = spaces.known_in_use(connection)
    image = _read_image(path, chosen, known)
    encoder = _encoder_of(_indexed(known), settings)
    vector = encoder.embed([image])[0]
    with engine.begin() as connection:
        # what the vector was made for; another may be in use by now, and this one still answers
        space = summary_of(encoder.space)
        question = search.Question(
            study=study,
            images=[search.QueryImage(reference_of(chosen, image.rules), vector)],
            space=space,
            k=k,
            level=settings.search.level,
        )
        answer = search.answer(connection, read_only_index(connection, settings, space), question)
        audit.record(connection, answer, asked_by=asked_by)
        return answer


def _read_image(path: Path, chosen: ChosenImage, known: KnownSpace | None) -> GrayscaleImage:
    """The image as the encoder of a space sees it; a fault of its own is told in any case."""
    ct_window = None if known is None else find(known.summary.encoder).ct_window
    try:
        with PixelReader() as reader:
            image = reader.read(path, chosen.frame, ct_window=ct_window)
    except PixelError as fault:
        raise UnreadableError(f"{path}: {fault}") from fault
    key = image_key(chosen.header.sop_instance_uid, frame_number(chosen))
    return dataclasses.replace(image, key=key)


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
