"""Labels predicted from vectors (votes of the nearest, linear probes), and how well."""
