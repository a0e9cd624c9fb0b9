"""A study's report: one HTML file that needs no other, and Markdown with its plots beside it for the documents.

They are made of what there is; what is missing is said. Nothing in them depends on when they were written.
"""

import base64
import io
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ediffuser.evaluation.optional import optional
from ediffuser.evaluation.report import GRID
from ediffuser.runtime.files import make_folder, write_atomically
from ediffuser.studies.claims import Claim, Outcome, decide, summary
from ediffuser.studies.commands import evaluation_command, study_command, training_command
from ediffuser.studies.inputs import Inputs
from ediffuser.studies.plots import Plot, against_calls, training_curves
from ediffuser.studies.results import Result, read_results
from ediffuser.studies.study import Cell, Study
from ediffuser.studies.tables import TextTable, claim_table, comparability, literature, markdown, ours
from ediffuser.studies.training import finished, training_log

REPORTS = "reports"
VERDICTS = (
    "A comparison holds if the 95 % interval of the advantage lies above 0, does not hold if it lies below, and is not "
    "significant if 0 is in it. The intervals are over pictures, and over training seeds where there are several; they "
    "are not corrected for their number, so of twenty comparisons between equals one is expected to seem significant."
)
BRACKETS = "In brackets stand 95 % intervals; of a time, after ± its standard deviation."
TEMPLATE = Path(__file__).with_name("report.html.j2")
SHOWN_NFE = 25
WIDEST_PX = 900


@dataclass(frozen=True)
class Conclusion:
    """A claim and what became of it.

    Attributes:
        claim: The claim.
        verdict: In words.
        table: Its comparisons.
    """

    claim: Claim
    verdict: str
    table: TextTable


@dataclass(frozen=True)
class Sample:
    """A sheet of pictures.

    Attributes:
        title: What made them.
        jpeg: The file.
    """

    title: str
    jpeg: bytes

    @property
    def base64(self) -> str:
        """As a page can hold it."""
        return base64.b64encode(self.jpeg).decode()


@dataclass(frozen=True)
class Report:
    """All that a report says, in the order it says it."""

    study: Study
    conclusions: tuple[Conclusion, ...]
    tables: tuple[TextTable, ...]
    literature: tuple[TextTable, ...]
    plots: tuple[Plot, ...]
    samples: tuple[Sample, ...]
    trained: TextTable
    missing: tuple[str, ...]
    command: str
    commands: tuple[str, ...]
    comparability: str


def write_report(study: Study, inputs: Inputs, out: Path) -> Path:
    """Writes OUT/reports/NAME-SIZE.html, the same as .md and its plots, and returns the first.

    That of a study with fewer pictures has their number in its name, and leaves the other one alone.

    Raises:
        BadInputError: If what plots and pages are made with is not installed, or a file cannot be written.
    """
    report = collect(study, inputs, out)
    folder, stem = out / REPORTS, f"{study.name}-{study.size}{f'-count{study.limit}' if study.limit else ''}"
    make_folder(folder)
    for plot in report.plots:
        write_atomically(folder / f"{stem}-{plot.name}.svg", plot.svg.encode())
    for number, sample in enumerate(report.samples, start=1):
        write_atomically(folder / f"{stem}-sample-{number}.jpg", sample.jpeg)
    write_atomically(folder / f"{stem}.md", as_markdown(report, stem).encode())
    page = folder / f"{stem}.html"
    write_atomically(page, as_html(report).encode())
    return page


def collect(study: Study, inputs: Inputs, out: Path) -> Report:
    """What there is so far.

    Raises:
        BadInputError: If an evaluation's figures are damaged.
    """
    results = read_results(out, (cell.name for cell in study.cells))
    logs = {model.name: training_log(out, model) for model in study.models}
    curves = training_curves({name: log for name, log in logs.items() if log})
    return Report(
        study=study,
        conclusions=tuple(_conclusion(claim, results) for claim in study.claims),
        tables=tuple(ours(table, results) for table in study.tables),
        literature=tuple(literature(number, study, results) for number in study.literature),
        plots=(*against_calls(study, results), *([curves] if curves else [])),
        samples=tuple(_samples(study, results)),
        trained=_trained(study, logs),
        missing=tuple(_missing(study, results, out)),
        command=study_command(study, inputs, out),
        commands=(
            *(training_command(model, inputs, out) for model in study.models),
            *(evaluation_command(cell, inputs, out) for cell in study.cells),
        ),
        comparability=comparability(study, results),
    )


def as_html(report: Report) -> str:
    """The page: well-formed, without scripts, and with nothing in it that lies elsewhere."""
    jinja2 = optional("jinja2", "Jinja")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        report=report, brackets=BRACKETS, verdicts=VERDICTS
    )


def as_markdown(report: Report, stem: str) -> str:
    """The same without commands for every cell; plots and sheets are the files beside it."""
    study = report.study
    lines = [f"# {study.title}", study.question, f"Made by `{report.command}`."]
    lines += [f"Still missing: {', '.join(report.missing)}."] if report.missing else []
    lines += ["## Conclusions", VERDICTS] if report.conclusions else []
    for conclusion in report.conclusions:
        lines += [markdown(conclusion.table), f"{_source(conclusion.claim)}: **{conclusion.verdict}**."]
    lines += ["## Plots"] if report.plots else []
    lines += [f"![{plot.title}]({stem}-{plot.name}.svg)" for plot in report.plots]
    lines += [
        "## Figures",
        f"{BRACKETS} {report.comparability}",
        *map(markdown, report.tables),
        *map(markdown, report.literature),
    ]
    lines += ["## Samples"] if report.samples else []
    lines += [f"{s.title}\n\n![{s.title}]({stem}-sample-{k}.jpg)" for k, s in enumerate(report.samples, start=1)]
    return "\n\n".join([*lines, "## Runs", markdown(report.trained)]) + "\n"


def _conclusion(claim: Claim, results: Mapping[str, Result]) -> Conclusion:
    outcomes: list[Outcome] = [decide(comparison, results) for comparison in claim.comparisons]
    return Conclusion(claim, summary(outcomes), claim_table(claim, outcomes))


def _source(claim: Claim) -> str:
    return "Left open by the dissertation" if claim.source == "open" else f"Section {claim.source} of the dissertation"


def _trained(study: Study, logs: Mapping[str, list[dict]]) -> TextTable:
    rows = []
    for model in study.models:
        last = logs[model.name][-1] if logs[model.name] else {}
        seen, hours = last.get("images_seen", 0), last.get("seconds", 0) / 3600
        experiment = model.experiment
        rows.append(
            (model.name, model.label, f"{seen:,} of {experiment.images:,}", f"{hours:.2f}", str(experiment.seed))
        )
    return TextTable("Training", ("run", "model", "images seen", "hours", "seed"), tuple(rows))


def _missing(study: Study, results: Mapping[str, Result], out: Path) -> list[str]:
    models = [f"training of {model.name}" for model in study.models if not finished(out, model)]
    cells = [f"evaluation of {cell.name}" for cell in study.cells if cell.name not in results]
    return models + cells


def _samples(study: Study, results: Mapping[str, Result]) -> list[Sample]:
    """Of each line of the plots the sheet whose calls are nearest to 25; of a model's seeds the first alone."""
    shown: dict[str, list[Cell]] = defaultdict(list)
    for table in study.tables:
        for cell in table.cells:
            there = cell.name in results and (results[cell.name].directory / GRID).exists()
            if there and cell.model.experiment.seed == 0:
                shown[cell.series or table.title].append(cell)
    sheets = []
    for series, cells in shown.items():
        cell = min(cells, key=lambda cell: abs(results[cell.name].calls - SHOWN_NFE))
        words = f"{series}, {cell.label}, {results[cell.name].calls:.4g} calls".split(", ")
        name = ", ".join(dict.fromkeys(words))  # a label may repeat what its line is called
        sheets.append(Sample(name, _small(results[cell.name].directory / GRID)))
    return sheets


def _small(path: Path) -> bytes:
    """A sheet no wider than a page, as JPEG: what is to be seen of it is not the last bit."""
    with Image.open(path) as sheet:
        picture = sheet.convert("RGB")
    picture.thumbnail((WIDEST_PX, WIDEST_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
