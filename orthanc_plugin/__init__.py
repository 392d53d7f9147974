# SPDX-License-Identifier: AGPL-3.0-or-later
"""The script that Orthanc loads. Standard library and ``orthanc`` only."""

VERSION = "0.1.0"
