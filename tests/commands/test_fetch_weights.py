"""Weights arrive whole and checked, from a server or from a path, or not at all."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import flax.linen as nn
import numpy as np
import pytest
from safetensors.numpy import save_file

from vdm_jax import commands
from vdm_jax.checkpoints import Layout, Published, published
from vdm_jax.checkpoints.rules import dense
from vdm_jax.commands import fetch_weights


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@pytest.fixture
def served(tmp_path, monkeypatch):
    """(address, folder it serves): a server on this machine with the weights `one` and `two`."""
    monkeypatch.setenv(published.WEIGHTS, str(tmp_path / "weights"))
    site = tmp_path / "site"
    site.mkdir()
    save_file(
        {"a.weight": np.ones((3, 2), np.float32), "a.bias": np.zeros(3, np.float32)},
        site / "one.safetensors",
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    bytes_ = (site / "one.safetensors").read_bytes()
    one = Published(
        name="one",
        file="made/one.safetensors",
        where="https://example.org/one",
        layout=Layout("one", dense("a", "layer")),
        network=Layer(),
        inputs=((1, 2),),
        sha256=hashlib.sha256(bytes_).hexdigest(),
        size=len(bytes_),
        urls=(f"{address}/one.safetensors",),
    )
    two = Published("two", "two.bin", "https://example.org/two", one.layout, Layer(), ((1, 2),))
    monkeypatch.setattr(fetch_weights, "PUBLISHED", {"one": one, "two": two})
    yield address, site
    server.shutdown()
    server.server_close()


class Layer(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3, name="layer")(x)


def fetch(capsys, *argv) -> tuple[int, str]:
    status = commands.main(["fetch-weights", *map(str, argv)])
    captured = capsys.readouterr()
    return status, captured.out + captured.err


def test_a_file_is_downloaded_checked_and_then_at_hand(served, tmp_path, capsys):
    assert "not at hand" in fetch(capsys, "--list")[1]
    status, said = fetch(capsys, "one")
    assert status == 0 and "is what it should be, and now in" in said
    assert [p.name for p in (tmp_path / "weights").iterdir()] == ["made"]
    assert "is at hand" in fetch(capsys, "one")[1]
    assert "one  (at hand" in fetch(capsys)[1]


def test_a_file_that_is_not_the_published_one_is_not_kept(served, tmp_path, capsys):
    _, site = served
    whole = (site / "one.safetensors").read_bytes()
    for damaged in (whole[:-4], whole[:-4] + bytes([1, 2, 3, 4])):
        (site / "one.safetensors").write_bytes(damaged)
        status, said = fetch(capsys, "one")
        assert status == 2 and "error:" in said
        assert not list((tmp_path / "weights").iterdir())


def test_without_a_server_it_says_where_to_get_the_file(served, tmp_path, capsys):
    _, site = served
    (site / "one.safetensors").unlink()
    status, said = fetch(capsys, "one")
    assert status == 2 and "https://example.org/one" in said and "--from PATH" in said
    status, said = fetch(capsys, "two")
    assert status == 2 and "https://example.org/two" in said and "--from PATH" in said


def test_a_path_serves_as_well(served, tmp_path, capsys):
    _, site = served
    for source in (site / "one.safetensors", site):
        assert fetch(capsys, "one", "--from", source)[0] == 0
    assert not (tmp_path / "weights" / "made" / "one.safetensors").is_symlink()
    assert fetch(capsys, "one", "--from", site, "--link")[0] == 0
    assert (tmp_path / "weights" / "made" / "one.safetensors").resolve().parent == site.resolve()
    assert "there is no" in fetch(capsys, "one", "--from", tmp_path / "nowhere")[1]


def test_names_and_options_that_do_not_fit(served, capsys):
    assert "did you mean 'one'?" in fetch(capsys, "ome")[1]
    assert "--from is the file of one NAME" in fetch(capsys, "one", "two", "--from", "x")[1]
    assert "--link goes with --from" in fetch(capsys, "one", "--link")[1]
