"""The studies as they are: complete, within the dissertation's rows, and never begun by a dry run."""

import dataclasses
import shlex
from pathlib import Path

import pytest

from ediffuser.cli import main
from ediffuser.cli.options import parse_component
from ediffuser.conditioning import AnyConditioning
from ediffuser.recipes import RECIPES
from ediffuser.runtime.errors import BadInputError
from ediffuser.samplers import AnySampler
from ediffuser.studies import SIZES, STUDIES, study
from ediffuser.studies.commands import evaluation_command, study_command
from ediffuser.studies.hours import MACHINES, reference_hours
from ediffuser.studies.inputs import inputs_of
from ediffuser.studies.published import PUBLISHED
from ediffuser.studies.study import text

ALL = [(name, size) for name in STUDIES for size in SIZES]
TABLES = {
    "cifar10-unconditional": "4.2 4.4 4.5 4.6 4.7 4.8 4.9 4.10 4.11 4.12",
    "cifar10-color": "4.13 4.15 4.16 4.17 5.1 5.2",
    "celebahq-unconditional": "4.18 4.19",
    "celebahq-inpainting": "4.21 4.22",
}


@pytest.mark.parametrize(("name", "size"), ALL)
def test_cells_have_names_of_their_own_and_claims_are_about_cells(name, size):
    chosen = study(name, size)
    names = [cell.name for cell in chosen.cells]
    assert len(set(names)) == len(names)
    claimed = {
        cell
        for claim in chosen.claims
        for comparison in claim.comparisons
        for pair in comparison.pairs
        for side in pair
        for cell in side
    }
    assert claimed <= set(names)
    assert chosen.claims
    assert all(comparison.pairs for claim in chosen.claims for comparison in claim.comparisons)


@pytest.mark.parametrize("name", TABLES)
def test_the_full_size_has_every_table_and_the_small_one_no_other(name):
    numbers = {table.number for table in study(name, "full").tables if table.number}
    assert numbers == set(TABLES[name].split())
    assert {table.number for table in study(name, "small").tables if table.number} <= numbers


@pytest.mark.parametrize(("name", "size"), ALL)
def test_every_row_stands_beside_one_that_was_printed(name, size):
    for table in study(name, size).tables:
        if table.number:
            firsts = [row[0] for row in PUBLISHED[table.number].rows]
            assert [cell.published for cell in table.cells if cell.published in firsts] == [
                cell.published for cell in table.cells
            ]


@pytest.mark.parametrize(("name", "size"), ALL)
def test_samplers_are_written_as_the_command_line_reads_them(name, size):
    for cell in study(name, size).cells:
        assert parse_component(text(cell.sampler), AnySampler, "sampler") == cell.sampler
        if cell.conditioning:
            assert parse_component(text(cell.conditioning), AnyConditioning, "conditioning") == cell.conditioning


@pytest.mark.parametrize(("name", "size"), ALL)
def test_models_are_recipes_trained_from_their_seed(name, size):
    for model in study(name, size).models:
        assert model.experiment.name in RECIPES
        assert ("small" in model.name) == (size == "small")
        assert model.name == model.experiment.name + (f"-seed{model.experiment.seed}" if model.experiment.seed else "")


def test_the_open_question_has_one_network_three_seeds_and_both_tasks():
    chosen = study("variance-or-ode", "small")
    assert sorted({model.experiment.seed for model in chosen.models}) == [0, 1, 2]
    assert {cell.task for cell in chosen.cells} == {"colorization", "inpainting"}
    assert {cell.nfe for cell in chosen.cells} == {10, 25, 50}
    assert {len(c.pairs) for claim in chosen.claims for c in claim.comparisons} == {3}
    for data in chosen.data:
        trained = [model.experiment for model in chosen.models if model.data == data]
        networks = {dataclasses.replace(each.model.network, out_channels=3) for each in trained}
        assert len(networks) == len({(each.images, each.batch) for each in trained}) == 1
    for claim in chosen.claims:
        of_the_vpsde = "VPSDE" in claim.text
        for better, worse in claim.comparisons[0].pairs:
            assert ("vpsde" in better[0], "dpm-solver" in better[0]) == (of_the_vpsde, True)
            assert ("lvddpm" in worse[0], "ancestral" in worse[0]) == (True, True)
            assert of_the_vpsde or better[0].split("/")[0] == worse[0].split("/")[0]


@pytest.mark.parametrize(("name", "size"), ALL)
def test_a_dry_run_prints_hours_and_commands_and_makes_nothing(name, size, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["study", name, "--size", size, "--dry-run", "--data", "cifar10=c.zip", "--held-out", "faces=f.zip"])
    lines = capsys.readouterr().out.splitlines()
    chosen = study(name, size)
    assert sum(line.startswith("ediffuser train ") for line in lines) == len(chosen.models)
    assert sum(line.startswith("ediffuser evaluate ") for line in lines) == len(chosen.cells)
    assert lines[-1].startswith(f"{name}, {size}: {len(chosen.models)} of {len(chosen.models)} models to train, ")
    assert " h together, on one " in lines[-1]
    assert not list(tmp_path.iterdir())


def test_fewer_pictures_go_into_every_row_and_its_name():
    chosen = study("cifar10-color", "small").limited(40)
    assert {cell.count for cell in chosen.cells} == {40}
    assert all("-n40" in cell.name for cell in chosen.cells)
    assert all("-n40" in c.pairs[0][0][0] for claim in chosen.claims for c in claim.comparisons)
    command = study_command(chosen, inputs_of(chosen, ["cifar10=c"], ["cifar10=h"]), Path("runs"))
    assert command.endswith("--data cifar10=c --held-out cifar10=h --count 40 --out runs")


@pytest.mark.parametrize(
    ("train", "held_out", "message"),
    [
        (["c.zip"], [], "--data c.zip says not which data set it is; write it NAME=PATH"),
        (["cifar=c.zip"], [], "unknown data set 'cifar': did you mean 'cifar10'"),
        ([], [], "study cifar10-color needs CIFAR-10: add --data cifar10=PATH"),
        (["cifar10=c.zip"], [], "study cifar10-color needs CIFAR-10: add --held-out cifar10=PATH"),
    ],
)
def test_data_that_are_missing_or_misnamed_are_said(train, held_out, message):
    with pytest.raises(BadInputError, match=message.replace("'", ".")):
        inputs_of(study("cifar10-color", "small"), train, held_out)


def test_what_is_compared_with_is_reckoned_once_for_each_data_set():
    machine, cells = MACHINES["small"], study("celebahq-unconditional", "small").cells
    assert reference_hours(cells, machine) == {cells[0].name: 10_000 / machine.judged_per_s / 3600}
    assert reference_hours(study("cifar10-color", "small").cells, machine) == {}


def test_pictures_from_nothing_need_held_out_ones_for_their_likelihood():
    free = study("cifar10-unconditional", "small")
    with pytest.raises(BadInputError, match="add --held-out cifar10=PATH"):
        inputs_of(free, ["cifar10=c.zip"], [])
    given = inputs_of(free, ["cifar10=c.zip"], ["cifar10=t.zip"])
    command = next(evaluation_command(cell, given, Path("runs")) for cell in free.cells if cell.nll)
    assert "--data c.zip --split train" in command
    assert "--held-out t.zip" in command


def test_an_unknown_study_ends_with_2_and_names_the_nearest(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["study", "cifar10-colour", "--dry-run"])
    assert exit_.value.code == 2
    assert "did you mean 'cifar10-color'" in capsys.readouterr().err


def test_commands_are_quoted_for_the_shell(capsys):
    main(["study", "cifar10-unconditional", "--dry-run", "--data", "cifar10=my data.zip"])
    line = next(line for line in capsys.readouterr().out.splitlines() if "predictor_corrector" in line)
    words = shlex.split(line)
    assert "my data.zip" in words
    assert words[words.index("--sampler") + 1].startswith("final_corrector sampler={")
