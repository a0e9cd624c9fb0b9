"""Recipes are complete: they build, they fit their data, and they survive their JSON."""

import pytest

from ediffuser.recipes import RECIPES
from ediffuser.runtime.component import from_json, to_json
from ediffuser.training import Experiment


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_named_documented_and_survives_its_json(name):
    experiment = RECIPES[name]()
    assert experiment.name == name
    assert f"ediffuser train {name} --data" in RECIPES[name].__doc__
    assert from_json(to_json(experiment, Experiment), Experiment) == experiment


@pytest.mark.parametrize(
    ("name", "channels", "batch", "rate", "dropout"),
    [
        ("ddpm32", 3, 128, 2e-4, 0.1),
        ("ddpm32-color", 6, 128, 2e-4, 0.1),
        ("ddpm256", 3, 64, 2e-5, 0.0),
        ("ddpm256-inpaint", 6, 64, 2e-5, 0.0),
    ],
)
def test_table_3_1_and_the_hyperparameters_of_ho_et_al(name, channels, batch, rate, dropout):
    experiment = RECIPES[name]()
    network, schedule = experiment.model.network, experiment.model.schedule
    assert (network.in_channels, network.out_channels) == (channels, 3)
    assert (network.attention, network.dropout, network.convolutional_resampling) == ((16,), dropout, False)
    assert (schedule.steps, schedule.beta_first, schedule.beta_last) == (1000, 1e-4, 0.02)
    assert (experiment.batch, experiment.optimizer.learning_rate, experiment.ema.decay) == (batch, rate, 0.9999)


def test_the_average_of_the_cpu_recipe_forgets_the_beginning():
    ema = RECIPES["inpaint-faces128"]().ema
    remembered = 1.0
    for step in range(1, 3_001):
        remembered *= ema.decay_at(step)
    assert remembered == 0.0
    assert ema.width <= 0.1
