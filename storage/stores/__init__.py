"""Where a space's vectors lie when they lie in another program: pgvector's, or Milvus.

A store has the part that the snapshot file has for ``storage.index.VectorIndex``: it holds the
vectors up to a watermark that stands in the store itself, and what came since is in memory.
"""
