"""The path at full resolution around the cells of a UNet."""

import pytest
import torch
from pydantic import ValidationError

from ediffuser.networks import UNet

TIMES = torch.tensor([3.0, 700.0])


def with_path(network_config, *, seed: int = 0, filled: bool = True, **changes) -> UNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = network_config(**({"patch": 4, "pixel_width": 8} | changes)).build()
        for weights in network.parameters() if filled else ():
            if not weights.any():
                weights.data.normal_(std=0.05)
    return network.eval().requires_grad_(False)


def picture(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("in_channels", "out_channels"), [(3, 3), (7, 3), (7, 6)])
def test_it_has_the_shapes_of_the_network(network_config, in_channels, out_channels):
    network = with_path(network_config, in_channels=in_channels, out_channels=out_channels)
    output = network(picture(2, in_channels, 16, 16), TIMES)
    assert output.shape == (2, out_channels, 16, 16)
    assert output.std() > 0


def test_a_network_is_the_same_one_with_a_fresh_path(network_config):
    without = with_path(network_config, pixel_width=0)
    network = with_path(network_config, seed=1, filled=False)
    network.load_state_dict(network.state_dict() | without.state_dict())
    x = picture(2, 3, 16, 16)
    assert torch.equal(network(x, TIMES), without(x, TIMES))
    network.pixels.conv_out.weight.normal_()
    assert not torch.allclose(network(x, TIMES), without(x, TIMES))


def test_it_sees_single_pixels_the_cells_and_the_time(network_config):
    network = with_path(network_config)
    path, x, cells, time = network.pixels, picture(1, 3, 16, 16), picture(1, 32, 4, 4), picture(1, 128)
    output = path(x, cells, time)
    x[0, 0, 8, 8] += 1
    changed = (path(x, cells, time) - output).abs().amax(dim=(0, 1)) > 0
    rows, columns = changed.nonzero().T
    assert changed[8, 8]
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 11, 5, 11)  # three layers of 3 x 3
    assert not torch.equal(path(x, cells + 1, time), path(x, cells, time))
    assert not torch.equal(path(x, cells, time + 1), path(x, cells, time))


def test_without_cells_there_is_nothing_to_go_around(network_config):
    with pytest.raises(ValidationError, match="pixel_width 8 goes around cells, and with patch 1 there are none"):
        network_config(pixel_width=8)
