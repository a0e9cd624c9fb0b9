"""Every option of the dissertation's appendix B.1 is in docs/config-map.md, and every place named there exists."""

import re
from importlib import import_module
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[1] / "docs" / "config-map.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| `")]

B1 = {
    "": "run_name batch_size log_dir save_interval chkpt_dir sample_dir sample_intv sample_size eval_intv backup_dir",
    "dataset.": "dataset data_dir pin_memory drop_last",
    "network.": "network_type image_size channel_mult num_channels num_res_blocks attention_resolutions var_type "
    "num_heads num_heads_upsample use_scale_shift_norm dropout conv_resample condition",
    "model.": "model_type diffusion_steps noise_schedule loss_type var_type mean_type rescale_timesteps "
    "timestep_respacing",
    "train.": "epochs batch_size lr weight_decay ema_rate schedule_sampler",
}
"""The options as the appendix has them; run_name, batch_size and var_type also stand above its sections."""


def found(name):
    """Whether a module, a member of it, or a field of a component has this name."""
    module, *members = name.split(".")
    place = import_module(module)
    for position, member in enumerate(members):
        if not hasattr(place, member):
            if any(field.name == member for field in getattr(place, "__dataclass_fields__", {}).values()):
                return position == len(members) - 1
            try:
                import_module(".".join([module, *members[: position + 1]]))
            except ModuleNotFoundError:
                return False
        place = getattr(place, member)
    return True


def test_every_option_of_the_appendix_has_its_line():
    wanted = [section + option for section, options in B1.items() for option in options.split()]
    assert sorted(row[0].strip("`") for row in ROWS) == sorted(wanted)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(ediffuser(?:\.\w+)+)`", TEXT))))
def test_every_place_exists(name):
    assert found(name)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip("`"))
def test_a_line_names_a_place_or_says_why_there_is_none(row):
    _, _, place, remarks = row
    assert re.fullmatch(r"`ediffuser(\.\w+)+`", place) or (place == "none" and len(remarks) > 40)


@pytest.mark.parametrize("name", ["ediffuser.training.Experiment.epochs", "ediffuser.nothing", "ediffuser.Ddim.eta.x"])
def test_a_place_that_does_not_exist_is_noticed(name):
    assert not found(name)
