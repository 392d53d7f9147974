"""Which engine finds the nearest vectors, and in what form it holds them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Kind(StrEnum):
    """How rows are looked for: all, along a graph of neighbours, or in the nearest cells."""

    EXACT = "exact"
    HNSW = "hnsw"
    IVF = "ivf"


class Precision(StrEnum):
    """What is looked at: the rows, or their numbers in 16 or in 8 bits."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


@dataclass(frozen=True)
class Choice:
    """An engine and its form."""

    kind: Kind = Kind.EXACT
    precision: Precision = Precision.FP32

    def __str__(self) -> str:
        """As it stands in a snapshot."""
        return f"{self.kind}-{self.precision}"

    @classmethod
    def parse(cls, said: str) -> Self:
        """From its text; raises ValueError where it is none."""
        kind, _, precision = said.partition("-")
        return cls(Kind(kind), Precision(precision))


EXACT = Choice()
"""Looks at the rows themselves, all of them."""
