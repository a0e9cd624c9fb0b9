"""A study from one command: it takes what is there, survives kills, and reports what there is."""

import hashlib
import json
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
import tiny

from ediffuser.cli import main
from ediffuser.runtime.checkpoint import newest_checkpoint
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.lock import only_one
from ediffuser.studies import STUDIES
from ediffuser.studies.run import missing, run
from ediffuser.studies.training import check_run, run_directory

OUT = Path("runs")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the pictures, and in `once` a study that ran without being disturbed."""
    folder = tmp_path_factory.mktemp("study")
    tiny.inputs(folder / "pictures")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(_desk(folder, "once"))
        lines = list(run(tiny.study(), inputs(), OUT, device="cpu"))
    assert lines[-1] == "report: runs/reports/tiny-small.html"
    return folder


def _desk(folder, name):
    (folder / name).mkdir()
    return folder / name


def inputs():
    pictures = Path("..") / "pictures"
    return tiny.Inputs({"cifar10": str(pictures / "train")}, {"cifar10": str(pictures / "test")})


def contents(folder):
    """The bytes of every file below, by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def weights(out, model):
    return hashlib.sha256((newest_checkpoint(run_directory(out, model)) / "model.safetensors").read_bytes()).hexdigest()


def interrupted(after, **options):
    """Runs until so many lines are said, then is gone, as a killed process is."""
    steps = run(tiny.study(), inputs(), OUT, device="cpu", **options)
    lines = [line for line, _ in zip(steps, range(after))]  # noqa: B905
    steps.close()
    return lines


def test_killed_again_and_again_it_ends_with_the_same_bytes(place, monkeypatch):
    monkeypatch.chdir(_desk(place, "killed"))
    shutil.copytree(place / "once/runs/models", OUT / "models")
    for after in (1, 3):
        interrupted(after)
    assert list(run(tiny.study(), inputs(), OUT, device="cpu"))
    for part in ("evaluations", "reports"):
        assert contents(OUT / part) == contents(place / "once/runs" / part)


def test_a_training_that_was_cut_off_ends_with_the_same_weights(place, monkeypatch):
    monkeypatch.chdir(_desk(place, "trained"))
    model = tiny.study().models[1]
    from ediffuser.studies.training import train_model

    steps = train_model(OUT, model, inputs().training(model), "cpu")
    assert [seen for seen, _ in zip(steps, range(7))][-1] == 7 * tiny.BATCH  # noqa: B905
    steps.close()
    assert list(train_model(OUT, model, inputs().training(model), "cpu"))[-1] == tiny.IMAGES
    assert weights(OUT, model) == weights(place / "once/runs", model)


def test_a_finished_study_does_nothing_again(place, monkeypatch):
    monkeypatch.chdir(place / "once")
    left = missing(tiny.study(), OUT)
    assert (left.models, left.cells, left.hours) == ((), (), 0)
    assert list(run(tiny.study(), inputs(), OUT, device="cpu")) == ["report: runs/reports/tiny-small.html"]


def test_time_that_is_up_begins_nothing_and_still_reports(place, monkeypatch):
    monkeypatch.chdir(_desk(place, "late"))
    assert list(run(tiny.study(), inputs(), OUT, hours=0, device="cpu")) == ["report: runs/reports/tiny-small.html"]
    page = Path("runs/reports/tiny-small.html").read_text()
    assert "training of tiny-ddpm" in page
    assert "not measured yet" in page


def test_without_its_model_a_row_is_left_out_and_said(place, monkeypatch):
    monkeypatch.chdir(_desk(place, "half"))
    shutil.copytree(place / "once/runs/models/tiny-ddpm", OUT / "models/tiny-ddpm")
    lines = list(run(tiny.study(), inputs(), OUT, only="evaluations", device="cpu"))
    assert lines[-1].endswith("left out, for its model is not trained yet")
    assert len(missing(tiny.study(), OUT).cells) == 1


def test_what_another_process_is_at_is_left_to_it(place, monkeypatch):
    monkeypatch.chdir(_desk(place, "shared"))
    first, second = tiny.study().models
    shutil.copytree(place / "once/runs/models" / second.name, OUT / "models" / second.name)
    row = tiny.study().cells[2]
    for held in (run_directory(OUT, first), OUT / "evaluations" / row.name):
        held.mkdir(parents=True)
    with only_one(run_directory(OUT, first)), only_one(OUT / "evaluations" / row.name):
        lines = list(run(tiny.study(), inputs(), OUT, device="cpu"))
    assert sum("left to the process that is at it" in line for line in lines) == 2
    assert lines[-1].startswith("report: ")
    assert list(run(tiny.study(), inputs(), OUT, device="cpu"))
    assert contents(OUT / "reports") == contents(place / "once/runs/reports")


def test_a_run_of_another_experiment_is_refused(place):
    out, model = place / "once/runs", tiny.study().models[0]
    other = replace(model, experiment=replace(model.experiment, batch=4))
    data = inputs().train["cifar10"]
    with pytest.raises(BadInputError, match="a run with batch 8, and the study wants 4"):
        check_run(out, other, tiny.ImageFolder(path=data, resolution=tiny.SIDE))
    moved = replace(model, experiment=replace(model.experiment, checkpoint_every=8))
    check_run(out, moved, tiny.ImageFolder(path="elsewhere", resolution=tiny.SIDE))


def test_rows_of_a_model_that_was_trained_anew_since_are_refused(place, monkeypatch):
    monkeypatch.chdir(_desk(place, "anew"))
    shutil.copytree(place / "once/runs", OUT)
    row = tiny.study().cells[0]
    figures = OUT / "evaluations" / row.name / "figures.json"
    now = weights(OUT, row.model)
    assert now in figures.read_text()
    figures.write_text(figures.read_text().replace(now, "0" * 64))
    with pytest.raises(BadInputError, match="was measured with other weights"):
        list(run(tiny.study(), inputs(), OUT, only="report", device="cpu"))
    shutil.rmtree(figures.parent)
    assert list(run(tiny.study(), inputs(), OUT, only="report", device="cpu"))


@pytest.mark.parametrize(
    ("was", "other", "said"),
    [
        ('"likely": 128', '"likely": 64', "likely 64, and the study wants 128"),
        ('"eta": 0.0', '"eta": 1.0', r"sampler Ddim\(.*eta=1.0.*and the study wants Ddim\(.*eta=0.0.*"),
        ('"split": "test"', '"split": "train"', "split train, and the study wants test"),
        ('"matched": false', '"matched": true', "matched True, and the study wants False"),
    ],
)
def test_rows_that_were_measured_in_another_way_are_refused(place, monkeypatch, was, other, said):
    monkeypatch.chdir(_desk(place, said.split()[0]))
    shutil.copytree(place / "once/runs", OUT)
    plan = OUT / "evaluations" / tiny.study().cells[0].name / "plan.json"
    assert was in plan.read_text()
    plan.write_text(plan.read_text().replace(was, other))
    with pytest.raises(BadInputError, match=f"was measured with {said}; remove it"):
        list(run(tiny.study(), inputs(), OUT, only="report", device="cpu"))


def test_figures_of_an_earlier_kind_are_made_anew_of_their_parts(place, monkeypatch):
    monkeypatch.chdir(_desk(place, "earlier"))
    shutil.copytree(place / "once/runs", OUT)
    path = OUT / "evaluations" / tiny.study().cells[0].name / "figures.json"
    now = path.read_bytes()
    earlier = json.loads(now)
    del earlier["version"]
    earlier["figures"][0]["value"] += 1
    path.write_text(json.dumps(earlier))
    assert list(run(tiny.study(), inputs(), OUT, only="report", device="cpu"))
    assert path.read_bytes() == now
    assert contents(OUT / "reports") == contents(place / "once/runs/reports")


def test_the_likelihood_of_pictures_from_nothing_is_of_held_out_ones(place, monkeypatch):
    monkeypatch.chdir(_desk(place, "free"))
    assert list(run(tiny.of_nothing(), inputs(), OUT, device="cpu"))
    report = (OUT / "reports/free-small.md").read_text()
    assert "compared with train, train, 12 pictures" in report
    assert "by the bound over 2 steps: the first 8 pictures of test (sha256 " in report
    plan = OUT / "evaluations" / tiny.of_nothing().cells[0].name / "plan.json"
    there = json.loads(plan.read_text())
    there["plan"]["held_out"] = None
    plan.write_text(json.dumps(there))
    with pytest.raises(BadInputError, match="measured with NLL of the data, and the study wants held-out pictures"):
        list(run(tiny.of_nothing(), inputs(), OUT, device="cpu"))


def test_rows_are_not_added_to_those_that_other_networks_looked_at(place, monkeypatch):
    monkeypatch.chdir(_desk(place, "looked"))
    shutil.copytree(place / "once/runs", OUT)
    first, second = (OUT / "evaluations" / cell.name for cell in tiny.study().cells[:2])
    shutil.rmtree(second)
    plan = json.loads((first / "plan.json").read_text())
    plan["features"]["sha256"], plan["features"]["name"] = "0" * 64, "Inception"
    (first / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(BadInputError, match="was measured with Inception, and rows that are missing would be with Eff"):
        list(run(tiny.study(), inputs(), OUT, device="cpu"))


def test_a_place_that_cannot_be_made_is_bad_input(place, monkeypatch):
    monkeypatch.chdir(place / "once")
    with pytest.raises(BadInputError, match=r"cannot make the folder .*reports: .*; choose another --out"):
        list(run(tiny.study(), inputs(), Path("../pictures/train/00.png"), only="report", device="cpu"))


def test_the_report_of_fewer_pictures_leaves_the_other_one_alone(place, monkeypatch):
    monkeypatch.chdir(_desk(place, "fewer"))
    shutil.copytree(place / "once/runs", OUT)
    before = contents(OUT / "reports")
    assert list(run(tiny.study().limited(4), inputs(), OUT, only="report")) == [
        "report: runs/reports/tiny-small-count4.html"
    ]
    assert before.items() <= contents(OUT / "reports").items()


def test_the_report_is_one_well_formed_file_that_needs_no_other(place):
    page = (place / "once/runs/reports/tiny-small.html").read_text()
    tree = ElementTree.fromstring(page.replace("<!DOCTYPE html>", ""))
    for element in tree.iter():
        assert not element.tag.endswith("script")
        for name, value in element.attrib.items():
            if name.endswith(("href", "src")):
                assert value.startswith(("#", "data:"))
    assert "url(http" not in page
    assert "Tiny &amp; &lt;quick&gt;" in page


def test_the_report_has_plots_samples_figures_and_the_published_rows(place):
    page = (place / "once/runs/reports/tiny-small.html").read_text()
    assert page.count("<svg") == page.count("</svg>") >= 2
    assert page.count("data:image/jpeg;base64,") == 2
    assert "2.080" in page  # Table 4.13 with 25 steps
    assert "LaMa (2021)" in page
    assert "ediffuser train tiny-lvddpm --data ../pictures/train --out runs/models/tiny-lvddpm" in page
    assert "advantage [95 %]" in page
    assert "sha256" in page


def test_the_markdown_shows_its_plots(place):
    reports = place / "once/runs/reports"
    text = (reports / "tiny-small.md").read_text()
    for name in [line.split("(")[-1].rstrip(")") for line in text.splitlines() if line.startswith("![")]:
        assert (reports / name).stat().st_size > 500
    assert text.count("\n| ") > 10


def test_the_command_says_the_hours_first_and_then_what_it_does(place, monkeypatch, capsys):
    monkeypatch.chdir(place / "once")
    monkeypatch.setitem(STUDIES, "tiny", lambda size: tiny.study())
    data = ["--data", "cifar10=../pictures/train", "--held-out", "cifar10=../pictures/test"]
    main(["study", "tiny", "--only", "report", *data])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("tiny, small: 0 of 2 models to train, 0.0 h; 0 of 3 rows to evaluate, 0.0 h; 0.0 h")
    assert lines[1:] == ["report: runs/reports/tiny-small.html"]
