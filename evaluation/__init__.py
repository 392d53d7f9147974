"""How good the answers are: retrieval metrics, data set readers, the synthetic archive."""
