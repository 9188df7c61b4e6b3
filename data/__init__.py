"""Builders of the data sets: from a downloaded archive to shards that are read at random."""
