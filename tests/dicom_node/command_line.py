"""The command line in this process: how a run of it ended."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ran:
    """How a run of the command ended, and what it said."""

    code: int
    out: str
    err: str

    def could_not(self) -> str:
        """The one line in which a failed command says why; it printed nothing else."""
        assert (self.code, self.out) == (1, "")
        assert self.err.startswith("likeness: ")
        assert self.err.count("\n") == 1, self.err
        return self.err.removeprefix("likeness: ").strip()


Likeness = Callable[..., Ran]
