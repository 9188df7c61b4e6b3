"""Data set builders: they turn a downloaded archive into shards with random access."""
