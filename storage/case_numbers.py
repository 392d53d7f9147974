"""Case numbers: what a study is called where its UID must not be told.

A case number is a keyed hash of the Study Instance UID: the same study always has the same one,
and nobody without the key can tell which study it is, or whether a study is in the archive. The
key lies in the database, which holds the patients' data itself.
"""

import base64
import hmac
import secrets

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from storage.tables import Secret, Study

KEY_NAME = "case numbers"
KEY_BYTES = 32
SYMBOLS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")
"""From RFC 4648's base 32 to one without I, L, O and U, which are misread or spell words."""
MISREAD = str.maketrans("ILO", "110")
GROUPS, GROUP = 3, 4


def key_of_archive(connection: Connection) -> bytes:
    """The archive's key, 32 random bytes; made when it is first asked for."""
    connection.execute(
        upsert(Secret)
        .values(name=KEY_NAME, value=secrets.token_bytes(KEY_BYTES))
        .on_conflict_do_nothing()
    )
    return connection.execute(select(Secret.value).where(Secret.name == KEY_NAME)).scalar_one()


def case_number(key: bytes, study_instance_uid: str) -> str:
    """The study's case number, such as "7F3K-92QD-M4XV": 60 bits of HMAC-SHA-256 (RFC 2104).

    Among a million studies two share one with a probability of 4 in 10 million.
    """
    digest = hmac.digest(key, study_instance_uid.encode(), "sha256")
    symbols = base64.b32encode(digest).decode("ascii").translate(SYMBOLS)
    groups = (symbols[start : start + GROUP] for start in range(0, GROUPS * GROUP, GROUP))
    return "-".join(groups)


def find(connection: Connection, number: str) -> list[str]:
    """The Study Instance UIDs of this archive that have the case number, one as a rule.

    Letters may be small, hyphens missing, and O, I or L written for 0 and 1.
    """
    key = key_of_archive(connection)
    wanted = _symbols(number)
    uids = connection.execute(select(Study.study_instance_uid)).scalars()
    return [uid for uid in uids if _symbols(case_number(key, uid)) == wanted]


def _symbols(number: str) -> str:
    return "".join(c for c in number.upper() if c.isalnum()).translate(MISREAD)
