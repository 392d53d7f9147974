"""pgvector's types for SQLAlchemy: written as text, read as they are sent in binary."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.types import UserDefinedType

from storage.vectors.metric import Vectors

_SENT = 4
"""Bytes before the numbers in a vector's binary form: its dimension, and two that are 0."""


class Vector(UserDefinedType[str]):
    """``vector(dimension)``, or ``halfvec(dimension)``, written as text."""

    cache_ok = True

    def __init__(self, dimension: int, name: str = "vector") -> None:
        self.dimension = dimension
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        """As it stands in DDL and in casts."""
        return f"{self.name}({self.dimension})"


def as_text(vector: Vectors) -> str:
    """A vector of shape (n,) as the type reads it, to the last bit."""
    return "[" + ",".join(map(repr, vector.tolist())) + "]"


def from_sent(sent: bytes | memoryview) -> NDArray[np.float32]:
    """What ``vector_send`` gave, float32 of shape (dimension,)."""
    return np.frombuffer(sent, ">f4", offset=_SENT).astype(np.float32)
