"""Questions from the command line: about a study of the archive, or with a file from outside."""

from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node import answering
from dicom_node.reading import reference_of
from dicom_node.received import MALFORMED, UnreadableError, study_facts
from dicom_node.settings import Settings
from encoders.choice import ChosenImage
from encoders.deflated import read_header
from encoders.elements import explain
from encoders.encoder import EncoderOptions
from encoders.header import HeaderError, ImageHeader
from encoders.image import PixelError
from encoders.pixel_reader import PixelReader
from encoders.registry import create
from storage import audit, search, snapshot, spaces, studies
from storage.answer import Answer, SpaceSummary, StudyRecord
from storage.index import VectorIndex, snapshot_path


def space_in_use(connection: Connection) -> SpaceSummary:
    """The space that answers.

    Raises:
        SearchError: nothing was ever indexed here.
    """
    space = spaces.in_use(connection)
    if space is None:
        raise search.SearchError("nothing is indexed yet: start the node with `likeness serve`")
    return space


def read_only_index(connection: Connection, settings: Settings, space: SpaceSummary) -> VectorIndex:
    """The index for a reader beside its owner: the snapshot if it is good, then the database.

    The reader leaves the snapshot as it is; only the owner sets a bad one aside.
    """
    try:
        index = VectorIndex.load(snapshot_path(settings.index_folder, space.id), space)
    except (FileNotFoundError, snapshot.SnapshotError):
        index = VectorIndex(space.id, space.dimension)
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
        SearchError: its encoder is not the one in use.
    """
    study, chosen = _read_question(path)
    encoder = create(settings.encoder.name, encoder_options(settings))
    try:
        with PixelReader() as reader:
            image = reader.read(path, chosen.frame)
    except PixelError as fault:
        raise UnreadableError(f"{path}: {fault}") from fault
    vector = encoder.embed([image])[0]
    with engine.begin() as connection:
        space = space_in_use(connection)
        if space.id != encoder.space.id:
            raise search.SearchError(
                f"the archive is indexed in space {space.id} ({space.encoder}), the settings "
                f"make {encoder.space.id} ({encoder.space.encoder}): restart the node"
            )
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


def encoder_options(settings: Settings) -> EncoderOptions:
    """What the settings say about how to make the encoder."""
    asked = settings.encoder
    return EncoderOptions(
        weights=asked.weights,
        folder=settings.weights_folder,
        allow_pickle=asked.allow_pickle,
        device=asked.device,
        threads=asked.threads,
        batch=asked.batch,
        precision=asked.precision,
        compile=asked.compile,
        deterministic=asked.deterministic,
        runtime=asked.runtime,
    )


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
