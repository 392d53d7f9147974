"""FAISS without its type stubs: they have the C++ signatures, and lack what Python adds to them."""

from typing import Any

import faiss as _faiss

faiss: Any = _faiss
