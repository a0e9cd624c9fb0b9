import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ediffuser.networks.norm import GroupNorm, group_norm

GROUPS, EPS = 4, 1e-6
# Both sides of LARGE_MAP, odd sides, one position, one channel a group, one picture.
SHAPES = [(3, 8, 5, 7), (2, 4, 1, 3), (2, 12, 1, 1), (1, 16, 33, 32), (2, 8, 40, 27)]
ORDERS = [torch.contiguous_format, torch.channels_last]


def case(shape: tuple[int, ...], dtype: torch.dtype, order: torch.memory_format) -> list[Tensor]:
    """x off its zero, weight, bias, and the gradient that comes from above."""
    generator = torch.Generator().manual_seed(0)

    def draw(*size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=torch.float64)

    x, above = (2 * draw(*shape) + 1.5).to(dtype), draw(*shape).to(dtype)
    wide = torch.promote_types(dtype, torch.float32)
    weight, bias = ((draw(shape[1]) + offset).to(wide) for offset in (1, 0))
    return [x.contiguous(memory_format=order), weight, bias, above.contiguous(memory_format=order)]


def results(norm, x: Tensor, weight: Tensor, bias: Tensor, above: Tensor) -> list[Tensor]:
    """y, and the gradients of x, weight and bias."""
    leaves = [value.detach().clone().requires_grad_() for value in (x, weight, bias)]
    y = norm(*leaves)
    return [y.detach(), *torch.autograd.grad(y, leaves, above)]


def by_hand(x, weight, bias):
    return group_norm(x, weight, bias, GROUPS, EPS)


def torchs(x, weight, bias):
    return F.group_norm(x, GROUPS, weight, bias, EPS)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_values_and_gradients_are_those_of_torch(shape, order, dtype, tolerance):
    inputs = case(shape, dtype, order)
    for ours, theirs in zip(results(by_hand, *inputs), results(torchs, *inputs), strict=True):
        assert ours.dtype == dtype
        scale = max(1.0, theirs.abs().max().item())
        torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_in_bf16_both_are_right_to_the_rounding_of_bf16(shape, order):
    """Against torch in float64 on the same numbers; bf16 has 8 bits, so a value is off by up to 0.4 %."""
    inputs = case(shape, torch.bfloat16, order)
    exact = results(torchs, *(value.double() for value in inputs))
    for ours, right in zip(results(by_hand, *inputs), exact, strict=True):
        scale = right.abs().max().clamp(min=1)
        torch.testing.assert_close(ours.double(), right, rtol=0, atol=0.01 * scale.item())


def test_the_gradient_passes_torchs_own_check():
    x, weight, bias, _ = case((2, 8, 3, 2), torch.float64, torch.channels_last)
    leaves = [value.requires_grad_() for value in (x, weight, bias)]
    assert torch.autograd.gradcheck(by_hand, leaves)


def test_the_gradient_of_the_picture_needs_none_of_the_weights():
    x, weight, bias, above = case((2, 8, 3, 2), torch.float64, torch.channels_last)
    x.requires_grad_()
    (ours,) = torch.autograd.grad(by_hand(x, weight, bias), x, above)
    (theirs,) = torch.autograd.grad(torchs(x, weight, bias), x, above)
    torch.testing.assert_close(ours, theirs)


def test_the_module_has_torchs_parameters_and_takes_its_state():
    theirs = nn.GroupNorm(GROUPS, 8, eps=EPS)
    nn.init.normal_(theirs.weight, generator=torch.Generator().manual_seed(0))
    ours = GroupNorm(GROUPS, 8, EPS)
    assert {name: value.shape for name, value in ours.state_dict().items()} == {"weight": (8,), "bias": (8,)}
    ours.load_state_dict(theirs.state_dict())
    x = case((3, 8, 5, 7), torch.float32, torch.channels_last)[0]
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("order", ORDERS)
def test_the_module_is_the_same_with_and_without_gradients(dtype, order):
    x, weight, bias, _ = case((3, 8, 5, 7), dtype, order)
    norm = GroupNorm(GROUPS, 8, EPS)
    norm.load_state_dict({"weight": weight, "bias": bias})
    with torch.no_grad():
        silent = norm(x)
    assert silent.dtype == dtype
    assert torch.equal(silent, norm(x))
    right = torchs(x.double(), weight.double(), bias.double())
    torch.testing.assert_close(silent.double(), right, rtol=0, atol=0.04 if dtype == torch.bfloat16 else 1e-5)
