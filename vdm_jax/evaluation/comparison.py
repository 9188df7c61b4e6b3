"""Results side by side: one protocol to a column, or a refusal that says what differs."""

from collections.abc import Sequence

from vdm_jax.config import differences
from vdm_jax.evaluation.protocols.protocol import identity
from vdm_jax.evaluation.published import PublishedResult, published_results
from vdm_jax.evaluation.result import Result, Value


def disagreements(a: Result, b: Result) -> list[str]:
    """In what two results differ that have to be the same in one column, `path: a -> b`."""
    found = differences(identity(dict(b.protocol)), identity(dict(a.protocol)), "protocol")
    if a.reference_hash != b.reference_hash:
        found.append(f"reference (other real clips): {a.reference_hash} -> {b.reference_hash}")
    for name in sorted(a.weights.keys() & b.weights.keys()):
        if a.weights[name] != b.weights[name]:
            found += differences(dict(b.weights[name]), dict(a.weights[name]), f"weights.{name}")
    return found


def check_comparable(results: Sequence[Result]) -> None:
    """Raises ValueError where results are of different protocols; says in which fields."""
    first = results[0]
    for other in results[1:]:
        found = disagreements(first, other)
        if found:
            more = f"\n  and {len(found) - 8} more" if len(found) > 8 else ""
            raise ValueError(
                f"{first.system} ({first.name}) and {other.system} ({other.name}) are not numbers "
                "of one kind, and do not belong in one column. They differ in\n  "
                + "\n  ".join(found[:8])
                + more
                + "\nMeasure both by one protocol, or set them apart by --apart"
            )


def groups(results: Sequence[Result]) -> list[list[Result]]:
    """The results by protocol, reference and weights, in the order in which they come."""
    found: list[list[Result]] = []
    for result in results:
        for group in found:
            if not disagreements(group[0], result):
                group.append(result)
                break
        else:
            found.append([result])
    return found


def literature(result: Result) -> list[PublishedResult]:
    """The published results of the same task that have one of the result's metrics."""
    return [
        row
        for row in published_results()
        if row.task == result.protocol.get("task") and row.values.keys() & result.values.keys()
    ]


def table(results: Sequence[Result], rows: Sequence[PublishedResult] = ()) -> list[str]:
    """Results of one protocol and published rows, as lines of text.

    Published rows are marked by what is known of their protocol, and results by what is not as the
    protocol wants it.
    """
    metrics = list(dict.fromkeys(name for result in results for name in result.values))
    first = results[0]
    asks = "; changed: " + ", ".join(first.changed) if first.changed else ""
    title = f"{first.name} [{first.protocol_hash}], {first.protocol['source']}{asks}"
    cells = [["", *metrics, ""]]
    for result in results:
        shown = [_shown(result.values.get(metric)) for metric in metrics]
        cells.append([result.system, *shown, _remarks(result)])
    for row in rows:
        shown = [_published(row, metric) for metric in metrics]
        mark = row.mark("" if first.changed else first.name)
        cells.append([row.system, *shown, f"{row.source}: {mark}"])
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]) - 1)]
    return [title] + [
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in _middle(line, widths)),
                   line[-1]]).rstrip()
        for line in cells
    ]  # fmt: skip


def _middle(line: list[str], widths: list[int]):
    return zip(line[1:-1], widths[1:], strict=True)


def _shown(value: Value | None) -> str:
    if value is None:
        return "-"
    told = f"{value['value']:.5g}"
    if value.get("std") is not None:
        return f"{told} +- {value['std']:.2g}"
    if value.get("low") is not None:
        return f"{told} [{value['low']:.5g}, {value['high']:.5g}]"
    return told


def _published(row: PublishedResult, metric: str) -> str:
    if metric not in row.values:
        return "-"
    std = row.values.get(f"{metric}_std")
    return f"{row.values[metric]:.5g}" + (f" +- {std:.2g}" if std is not None else "")


def _remarks(result: Result) -> str:
    counts = result.counts
    told = [f"{counts[name]} {name}" for name in ("generated", "real") if counts.get(name)]
    if result.random_weights:
        told.insert(0, "RANDOM WEIGHTS")
    if result.warnings:
        told.append(f"{len(result.warnings)} warnings")
    return ", ".join(told)
