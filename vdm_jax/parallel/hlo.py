"""Collective bytes and estimated cycles of a compiled program, parsed from its HLO text.

Instructions inside a loop count once per trip.
"""

import dataclasses
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np

BITS = {"pred": 8, "token": 0, "opaque": 0}  # of types whose name has no number
COLLECTIVES = "all-reduce|all-gather|reduce-scatter|all-to-all|ragged-all-to-all|collective-permute"

_COMPUTATION = re.compile(r"^(ENTRY )?%?([^\s(]+) \(.*\{$")
_CALLS = re.compile(r"(?:calls|body|condition|to_apply|branch_computations)=(\{[^}]*\}|%?[\w.\-]+)")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
_CONDITION = re.compile(r"condition=%?([\w.\-]+)")
_BOUND = re.compile(r"= [su]\d+\[\]\S* constant\((\d+)\)")
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
_COLLECTIVE = re.compile(rf" = (.*?) ({COLLECTIVES})(-start)?\(")
_CHANNEL = re.compile(r"channel_id=(\d+)")
_ARRAY = re.compile(r"\b([a-z][a-z0-9]*)\[([\d,]*)\]")
_MESH = re.compile(r"replica_groups=mesh\[([^\]]*)\]\s*\{([^}]*)\}")
_IOTA = re.compile(r"replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?")
_LISTS = re.compile(r"replica_groups=\{(\{[\d,]*\}|)")
_PAIRS = re.compile(r"source_target_pairs=\{(.*?)\}\}")


@dataclasses.dataclass(frozen=True)
class HloSummary:
    """Costs of a compiled program.

    collective_bytes: bytes that one device sends, by mesh axes, `data` or `data+fsdp`.
    cycles: the compiler's estimate summed over fusions, without collectives; None where the
      compiler gives none.
    unknown_loops: the number of loops with an unknown trip count, which count as one trip.
    """

    collective_bytes: Mapping[str, float]
    cycles: float | None
    unknown_loops: int


def summarize(text: str, mesh: Mapping[str, int]) -> HloSummary:
    """The summary of a compiled program's text. mesh: the length of each axis, in order."""
    computations = list(_computations(text))
    bodies = {name: lines for name, _, lines in computations}
    calls: dict[str, float] = defaultdict(float)  # how often each computation runs
    collectives: dict[object, tuple[str, float]] = {}  # (mesh axes, bytes)
    cycles, counted, unknown = 0.0, False, 0
    for name, entry, lines in reversed(computations):  # HLO lists callees before their callers
        if entry:
            calls[name] = 1.0
        for number, line in enumerate(lines):
            repeats = 1.0
            if " while(" in line:
                trips = _trips(line, bodies)
                repeats, unknown = float(trips or 1), unknown + (trips is None)
            for callees in _CALLS.findall(line):
                for callee in callees.strip("{}").split(","):
                    calls[callee.strip().lstrip("%")] += calls[name] * repeats
            estimate = _CYCLES.search(line)
            if estimate:
                cycles, counted = cycles + calls[name] * int(estimate.group(1)), True
            match = _COLLECTIVE.search(line)
            if match:
                channel = _CHANNEL.search(line)
                # A collective that overlaps with several fusions is written in each of them.
                identity = (match.group(2), channel.group(1)) if channel else (name, number)
                axes, count = _axes(line, mesh)
                kind = "reduce-scatter" if name.startswith("all-reduce-scatter") else match.group(2)
                size = calls[name] * _bytes_sent(kind, match, count, name)
                if identity not in collectives or size > collectives[identity][1]:
                    collectives[identity] = (axes, size)
    total: dict[str, float] = defaultdict(float)
    for axes, size in collectives.values():
        if size:
            total[axes] += size
    return HloSummary(dict(total), cycles if counted else None, unknown)


def _computations(text: str) -> Iterator[tuple[str, bool, list[str]]]:
    """(name, whether it is the entry, lines) of each computation."""
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
    """The trip count of a loop: from its annotation, or the bound of a condition from zero."""
    known, condition = _TRIPS.search(line), _CONDITION.search(line)
    if known:
        return int(known.group(1))
    lines = list(bodies.get(condition.group(1), ())) if condition else []
    for callee in _CALLS.findall("\n".join(lines)):
        lines += bodies.get(callee.lstrip("%"), [])
    bounds = {int(n) for n in _BOUND.findall("\n".join(lines))}
    compares = [line for line in lines if " compare(" in line]
    counts = len(compares) == 1 and "direction=LT" in compares[0]
    return bounds.pop() if counts and len(bounds) == 1 else None


def _bytes_sent(kind: str, match: re.Match, count: int, computation: str) -> float:
    """Bytes that one of `count` devices sends in a ring algorithm."""
    size, others = _bytes(match.group(1)), (count - 1) / count
    if match.group(3):  # an async start lists its operands beside its results
        operands = {"all-gather": 1 / (count + 1), "collective-permute": 1 / 2}
        size *= 1 - operands.get(kind, 0.0)
    if kind == "all-reduce":
        return 2 * size * others
    if kind == "reduce-scatter":
        whole = size if computation.startswith("all-reduce-scatter") else size * count
        return whole * others
    return size if kind == "collective-permute" else size * others


def _bytes(shapes: str) -> float:
    total = 0.0
    for dtype, sides in _ARRAY.findall(shapes):
        number = re.search(r"(\d+)", dtype)
        bits = BITS[dtype] if dtype in BITS else int(number.group(1)) if number else 0
        total += math.prod(int(side) for side in sides.split(",") if side) * bits / 8
    return total


def _axes(line: str, mesh: Mapping[str, int]) -> tuple[str, int]:
    """(the mesh axes of a collective's device group, the devices in the group)."""
    group = _group(line, math.prod(mesh.values()))
    coordinates = np.array(np.unravel_index(group, tuple(mesh.values())))
    axes = [name for name, row in zip(mesh, coordinates, strict=True) if np.ptp(row)]
    return "+".join(axes), len(group)


def _group(line: str, devices: int) -> np.ndarray:
    """The devices of the first group, by their index in the mesh."""
    named, iota = _MESH.search(line), _IOTA.search(line)
    if named:
        sides = dict(re.findall(r"'?([\w.]+)'?=(\d+)", named.group(1)))
        grid = np.arange(math.prod(map(int, sides.values()))).reshape(*map(int, sides.values()))
        grouped = re.findall(r"'?([A-Za-z_][\w.]*)'?(?::\((\d+)\)(\d+))?", named.group(2))
        index: list = [0] * grid.ndim
        for axis, (name, size) in enumerate(sides.items()):
            for group_axis, before, length in grouped:
                if group_axis == name and length:  # a sub-axis, `name:(before)length`
                    step = int(size) // (int(before) * int(length))
                    index[axis] = slice(0, step * int(length), step)
                elif group_axis == name:
                    index[axis] = slice(None)
        return grid[tuple(index)].reshape(-1)
    if iota:
        groups, sides, order = (
            [int(n) for n in text.split(",")] if text else None for text in iota.groups()
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
