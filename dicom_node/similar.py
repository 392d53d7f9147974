"""The question of the HTTP service and its page: which studies are like this one?"""

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dicom_node import answering, asking
from dicom_node.community_reader import CommunityReader
from dicom_node.reporting import UnknownStudyError
from dicom_node.settings import Settings
from dicom_node.shared_index import SharedIndex
from storage import embeddings, studies
from storage.answer import Answer, SpaceSummary
from storage.search import PLAIN, SearchError, Wish
from storage.studies import StudyState


class Similar:
    """Asks for studies of the archive; it may be used by several threads at once."""

    def __init__(self, engine: Engine, settings: Settings, *, index: SharedIndex) -> None:
        self._engine = engine
        self._settings = settings
        self._index = index
        self._communities = CommunityReader(settings)

    def state(self, study_uid: str) -> StudyState:
        """Where a study stands.

        Raises:
            UnknownStudyError: it is not here.
        """
        with self._engine.connect() as connection:
            state = studies.state_of(connection, study_uid)
        if state is None:
            raise UnknownStudyError(study_uid)
        return state

    def ask(
        self,
        study_uid: str,
        *,
        asked_by: str,
        wish: Wish = PLAIN,
    ) -> Answer | StudyState:
        """The answer, written into the audit; where the study stands if it is not indexed.

        Raises:
            UnknownStudyError: the study is not here.
            SearchError: it cannot be asked with, or the wish not be met; the message says why.
        """
        state = self.state(study_uid)
        if state.state in {"open", "queued", "failed"}:
            return state
        self._index.wait()
        with self._engine.begin() as connection:
            space = asking.space_in_use(connection)
            if state.state == "answered" and not _can_be_asked(connection, state, space):
                raise SearchError(
                    f"study {study_uid} is not kept in this archive to be found: by the settings, "
                    'studies of the peer that sent it are only answered (rule = "answer")'
                )
            return answering.ask(
                connection,
                self._index.of(connection, space),
                state.id,
                space=space,
                settings=self._settings,
                asked_by=asked_by,
                wish=wish,
                communities=self._communities,
            )


def _can_be_asked(connection: Connection, state: StudyState, space: SpaceSummary) -> bool:
    return bool(embeddings.groups_of_study(connection, space_id=space.id, study_id=state.id))
