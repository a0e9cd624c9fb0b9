"""The report of a bias as Markdown, with sentences that say no more than the tests do."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ediffuser.evaluation.bias import LEVEL, SMALL, Comparison
from ediffuser.evaluation.shares import Flips, Rate, Shares

if TYPE_CHECKING:
    from ediffuser.evaluation.bias_report import Bias, MethodBias


def markdown(bias: "Bias", model: str, task: str, count: int) -> str:
    """The whole report.

    Args:
        bias: What was found.
        model: Name of the model.
        task: What it did.
        count: How many pictures.
    """
    parts = [f"# Groups: {model}, {task}, {count} pictures", _head(bias)]
    if bias.shares is not None:
        parts.append(_shares(bias.shares))
    for method in bias.methods:
        parts += [f"## {method.method}", *_method(method)]
    parts.append(
        f"In brackets 95 % intervals over the pictures. Groups of under {SMALL} pictures are shown and not judged; "
        "a p is corrected for all tests of its table (Holm), and 'significant' is p < 0.05 so corrected. What these "
        "figures cannot say stands in docs/bias.md."
    )
    return "\n\n".join(parts) + "\n"


def _head(bias: "Bias") -> str:
    counts = ", ".join(f"{name} {count}" for name, count in zip(bias.names, bias.counts, strict=True))
    lines = [f"groups by {bias.by}: {counts}"]
    if bias.classifier:
        lines.append(f"classifier: {bias.classifier}; what it gets wrong is in every share and every flip below")
    if bias.agreement:
        lines.append(f"of the originals it gives {_rate(bias.agreement)} the group that the table does")
    return "  \n".join(lines)


def _method(method: "MethodBias") -> Iterator[str]:
    yield _table(
        ["group", "pictures", *(f"{each.name}{each.unit and f', {each.unit}'}" for each in method.errors)],
        (
            [row.group, str(row.count), *(_mean(each, k) for each in method.errors)]
            for k, row in enumerate(method.errors[0].means)
        ),
    )
    gaps = [(each, gap) for each in method.errors for gap in each.gaps]
    if gaps:
        yield _table(
            ["figure", "group", "its mean less that of all others", "p"],
            (
                [each.name, gap.group, f"{gap.gap:+.4g} [{gap.low:+.4g}, {gap.high:+.4g}]", _p(gap.p_holm)]
                for each, gap in gaps
            ),
        )
    yield _verdict(method.errors, judged=bool(gaps))
    for holes, found in method.flips.items():
        yield from _flips(found, f" ({holes} holes)" if holes else "")


def _verdict(errors: Sequence[Comparison], *, judged: bool) -> str:
    if not judged:
        return f"No group is judged: two sides of {SMALL} pictures or more are needed."
    worst = [f"{each.worst} by {each.name}" for each in errors if each.worst]
    return f"Significantly worse: {'; '.join(worst)}." if worst else "No group is significantly worse than the others."


def _flips(found: Flips, where: str) -> Iterator[str]:
    yield _table(
        [f"originals \\ results{where}", *found.names],
        ([name, *map(str, row)] for name, row in zip(found.names, found.table, strict=True)),
    )
    yield _table(
        [
            "group",
            "of the originals",
            "of the results",
            "change",
            "p",
            "its pictures that leave it",
            "p against others",
        ],
        (
            [
                row.group,
                _rate(row.before),
                _rate(row.after),
                f"{100 * row.change:+.1f} [{100 * row.low:+.1f}, {100 * row.high:+.1f}]",
                _p(row.p_change_holm),
                _rate(row.flipped),
                _p(row.p_flipped_holm),
            ]
            for row in found.rows
        ),
    )
    less = [row.group for row in found.rows if _significant(row.p_change_holm) and row.change < 0]
    yield (
        f"Significantly rarer in the results: {', '.join(less)}." if less else "No group is significantly rarer after."
    )


def _shares(shares: Shares) -> str:
    rows = (
        [
            row.group,
            _rate(row.data),
            _rate(row.made),
            f"{100 * row.difference:+.1f} [{100 * row.low:+.1f}, {100 * row.high:+.1f}]",
            _p(row.p_holm),
        ]
        for row in shares.rows
    )
    table = _table(["group", "of the data", "of the samples", "samples less data", "p"], rows)
    less = [row.group for row in shares.rows if _significant(row.p_holm) and row.difference < 0]
    said = f"Significantly rarer among the samples: {', '.join(less)}." if less else "No group is significantly rarer."
    return f"## Shares\n\n{table}\n\nAll groups together: p {_p(shares.p)} ({shares.test}). {said}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))


def _mean(comparison: Comparison, k: int) -> str:
    row = comparison.means[k]
    return f"{row.mean:.4g}" if row.low is None else f"{row.mean:.4g} [{row.low:.4g}, {row.high:.4g}]"


def _rate(rate: Rate) -> str:
    return f"{100 * rate.share:.1f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}] ({rate.count} of {rate.total})"


def _significant(p: float | None) -> bool:
    return p is not None and p < LEVEL


def _p(p: float | None) -> str:
    if p is None:
        return "not judged"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
