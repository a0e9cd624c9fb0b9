import contextlib
import math

import pydantic
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ediffuser.networks import Network, UNetConfig
from ediffuser.networks.blocks import AttentionBlock, Downsample, Norm, ResidualBlock, TimeEmbedding, Upsample
from ediffuser.networks.norm import GroupNorm
from ediffuser.runtime.component import from_json, to_json

CHANNELS_LAST = torch.channels_last


def parameters(config: UNetConfig) -> int:
    with torch.device("meta"):
        return sum(value.numel() for value in config.build().parameters())


def randomised(network: nn.Module) -> nn.Module:
    """The network with small random numbers everywhere, so that nothing is hidden behind a zero."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in network.parameters():
            value.normal_(std=0.2, generator=generator)
    return network.eval().requires_grad_(False)


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------------------------------------ sizes

AT_32 = {"resolution": 32, "widths": (128, 256, 256, 256), "blocks": (2,) * 4, "attention": (16,)}
AT_256 = {"resolution": 256, "widths": (128, 128, 256, 256, 512, 512), "blocks": (2,) * 6, "attention": (16,)}
CONVOLUTIONS = {"convolutional_resampling": True}


@pytest.mark.parametrize("asymmetric", [True, False])
def test_the_published_networks_have_their_number_of_parameters(asymmetric):
    """Ho et al. 2020, appendix B: 35.7 million parameters for CIFAR-10, 114 million for 256 pixels."""
    assert parameters(UNetConfig(**AT_32, **CONVOLUTIONS, asymmetric_padding=asymmetric)) == 35_746_307
    assert parameters(UNetConfig(**AT_256, **CONVOLUTIONS, asymmetric_padding=asymmetric)) == 113_673_219


TABLE_3_1 = {
    "DDPM32": (AT_32, 32_648_323),
    "DDPM256": (AT_256, 103_790_723),
    "DDPM32Colour": (AT_32 | {"in_channels": 6}, 32_651_779),
    "DDPM256Inpaint": (AT_256 | {"in_channels": 6}, 103_794_179),
    "LVDDPM32Colour": (
        AT_32
        | CONVOLUTIONS
        | {"in_channels": 6, "out_channels": 6, "blocks": (3,) * 4, "attention": (16, 8), "heads": 4},
        49_069_702,
    ),
    "DDPM256LVInpaint": (
        AT_256 | CONVOLUTIONS | {"in_channels": 6, "out_channels": 6, "blocks": (3,) * 6},
        149_990_918,
    ),
    "VPSDE32Colour": (AT_32 | CONVOLUTIONS | {"in_channels": 6, "blocks": (8,) * 4}, 104_574_083),
    "VPSDE256Inpaint": (AT_256 | CONVOLUTIONS | {"in_channels": 6}, 113_676_675),
}


@pytest.mark.parametrize("row", TABLE_3_1)
def test_the_rows_of_table_3_1_build(row):
    settings, expected = TABLE_3_1[row]
    assert parameters(UNetConfig(**settings)) == expected


@pytest.mark.parametrize("plain", [AT_32, AT_256])
def test_convolutional_resampling_adds_a_convolution_at_each_change_of_side(plain):
    widths = plain["widths"]
    changes = [*widths[:-1], *widths[1:]]  # on the way down at the finer width, on the way up at the coarser one
    added = sum(9 * width * width + width for width in changes)
    assert parameters(UNetConfig(**plain, **CONVOLUTIONS)) - parameters(UNetConfig(**plain)) == added


def test_scale_shift_doubles_what_each_block_reads_from_the_time():
    blocks_of_width = {128: 2 + 3, 256: 3 * (2 + 3) + 2}
    added = sum(count * width * (4 * 128 + 1) for width, count in blocks_of_width.items())
    assert parameters(UNetConfig(**AT_32, scale_shift=True)) - parameters(UNetConfig(**AT_32)) == added


def test_attention_is_where_it_is_asked_for_and_always_in_the_middle():
    with torch.device("meta"):
        network = UNetConfig(resolution=64, patch=2, widths=(32, 64, 64), blocks=(1, 2, 1), attention=(16,)).build()
    attending = [name for name, module in network.named_modules() if isinstance(module, AttentionBlock)]
    expected = ["down.1.0", "down.1.1", "middle_attention", "up.1.0", "up.1.1", "up.1.2"]
    assert [name.removesuffix(".attention") for name in attending] == expected


# ------------------------------------------------------------------------------------------------ the whole network


@pytest.mark.parametrize("scale_shift", [False, True])
@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("patch", [1, 2, 4])
@pytest.mark.parametrize(("in_channels", "out_channels"), [(3, 3), (6, 3), (7, 3), (6, 6), (3, 6)])
def test_shapes_in_and_out(network_config, in_channels, out_channels, patch, heads, scale_shift):
    config = network_config(
        in_channels=in_channels, out_channels=out_channels, patch=patch, heads=heads, scale_shift=scale_shift
    )
    network = randomised(config.build())
    output = network(normal(2, in_channels, 16, 16), torch.tensor([3.0, 700.0]))
    assert output.shape == (2, out_channels, 16, 16)
    assert output.dtype == torch.float32
    assert output.isfinite().all()
    assert output.std() > 0


def test_a_fresh_network_puts_out_nothing(network_config):
    network = network_config(scale_shift=True, patch=2).build()
    output = network(normal(2, 3, 16, 16), torch.tensor([3.0, 700.0]))
    assert torch.equal(output, torch.zeros(2, 3, 16, 16))


@pytest.mark.parametrize("change", ["picture", "time", "dropout"])
def test_the_output_depends_on(network_config, change):
    network = randomised(network_config(dropout=0.5).build())
    x, time = normal(2, 3, 16, 16), torch.tensor([3.0, 700.0])
    before = network(x, time)
    assert torch.equal(network(x, time), before)
    if change == "dropout":
        network.train()
    after = network(x + 0.1 * (change == "picture"), time + 10 * (change == "time"))
    assert ((after - before).flatten(1).abs().amax(1) > 1e-3).all()


@contextlib.contextmanager
def kept_elements():
    """The sizes of all tensors that autograd keeps within the block."""
    elements = []

    def keep(tensor):
        elements.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield elements


def test_gradient_checkpointing_keeps_less_for_the_backward_pass(network_config):
    """Counted by what autograd is asked to keep; the gradients are the same."""
    network, x, time = randomised(network_config().build()), normal(2, 3, 16, 16), torch.tensor([3.0, 700.0])
    network.train().requires_grad_(True)
    kept, gradients = [], []
    for network.gradient_checkpointing in (False, True):
        with kept_elements() as elements:
            loss = network(x, time).square().mean()
        network.zero_grad()
        loss.backward()
        kept.append(sum(elements))
        gradients.append([parameter.grad for parameter in network.parameters()])
    assert kept[1] < kept[0] / 2
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_everything_runs_channels_last(network_config, precision):
    network = network_config(convolutional_resampling=True, attention=(16, 8)).build()
    strays = []

    def check(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        if output.ndim == 4 and not output.is_contiguous(memory_format=CHANNELS_LAST):
            strays.append(module)

    for module in network.modules():
        module.register_forward_hook(check)
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        output = network(normal(2, 3, 16, 16), torch.ones(2))
    assert output.is_contiguous(memory_format=CHANNELS_LAST)
    assert strays == []
    assert all(p.is_contiguous(memory_format=CHANNELS_LAST) for p in network.parameters() if p.ndim == 4)


def test_a_network_is_whole_with_its_state_dict_alone(network_config):
    """So it can be built without memory and filled from a checkpoint."""
    network = randomised(network_config().build())
    with torch.device("meta"):
        filled = network_config().build()
    filled = filled.to_empty(device="cpu").eval()
    filled.load_state_dict(network.state_dict())
    x, time = normal(2, 3, 16, 16), torch.tensor([3.0, 700.0])
    assert torch.equal(filled(x, time), network(x, time))


# ------------------------------------------------------------------------------------------------ the parts


@pytest.mark.parametrize("order", ["sin_cos", "cos_sin"])
@pytest.mark.parametrize(("denominator", "last"), [("half_minus_one", 3), ("half", 4)])
def test_time_embedding_follows_its_formula(order, denominator, last):
    embedding = randomised(TimeEmbedding(8, 16, order, denominator))
    t = 12.5
    angles = [t * 10_000 ** (-index / last) for index in range(4)]
    sines, cosines = [math.sin(angle) for angle in angles], [math.cos(angle) for angle in angles]
    waves = torch.tensor([sines + cosines if order == "sin_cos" else cosines + sines])
    expected = embedding.linear2(F.silu(embedding.linear1(waves)))
    torch.testing.assert_close(embedding(torch.tensor([t])), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("scale_shift", [False, True])
@pytest.mark.parametrize("out_channels", [8, 16])
def test_residual_block_follows_its_formula(scale_shift, out_channels):
    block = randomised(ResidualBlock(8, out_channels, 12, Norm(4, 1e-6), 0.0, scale_shift))
    x, time = normal(2, 8, 6, 6), normal(2, 12, seed=2)

    def normed(h: Tensor, norm: GroupNorm) -> Tensor:
        grouped = h.reshape(len(h), 4, -1)
        variance, mean = torch.var_mean(grouped, dim=-1, correction=0, keepdim=True)
        standard = ((grouped - mean) / (variance + 1e-6).sqrt()).reshape(h.shape)
        return standard * norm.weight[:, None, None] + norm.bias[:, None, None]

    h = block.conv1(F.silu(normed(x, block.norm1)))
    c = block.time(time)[:, :, None, None]
    if scale_shift:
        w, b = c[:, :out_channels], c[:, out_channels:]
        h = normed(h, block.norm2) * (1 + w) + b
    else:
        h = normed(h + c, block.norm2)
    expected = block.shortcut(x) + block.conv2(F.silu(h))
    torch.testing.assert_close(block(x, time), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_follows_its_formula(heads):
    block = randomised(AttentionBlock(8, heads, Norm(4, 1e-6), "stacked"))
    x = normal(2, 8, 4, 6)
    tokens = block.norm(x).flatten(2).mT  # (B, HW, C)
    mixed = []
    for q, k, v in zip(*[part.chunk(heads, dim=2) for part in block.qkv(tokens).chunk(3, dim=2)], strict=True):
        mixed.append(torch.softmax(q @ k.mT / math.sqrt(8 / heads), dim=-1) @ v)
    expected = x + block.out(torch.cat(mixed, dim=2)).mT.reshape(x.shape)
    torch.testing.assert_close(block(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("layout", "order"), [("per_head", (1, 0, 2)), ("interleaved", (1, 2, 0))])
@pytest.mark.parametrize("heads", [1, 4])
def test_qkv_layouts_are_permutations_of_each_other(layout, order, heads):
    stacked = randomised(AttentionBlock(16, heads, Norm(4, 1e-6), "stacked"))
    other = AttentionBlock(16, heads, Norm(4, 1e-6), layout).eval()
    other.load_state_dict(stacked.state_dict())
    x = normal(2, 16, 4, 4)
    if heads > 1 or layout == "interleaved":
        assert not torch.allclose(other(x), stacked(x), atol=1e-3)
    rows = torch.arange(48).reshape(3, heads, -1).permute(order).flatten()  # (q k v, head, channel) of each row
    with torch.no_grad():
        other.qkv.weight.copy_(stacked.qkv.weight[rows])
        other.qkv.bias.copy_(stacked.qkv.bias[rows])
    torch.testing.assert_close(other(x), stacked(x), atol=1e-6, rtol=1e-6)


def test_plain_resampling_averages_and_repeats():
    x = normal(2, 3, 4, 6)
    half = Downsample(3, convolution=False, asymmetric_padding=False)(x)
    torch.testing.assert_close(half, x.reshape(2, 3, 2, 2, 3, 2).mean(dim=(3, 5)))
    double = Upsample(3, convolution=False)(x)
    assert torch.equal(double, x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3))


@pytest.mark.parametrize(("asymmetric", "first"), [(False, -1), (True, 0)])
def test_a_strided_convolution_starts_at_the_edge_or_before_it(asymmetric, first):
    layer = randomised(Downsample(3, convolution=True, asymmetric_padding=asymmetric))
    x = normal(2, 3, 8, 8)
    wide = F.pad(x, (1, 1, 1, 1))
    patches = [wide[:, :, 1 + first + 2 * i :, 1 + first + 2 * j :][:, :, :3, :3] for i in range(4) for j in range(4)]
    expected = torch.stack([torch.einsum("ocij,bcij->bo", layer.conv.weight, patch) for patch in patches], dim=2)
    expected = expected.reshape(2, 3, 4, 4) + layer.conv.bias[:, None, None]
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


def test_convolutional_upsampling_is_repetition_and_a_convolution():
    layer = randomised(Upsample(3, convolution=True))
    x = normal(2, 3, 4, 4)
    repeated = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(layer(x), layer.conv(repeated))


# ------------------------------------------------------------------------------------------------ the configuration


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"widths": (32, 32, 32)}, "one entry per level"),
        ({"resolution": 17}, "resolution 17 must be a multiple of 2"),
        ({"patch": 3}, "resolution 16 must be a multiple of 6"),
        ({"widths": (32, 36)}, "must be multiples of 8 groups and 1 heads"),
        ({"heads": 3}, "must be multiples of 8 groups and 3 heads"),
        ({"heads": 0}, "heads\n.*greater than or equal to 1"),
        ({"in_channels": 0}, "in_channels\n.*greater than or equal to 1"),
        ({"dropout": 1.0}, "dropout\n.*less than 1"),
        ({"dropout": -0.1}, "dropout\n.*greater than or equal to 0"),
        ({"norm_eps": 0.0}, "norm_eps\n.*greater than 0"),
        ({"norm_eps": math.nan}, "norm_eps\n.*finite number"),
        ({"resolution": 16.5}, "resolution\n.*integer"),
        ({"qkv_layout": "sideways"}, "qkv_layout\n.*'stacked', 'per_head' or 'interleaved'"),
        ({"width": (32, 32)}, "width\n.*[Uu]nexpected"),
    ],
)
def test_a_configuration_with_wrong_numbers_is_refused(network_config, wrong, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        network_config(**wrong)


def test_a_configuration_survives_json(network_config):
    config = network_config(heads=4, scale_shift=True, patch=2, qkv_layout="interleaved", norm_eps=1e-5)
    text = to_json(config, Network)
    assert from_json(text, Network) == config
    assert hash(from_json(text, Network)) == hash(config)
    with pytest.raises(pydantic.ValidationError, match="Unexpected"):
        from_json(text.replace('"heads"', '"head"'), Network)
