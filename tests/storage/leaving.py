"""An index from which a study leaves between what SQL says and what the index is asked for."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from storage import embeddings
from storage.answer import SpaceSummary
from storage.database_index import DatabaseIndex


class LeavingIndex(DatabaseIndex):
    """Whoever asks it for vectors finds that another connection has just retired a study's."""

    def __init__(
        self, connection: Connection, space: SpaceSummary, *, engine: Engine, study_id: int
    ) -> None:
        super().__init__(connection, space)
        self._engine = engine
        self._study_id = study_id

    def held(
        self, ids: Sequence[int] | NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """What is left of them."""
        with self._engine.begin() as other:
            embeddings.retire_study(other, space_id=self.space_id, study_id=self._study_id)
        return super().held(ids)
