"""Whose fault it is that images got no vectors: theirs, or that of what the network runs on."""

import threading
from collections.abc import Sequence

from encoders.encoder import EncoderError


class NetworkLostError(Exception):
    """No image of whatever study gets a vector in this process any more; in another one may."""


class NetworkFaults:
    """What failed since the network last gave an answer; for any number of threads.

    A lost GPU fails every image, of whatever study, and comes back to another process only. What
    befalls one study alone is that study's own, or a poisonous one would end process after process.
    An ``EncoderError`` is an answer, too.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kind: type[Exception] | None = None
        self._studies: set[int] = set()

    def note(self, tried: int, faults: Sequence[tuple[int, Exception]]) -> None:
        """What came of at least one image; each that failed was tried by itself.

        Args:
            tried: how many images they were.
            faults: of those that failed, each with the row of the image's study.

        Raises:
            NetworkLostError: nothing but the same unforeseen fault came of two studies in a row.
        """
        unforeseen = [(row, fault) for row, fault in faults if not isinstance(fault, EncoderError)]
        with self._lock:
            if len(unforeseen) < tried:
                self._studies.clear()
                return
            last = unforeseen[-1][1]
            if type(last) is not self._kind:
                self._kind = type(last)
                self._studies.clear()
            self._studies.update(row for row, _ in unforeseen)
            if len(self._studies) > 1:
                raise NetworkLostError(
                    f"the network gave no vector to any image of {len(self._studies)} studies "
                    f"({type(last).__name__}: {last})"
                ) from last
