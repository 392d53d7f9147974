# SPDX-License-Identifier: AGPL-3.0-or-later
"""The buttons in Orthanc Explorer."""

from __future__ import annotations

from pathlib import Path


def script() -> str:
    """The script that Orthanc Explorer is to run."""
    return Path(__file__).with_name("explorer.js").read_text(encoding="utf-8")
