"""Fuzzing with a fixed seed; `tests/benchmarks/hostile_files.py` reads thousands of files."""

import hostile


def test_mutated_files_are_read_or_refused(tmp_path, monkeypatch, unchecked):
    monkeypatch.chdir(tmp_path)
    outcomes = hostile.fuzz(tmp_path, 150)
    assert sum(n for kind, n in outcomes.items() if kind.endswith("refused")) > 75
