"""Work that blocks, in threads of its own, and no longer waited for than a caller would."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import ParamSpec, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from storage.outages import OUTAGES, StoreError, first_line, is_outage

log = logging.getLogger(__name__)

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

RETRY = {"Retry-After": "10"}


class Threads:
    """A few threads for one kind of work: work of one kind that hangs keeps no other waiting.

    ``patience_s`` is how long a caller waits, for a thread and for the work together. The work
    itself goes on to its end, which the limits of the database's connections see to.
    """

    def __init__(self, name: str, *, threads: int, patience_s: float) -> None:
        self._name = name
        self._patience_s = patience_s
        self._pool = ThreadPoolExecutor(threads, f"http-{name}")

    async def run(
        self,
        work: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """What ``work`` returns.

        Raises:
            HTTPException: 503, the database or a store does not answer, or not in time.
        """
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._pool, partial(work, *args, **kwargs))
        try:
            return await asyncio.wait_for(running, self._patience_s)
        except TimeoutError as fault:
            log.warning("%s over HTTP: no answer within %g s", self._name, self._patience_s)
            raise _unavailable("not done in time, and may be done yet: ask again later") from fault
        except StoreError as fault:
            log.warning("%s over HTTP: the store of vectors failed: %s", self._name, fault)
            raise _unavailable("the store of vectors does not answer: ask again later") from fault
        except OUTAGES as fault:
            if not is_outage(fault):
                raise
            log.warning("%s over HTTP: the database failed: %s", self._name, _said(fault))
            raise _unavailable("the database does not answer: ask again later") from fault


def _said(fault: Exception) -> str:
    return first_line(fault) if isinstance(fault, SQLAlchemyError) else str(fault)


def _unavailable(detail: str) -> HTTPException:
    return HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=RETRY)
