"""A hundred files with a fixed seed; `tests/benchmarks/hostile_files.py` reads thousands."""

import hostile


def test_nothing_that_a_file_says_is_believed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcomes = hostile.judge(tmp_path, 150)
    assert sum(n for kind, n in outcomes.items() if kind.endswith("refused")) > 75
