"""PostgreSQL tables and queries, the vector index beside them, and the rules of search."""
