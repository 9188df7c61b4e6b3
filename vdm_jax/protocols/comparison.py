"""Tables of results of one protocol; results of different protocols are refused."""

from collections.abc import Sequence

from vdm_jax.config import differences
from vdm_jax.protocols.protocol import identity
from vdm_jax.protocols.published import PublishedResult, published_results
from vdm_jax.protocols.result import Result, Value


def disagreements(a: Result, b: Result) -> list[str]:
    """The differences that make two results incomparable, as `path: a -> b`."""
    changes = differences(identity(dict(b.protocol)), identity(dict(a.protocol)), "protocol")
    if a.reference_hash != b.reference_hash:
        changes.append(f"reference (other real clips): {a.reference_hash} -> {b.reference_hash}")
    for name in sorted(a.weights.keys() & b.weights.keys()):
        if a.weights[name] != b.weights[name]:
            changes += differences(dict(b.weights[name]), dict(a.weights[name]), f"weights.{name}")
    return changes


def check_comparable(results: Sequence[Result]) -> None:
    """Checks that all results are comparable.

    Raises:
      ValueError: two results differ in protocol, real clips or weights; names the fields.
    """
    first = results[0]
    for other in results[1:]:
        changes = disagreements(first, other)
        if changes:
            more = f"\n  and {len(changes) - 8} more" if len(changes) > 8 else ""
            raise ValueError(
                f"{first.system} ({first.name}) and {other.system} ({other.name}) are not "
                "comparable. They differ in\n  "
                + "\n  ".join(changes[:8])
                + more
                + "\nMeasure both by one protocol, or add --separate for a table of each"
            )


def groups(results: Sequence[Result]) -> list[list[Result]]:
    """The results grouped by protocol, real clips and weights, in their original order."""
    groups: list[list[Result]] = []
    for result in results:
        for group in groups:
            if not disagreements(group[0], result):
                group.append(result)
                break
        else:
            groups.append([result])
    return groups


def literature(result: Result) -> list[PublishedResult]:
    """The published results of the same task with one of the result's metrics."""
    return [
        row
        for row in published_results()
        if row.task == result.protocol.get("task") and row.values.keys() & result.values.keys()
    ]


def table(results: Sequence[Result], rows: Sequence[PublishedResult] = ()) -> list[str]:
    """Results of one protocol and published results, as lines of text.

    Remarks on a published result name the differences of its protocol; remarks on a result name the
    changed fields, counts and warnings.
    """
    metrics = list(dict.fromkeys(name for result in results for name in result.values))
    first = results[0]
    changed = "; changed: " + ", ".join(first.changed) if first.changed else ""
    title = f"{first.name} [{first.protocol_hash}], {first.protocol['source']}{changed}"
    cells = [["", *metrics, ""]]
    for result in results:
        values = [_format_value(result.values.get(metric)) for metric in metrics]
        cells.append([result.system, *values, _remarks(result)])
    for row in rows:
        values = [_format_published(row, metric) for metric in metrics]
        remark = row.remark("" if first.changed else first.name)
        cells.append([row.system, *values, f"{row.source}: {remark}"])
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]) - 1)]
    return [title] + [
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in _middle(line, widths)),
                   line[-1]]).rstrip()
        for line in cells
    ]  # fmt: skip


def _middle(line: list[str], widths: list[int]):
    return zip(line[1:-1], widths[1:], strict=True)


def _format_value(value: Value | None) -> str:
    if value is None:
        return "-"
    number = f"{value['value']:.5g}"
    if value.get("std") is not None:
        return f"{number} +- {value['std']:.2g}"
    if value.get("low") is not None:
        return f"{number} [{value['low']:.5g}, {value['high']:.5g}]"
    return number


def _format_published(row: PublishedResult, metric: str) -> str:
    if metric not in row.values:
        return "-"
    std = row.values.get(f"{metric}_std")
    return f"{row.values[metric]:.5g}" + (f" +- {std:.2g}" if std is not None else "")


def _remarks(result: Result) -> str:
    counts = result.counts
    remarks = [f"{counts[name]} {name}" for name in ("generated", "real") if counts.get(name)]
    if result.random_weights:
        remarks.insert(0, "RANDOM WEIGHTS")
    if result.warnings:
        remarks.append(f"{len(result.warnings)} warnings")
    return ", ".join(remarks)
