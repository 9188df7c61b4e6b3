"""What a compiled program says of itself: what is sent between devices, and the compiler's cycles.

Read from XLA's text of the program. What is inside a loop counts as often as the loop turns.
"""

import dataclasses
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np

BITS = {"pred": 8, "token": 0, "opaque": 0}  # of the types whose name does not end in a number
SENDS = "all-reduce|all-gather|reduce-scatter|all-to-all|ragged-all-to-all|collective-permute"

_COMPUTATION = re.compile(r"^(ENTRY )?%?([^\s(]+) \(.*\{$")
_CALLS = re.compile(r"(?:calls|body|condition|to_apply|branch_computations)=(\{[^}]*\}|%?[\w.\-]+)")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
_CONDITION = re.compile(r"condition=%?([\w.\-]+)")
_BOUND = re.compile(r"= [su]\d+\[\]\S* constant\((\d+)\)")
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
_SEND = re.compile(rf" = (.*?) ({SENDS})(-start)?\(")
_CHANNEL = re.compile(r"channel_id=(\d+)")
_ARRAY = re.compile(r"\b([a-z][a-z0-9]*)\[([\d,]*)\]")
_MESH = re.compile(r"replica_groups=mesh\[([^\]]*)\]\s*\{([^}]*)\}")
_IOTA = re.compile(r"replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?")
_LISTS = re.compile(r"replica_groups=\{(\{[\d,]*\}|)")
_PAIRS = re.compile(r"source_target_pairs=\{(.*?)\}\}")


@dataclasses.dataclass(frozen=True)
class HloSummary:
    """sent: bytes that one device sends in all, by the axes of the mesh, `data` or `data+fsdp`.

    cycles: those that the compiler expects of what it has fused, added up; None where it says
    nothing of them. Sending is not among them. loops: those of which it is not known how often
    they turn, which count once.
    """

    sent: Mapping[str, float]
    cycles: float | None
    loops: int


def summarize(text: str, mesh: Mapping[str, int]) -> HloSummary:
    """What the text of a compiled program says. mesh: the length of each axis, in order."""
    found = list(_computations(text))
    bodies = {name: lines for name, _, lines in found}
    times: dict[str, float] = defaultdict(float)
    sends: dict[object, tuple[float, str, float]] = {}
    cycles, counted, loops = 0.0, False, 0
    for name, entry, lines in reversed(found):  # callers come after what they call
        if entry:
            times[name] = 1.0
        for number, line in enumerate(lines):
            turns = 1.0
            if " while(" in line:
                trips = _trips(line, bodies)
                turns, loops = float(trips or 1), loops + (trips is None)
            for called in _CALLS.findall(line):
                for one in called.strip("{}").split(","):
                    times[one.strip().lstrip("%")] += times[name] * turns
            spent = _CYCLES.search(line)
            if spent:
                cycles, counted = cycles + times[name] * int(spent.group(1)), True
            send = _SEND.search(line)
            if send:
                channel = _CHANNEL.search(line)
                # One that overlaps with others is written into each of them.
                what = (send.group(2), channel.group(1)) if channel else (name, number)
                axes, count = _axes(line, mesh)
                kind = "reduce-scatter" if name.startswith("all-reduce-scatter") else send.group(2)
                size = times[name] * _sent(kind, send, count, name)
                if what not in sends or size > sends[what][2]:
                    sends[what] = (count, axes, size)
    total: dict[str, float] = defaultdict(float)
    for _, axes, size in sends.values():
        if size:
            total[axes] += size
    return HloSummary(dict(total), cycles if counted else None, loops)


def _computations(text: str) -> Iterator[tuple[str, bool, list[str]]]:
    """(name, whether it is the entry, lines) of each."""
    name, entry, lines = "", False, []
    for line in text.splitlines():
        start = None if line.startswith(" ") else _COMPUTATION.match(line)
        if start:
            name, entry, lines = start.group(2), bool(start.group(1)), []
        elif line.startswith("}") and name:
            yield name, entry, lines
            name = ""
        elif name:
            lines.append(line)


def _trips(line: str, bodies: Mapping[str, list[str]]) -> int | None:
    """How often a loop turns: as the line says, or its condition, which counts up from zero."""
    known, condition = _TRIPS.search(line), _CONDITION.search(line)
    if known:
        return int(known.group(1))
    lines = list(bodies.get(condition.group(1), ())) if condition else []
    for called in _CALLS.findall("\n".join(lines)):
        lines += bodies.get(called.lstrip("%"), [])
    bounds = {int(n) for n in _BOUND.findall("\n".join(lines))}
    compares = [one for one in lines if " compare(" in one]
    counts = len(compares) == 1 and "direction=LT" in compares[0]
    return bounds.pop() if counts and len(bounds) == 1 else None


def _sent(kind: str, send: re.Match, count: int, computation: str) -> float:
    """Bytes that one of `count` devices sends, by the algorithm of the ring."""
    size, share = _bytes(send.group(1)), (count - 1) / count
    if send.group(3):  # started here and done elsewhere: what goes in stands beside what comes out
        into = {"all-gather": 1 / (count + 1), "collective-permute": 1 / 2}
        size *= 1 - into.get(kind, 0.0)
    if kind == "all-reduce":
        return 2 * size * share
    if kind == "reduce-scatter":
        whole = size if computation.startswith("all-reduce-scatter") else size * count
        return whole * share
    return size if kind == "collective-permute" else size * share


def _bytes(shapes: str) -> float:
    total = 0.0
    for dtype, sides in _ARRAY.findall(shapes):
        number = re.search(r"(\d+)", dtype)
        bits = BITS[dtype] if dtype in BITS else int(number.group(1)) if number else 0
        total += math.prod(int(side) for side in sides.split(",") if side) * bits / 8
    return total


def _axes(line: str, mesh: Mapping[str, int]) -> tuple[str, int]:
    """(the axes of the mesh along which devices talk, how many talk to one another)."""
    group = _group(line, math.prod(mesh.values()))
    places = np.array(np.unravel_index(group, tuple(mesh.values())))
    apart = [name for name, row in zip(mesh, places, strict=True) if np.ptp(row)]
    return "+".join(apart), len(group)


def _group(line: str, devices: int) -> np.ndarray:
    """The devices of the first group, by their number in the mesh."""
    named, iota = _MESH.search(line), _IOTA.search(line)
    if named:
        sides = dict(re.findall(r"'?([\w.]+)'?=(\d+)", named.group(1)))
        grid = np.arange(math.prod(map(int, sides.values()))).reshape(*map(int, sides.values()))
        wanted = re.findall(r"'?([A-Za-z_][\w.]*)'?(?::\((\d+)\)(\d+))?", named.group(2))
        index: list = [0] * grid.ndim
        for axis, (name, size) in enumerate(sides.items()):
            for one, before, part in wanted:
                if one == name and part:  # a part of an axis, which is split
                    step = int(size) // (int(before) * int(part))
                    index[axis] = slice(0, step * int(part), step)
                elif one == name:
                    index[axis] = slice(None)
        return grid[tuple(index)].reshape(-1)
    if iota:
        groups, sides, order = (
            [int(n) for n in part.split(",")] if part else None for part in iota.groups()
        )
        assert groups is not None and sides is not None
        numbers = np.arange(math.prod(sides)).reshape(sides)
        return (numbers.transpose(order) if order else numbers).reshape(groups)[0]
    pairs = _PAIRS.search(line)
    if pairs:
        moves = [p.split(",") for p in re.findall(r"\{?(\d+,\d+)", pairs.group(1))]
        away = [(int(a), int(b)) for a, b in moves if a != b]
        return np.array(away[0] if away else (0,))
    lists = _LISTS.search(line)
    if lists and lists.group(1):
        return np.array([int(n) for n in lists.group(1).strip("{}").split(",")])
    return np.arange(devices)
