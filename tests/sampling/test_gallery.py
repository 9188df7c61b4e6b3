"""The gallery is one file, contains its videos, and escapes all text."""

import base64
import io
from html.parser import HTMLParser

import av
import numpy as np
from PIL import Image

from vdm_jax.sampling.gallery import Entry, write_gallery

VOID = {"meta", "img"}


class Page(HTMLParser):
    """Tags with their attributes, text by tag, and whether every tag is closed in order."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.text, self.open = [], {}, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and data.strip():
            self.text.setdefault(self.open[-1], []).append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def clip(seed=0, frames=4, size=16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, size, size, 3), dtype=np.uint8)


def load(source: str, kind: str) -> io.BytesIO:
    head, content = source.split(",")
    assert head == f"data:{kind};base64"
    return io.BytesIO(base64.b64decode(content))


def write(path, entries, title="Samples", notes=None, **options) -> Page:
    write_gallery(path / "gallery.html", entries, title, notes, **options)
    page = Page((path / "gallery.html").read_text())
    assert page.open == []
    return page


def test_small_clips_are_lossless_gifs_upscaled_by_a_whole_factor(tmp_path):
    page = write(tmp_path, [Entry("a red circle", {"": clip()})], fps=8)
    (image,) = page.all("img")
    assert int(image["width"]) % 16 == 0
    with Image.open(load(image["src"], "image/gif")) as gif:
        assert gif.size == (16, 16)
        for f in range(4):
            gif.seek(f)
            np.testing.assert_array_equal(np.asarray(gif.convert("RGB")), clip()[f])
    assert page.text["figcaption"] == ["a red circle"]
    assert "h2" not in page.text


def test_large_clips_are_mp4(tmp_path):
    page = write(tmp_path, [Entry("x", {"": clip(size=128)})])
    (element,) = page.all("video")
    assert {"autoplay", "loop", "muted", "playsinline"} <= element.keys()
    with av.open(load(element["src"], "video/mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 4


def test_columns_have_headings_in_order(tmp_path):
    videos = {"condition": clip(1), "result": clip(2), "truth": clip(3)}
    page = write(tmp_path, [Entry("a", videos), Entry("b", videos)])
    assert page.text["h2"] == ["condition", "result", "truth"] * 2
    assert len(page.all("img")) == 6
    assert len(page.all("figure")) == 2


def test_all_text_is_escaped(tmp_path):
    evil = '"><script>alert(1)</script><b>&amp;'
    page = write(tmp_path, [Entry(evil, {evil: clip()})], title=evil, notes={evil: evil})
    assert not page.all("script") and not page.all("b")
    for tag in ("title", "h1", "dt", "dd", "h2", "figcaption"):
        assert page.text[tag] == [evil], tag


def test_braces_in_captions_are_literal(tmp_path):
    page = write(tmp_path, [Entry("{title} {0}", {"": clip()})], title="{style}")
    assert page.text["figcaption"] == ["{title} {0}"]
    assert page.text["h1"] == ["{style}"]


def test_notes_are_shown_at_the_head(tmp_path):
    page = write(tmp_path, [], notes={"step": 4600, "guidance": 2.0})
    assert page.text["dt"] == ["step", "guidance"]
    assert page.text["dd"] == ["4600", "2.0"]


def test_no_resource_is_loaded_from_elsewhere(tmp_path):
    page = write(tmp_path, [Entry("a", {"": clip(), "b": clip(size=128)})])
    assert not page.all("link") and not page.all("script")
    for _, attributes in page.tags:
        assert "href" not in attributes
        assert attributes.get("src", "data:").startswith("data:")
    assert not any("url(" in text or "@import" in text for text in page.text["style"])
    assert any("default-src 'none'" in meta.get("content", "") for meta in page.all("meta"))
