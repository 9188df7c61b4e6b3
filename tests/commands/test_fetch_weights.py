"""Weights are installed only complete and checked, from a server or from a path."""

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
        page="https://example.org/one",
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


def test_a_file_is_downloaded_and_checked(served, tmp_path, capsys):
    assert "not available" in fetch(capsys, "--list")[1]
    status, output = fetch(capsys, "one")
    assert status == 0 and "passes all checks and is in" in output
    assert [p.name for p in (tmp_path / "weights").iterdir()] == ["made"]
    assert "is available" in fetch(capsys, "one")[1]
    assert "one  (available" in fetch(capsys)[1]


def test_a_damaged_file_is_not_installed(served, tmp_path, capsys):
    _, site = served
    whole = (site / "one.safetensors").read_bytes()
    for damaged in (whole[:-4], whole[:-4] + bytes([1, 2, 3, 4])):
        (site / "one.safetensors").write_bytes(damaged)
        status, output = fetch(capsys, "one")
        assert status == 2 and "error:" in output
        assert not list((tmp_path / "weights").iterdir())


def test_a_failed_download_names_the_page(served, tmp_path, capsys):
    _, site = served
    (site / "one.safetensors").unlink()
    status, output = fetch(capsys, "one")
    assert status == 2 and "https://example.org/one" in output and "--from PATH" in output
    status, output = fetch(capsys, "two")
    assert status == 2 and "https://example.org/two" in output and "--from PATH" in output


def test_files_are_copied_or_linked_from_a_path(served, tmp_path, capsys):
    _, site = served
    for source in (site / "one.safetensors", site):
        assert fetch(capsys, "one", "--from", source)[0] == 0
    assert not (tmp_path / "weights" / "made" / "one.safetensors").is_symlink()
    assert fetch(capsys, "one", "--from", site, "--symlink")[0] == 0
    assert (tmp_path / "weights" / "made" / "one.safetensors").resolve().parent == site.resolve()
    assert "there is no" in fetch(capsys, "one", "--from", tmp_path / "nowhere")[1]


def test_wrong_names_and_options(served, capsys):
    assert "did you mean 'one'?" in fetch(capsys, "ome")[1]
    assert "--from is the file of one NAME" in fetch(capsys, "one", "two", "--from", "x")[1]
    assert "--symlink needs --from" in fetch(capsys, "one", "--symlink")[1]
