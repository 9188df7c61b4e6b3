"""Samples as one self-contained web page, to open, send or archive."""

import base64
import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vdm_jax.data.encoding import Frames, gif, mp4
from vdm_jax.sampling.video import upscale_factor, write_bytes


@dataclass(frozen=True)
class Entry:
    """One caption and its videos.

    caption: the text below the videos.
    videos: by heading, side by side in this order; {"": video} is one video without a heading.
    """

    caption: str
    videos: Mapping[str, Frames]


def write_gallery(
    path: str | Path,
    entries: Iterable[Entry],
    title: str,
    notes: Mapping[str, object] | None = None,
    fps: float = 8.0,
) -> None:
    """Writes an HTML file that contains all videos.

    All text is escaped, and the page's Content-Security-Policy forbids loading other resources.

    notes: facts of the experiment (system, step, guidance, seed) for the head of the page.
    fps: frames per second.
    """
    write_bytes(path, page(entries, title, notes or {}, fps).encode())


def page(entries: Iterable[Entry], title: str, notes: Mapping[str, object], fps: float) -> str:
    """The HTML of `write_gallery`."""
    facts = "".join(
        f"<div><dt>{html.escape(str(name))}</dt><dd>{html.escape(str(value))}</dd></div>"
        for name, value in notes.items()
    )
    figures = "\n".join(_figure(entry, fps) for entry in entries)
    return _PAGE.format(
        title=html.escape(title),
        facts=f"<dl>{facts}</dl>" if facts else "",
        figures=figures,
        style=_STYLE,
    )


def _figure(entry: Entry, fps: float) -> str:
    caption = html.escape(entry.caption)
    columns = "".join(
        f"<div>{f'<h2>{html.escape(heading)}</h2>' if heading else ''}{_media(video, fps)}</div>"
        for heading, video in entry.videos.items()
    )
    return f"<figure><div class=columns>{columns}</div><figcaption>{caption}</figcaption></figure>"


def _media(video: Frames, fps: float) -> str:
    """Small clips as GIF, because H.264 blurs the colors of few pixels; others as mp4."""
    f, h, w, _ = video.shape
    size = f'width="{w * upscale_factor(video, _MIN_SIDE)}" title="{f} frames, {h} × {w} pixels"'
    if max(h, w) <= _SMALL:
        return f'<img {size} alt="" src="{_data("image/gif", gif(video, fps))}">'
    source = _data("video/mp4", mp4(video, fps))
    return f'<video {size} autoplay loop muted playsinline controls src="{source}"></video>'


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


_MIN_SIDE = 128  # the least shorter side of a clip on the page, in CSS pixels
_SMALL = 96  # the largest side in pixels of a clip that is shown as GIF

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --quiet: #666c74; --page: #f6f6f4;
  --card: #fff; --line: #e2e2de; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e3; --quiet: #989ea6; --page: #16181b; --card: #1f2226; --line: #32363b; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 90rem; padding: 2rem 1rem; background: var(--page);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { margin: 0 0 .75rem; font-size: 1.4rem; overflow-wrap: anywhere; }
dl { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; margin: 0 0 1.5rem; }
dt, h2 { margin: 0; color: var(--quiet); font-size: .75rem; font-weight: 500; }
dd { margin: 0; overflow-wrap: anywhere; }
main { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
figure { margin: 0; padding: .75rem; max-width: 100%; background: var(--card);
  border: 1px solid var(--line); border-radius: 8px; }
.columns { display: flex; flex-wrap: wrap; gap: .75rem; }
img, video { display: block; max-width: 100%; height: auto; border-radius: 4px;
  image-rendering: pixelated; }
figcaption { margin-top: .5rem; width: 0; min-width: 100%; overflow-wrap: anywhere; }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" \
content="default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{title}</h1>{facts}</header>
<main>
{figures}
</main>
</body>
</html>
"""
