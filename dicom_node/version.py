"""The version that runs."""

from importlib.metadata import version

SOFTWARE_VERSION = version("likeness-node")
