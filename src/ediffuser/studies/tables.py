"""Tables of figures beside the dissertation's rows, as text: what HTML and Markdown are both made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ediffuser.evaluation.figures import Figure
from ediffuser.evaluation.report import ARROWS, halves_note, likelihood_note, time_note
from ediffuser.studies.claims import Claim, Outcome
from ediffuser.studies.published import PUBLISHED, PublishedTable
from ediffuser.studies.results import Result
from ediffuser.studies.study import Cell, Study, Table

MISSING = "not measured yet"

NOT_COMPARABLE = (
    "Published entries are the dissertation's, of other networks, data, features and numbers of pictures: they show "
    "its order, and cannot be compared with ours number by number."
)

PARTLY_COMPARABLE = (
    "Published entries are the dissertation's. Its FID is of the same network as ours, but it does not say of how many "
    "pictures nor of which code; NLL and speed depend on more that it does not say, and are not comparable."
)


@dataclass(frozen=True)
class TextTable:
    """A table as it is printed.

    Attributes:
        title: Above it.
        columns: Their names.
        rows: Their entries.
        published: How many of the last columns, or all if negative, are not ours.
        notes: Below it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    published: int = 0
    notes: tuple[str, ...] = ()


def ours(table: Table, results: Mapping[str, Result]) -> TextTable:
    """One table of a study, each row beside the dissertation's, whose first entry says which it is: T may differ."""
    printed = PUBLISHED.get(table.number)
    found = [results[cell.name] for cell in table.cells if cell.name in results]
    names = dict.fromkeys(title(figure) for result in found for figure in result.own if figure.name != "NFE")
    rows = [row for cell in table.cells for row in _rows(cell, results.get(cell.name), tuple(names), printed)]
    others = tuple(f"published {name}" for name in printed.columns) if printed else ()
    return TextTable(
        f"{table.title} (beside Table {table.number})" if table.number else table.title,
        ("", "NFE", "pictures", *names, *others),
        tuple(rows),
        len(others),
        tuple(dict.fromkeys(note for result in found for note in context_lines(result))),
    )


def literature(number: str, study: Study, results: Mapping[str, Result]) -> TextTable:
    """A table of the dissertation that compares with others' methods, and the best of each of our models below it."""
    printed = PUBLISHED[number]
    rows = [(*row, "published") for row in printed.rows]
    for table in study.tables:
        best = _best(table, results)
        if best:
            cell, figure = best
            distance = f"{figure.name} {value(figure)}, of {figure.count:,} pictures"
            row = {printed.columns[0]: f"{table.title}, {cell.label}", "FID": distance}
            rows.append((*(row.get(column, "") for column in printed.columns), f"ours, {study.size}"))
    note = comparability(study, results)
    return TextTable(f"Table {number}: {printed.title}", (*printed.columns, ""), tuple(rows), -1, (note,))


def comparability(study: Study, results: Mapping[str, Result]) -> str:
    """What may be compared with the published entries."""
    distances = {figure.name for result in results.values() if (figure := result.figure("FID", "FD")) is not None}
    return PARTLY_COMPARABLE if study.size == "full" and distances == {"FID"} else NOT_COMPARABLE


def claim_table(claim: Claim, outcomes: Sequence[Outcome]) -> TextTable:
    """The comparisons of a claim, one a row."""
    rows = tuple(
        (
            outcome.comparison.label,
            _side(outcome.better, outcome.calls[0], outcome.counts[0]),
            _side(outcome.worse, outcome.calls[1], outcome.counts[1]),
            f"{outcome.advantage:+.4g} ± {outcome.half_width:.2g}" if outcome.figure else "",
            MISSING if outcome.verdict == "missing" else outcome.verdict,
        )
        for outcome in outcomes
    )
    found = dict.fromkeys(outcome.figure for outcome in outcomes if outcome.figure)
    by = " or ".join(found or dict.fromkeys(name for each in claim.comparisons for name in each.figure))
    return TextTable(
        claim.text, ("", f"{by}, said to be better", f"{by}, said to be worse", "advantage [95 %]", ""), rows
    )


def title(figure: Figure) -> str:
    """The head of a figure's column."""
    return f"{figure.name}{f', {figure.unit}' if figure.unit else ''} {ARROWS[figure.better]}"


def value(figure: Figure) -> str:
    """A figure and its interval or deviation."""
    if figure.deviation is not None:
        return f"{figure.value:.4g} ± {figure.deviation:.2g}"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4g}"
    return f"{figure.value:.4g} [{figure.low:.4g}, {figure.high:.4g}]"


def context_lines(result: Result) -> Iterator[str]:
    """All that the figures of a result depend on, but for what the rows say themselves."""
    context, record = result.context, result.record
    yield f"Weights of {context.model}: sha256 {context.model_sha256[:12]}."
    compared = f"{record.data_count:,} pictures" if record else ""
    yield (
        f"{context.task}: {context.count:,} pictures, seed {context.seed}, {record.plan.precision if record else ''}; "
        f"rounded to {context.rounding}; compared with {context.reference}, {context.split}, {compared} (sha256 "
        f"{context.reference_sha256[:12]}), {context.resize}."
    )
    for looker, digest in dict.fromkeys((f.features, f.features_sha256) for f in result.own if f.features):
        by = ", ".join(dict.fromkeys(f.name for f in result.own if f.features_sha256 == digest))
        yield f"{by}: {looker}, sha256 {digest[:12]}."
    if record and record.features and record.features.resize:
        yield f"Sets are looked at with pictures {record.features.resize}."
    if record and record.hole_set:
        kinds = ", ".join(record.plan.holes)
        yield f"Holes: {record.hole_set}; {kinds}. Without 'in the hole' a figure is of the whole picture."
    for note in halves_note(context, result.own):
        yield f"{note}."
    if record and record.counted:
        yield f"{likelihood_note(record)}."
    if record and context.machine:
        yield f"{time_note(record, context)}."


def markdown(table: TextTable) -> str:
    """A table in Markdown, its notes below it."""
    lines = [table.columns, ("---",) * len(table.columns), *table.rows]
    text = "\n".join(f"| {' | '.join(entry.replace('|', chr(92) + '|') for entry in line)} |" for line in lines)
    return "\n\n".join([f"### {table.title}", text, *table.notes])


def _rows(
    cell: Cell, result: Result | None, names: tuple[str, ...], printed: PublishedTable | None
) -> Iterator[tuple[str, ...]]:
    published = tuple(printed.row(cell.published).values()) if printed and cell.published else ()
    blank = ("",) * (len(printed.columns) if printed else 0)
    if result is None:
        yield (cell.label, MISSING, f"{cell.count:,}", *("",) * len(names), *(published or blank))
        return
    values = {title(figure): value(figure) for figure in result.own}
    count = f"{result.context.count:,}"
    yield (cell.label, f"{result.calls:.4g}", count, *(values.get(name, "") for name in names), *(published or blank))
    for method in dict.fromkeys(figure.method for figure in result.figures if figure not in result.own):
        values = {title(figure): value(figure) for figure in result.figures if figure.method == method}
        yield (method, "0", count, *(values.get(name, "") for name in names), *blank)


def _best(table: Table, results: Mapping[str, Result]) -> tuple[Cell, Figure] | None:
    """The row with the least Fréchet distance, or where pictures are too few for one the least kernel distance.

    Of those of most pictures: the fewer there are, the more one of them is the least by chance.
    """
    for names in (("FID", "FD"), ("KID", "KD")):
        found = [
            (cell, figure)
            for cell in table.cells
            if cell.name in results and (figure := results[cell.name].figure(*names)) is not None
        ]
        if found:
            return min(found, key=lambda pair: (-pair[1].count, pair[1].value))
    return None


def _side(values: Sequence[float], calls: float, count: int) -> str:
    if not values:
        return ""
    return f"{', '.join(f'{each:.4g}' for each in values)} ({calls:.4g} calls, {count:,} pictures)"
