import pytest
import torch

from ediffuser.runtime.device import autocast, choose_device, choose_precision
from ediffuser.runtime.errors import BadInputError, CheckpointError, unknown_name


@pytest.mark.parametrize(
    ("given", "nearest"), [("dim", "ddim"), ("ancestrl", "ancestral"), ("Ddim", "ddim"), ("solver", "dpm_solver")]
)
def test_an_unknown_name_suggests_the_nearest(given, nearest):
    error = unknown_name("sampler", given, ["ddim", "ancestral", "dpm_solver"])
    assert isinstance(error, BadInputError)
    assert str(error) == f"unknown sampler '{given}': did you mean '{nearest}'? known are ancestral, ddim, dpm_solver"


def test_a_name_like_no_other_suggests_nothing():
    assert str(unknown_name("model", "qqq", {"photos-128"})) == "unknown model 'qqq': known are photos-128"


def test_a_damaged_checkpoint_is_bad_input_and_that_is_a_value_error():
    assert issubclass(CheckpointError, BadInputError)
    assert issubclass(BadInputError, ValueError)


@pytest.mark.parametrize("name", ["", "gpu", "cuda:99", "tpu"])
def test_a_device_that_is_not_there_is_bad_input(name):
    with pytest.raises(BadInputError, match=f"device '{name}' cannot be used here; 'auto' or 'cpu' always can"):
        choose_device(name)


def test_devices_and_precisions_by_name():
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_precision("float32", "cpu") == torch.float32
    assert choose_precision("bf16", "cpu") == torch.bfloat16
    assert choose_precision("auto", "cpu") in (torch.float32, torch.bfloat16)


def test_autocast_changes_products_and_leaves_norms():
    x, weights, norm = torch.ones(1, 8, 4, 4), torch.ones(8, 8, 1, 1), torch.nn.GroupNorm(2, 8)
    with autocast(torch.device("cpu"), torch.bfloat16):
        product = torch.nn.functional.conv2d(x, weights)
        assert product.dtype == torch.bfloat16
        assert norm(x).dtype == torch.float32
    with autocast(torch.device("cpu"), torch.float32):
        assert torch.nn.functional.conv2d(x, weights).dtype == torch.float32
