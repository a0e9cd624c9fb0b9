import pytest
import torch

from ediffuser.runtime.noise import Noise, derived_seed


def test_a_picture_depends_on_seed_and_index_and_not_on_its_batch():
    whole = Noise.rows(7, range(10)).normal((3, 4, 4))
    for indices in ([0], [9, 3], [4, 4, 5]):
        assert torch.equal(Noise.rows(7, indices).normal((3, 4, 4)), whole[indices])
    mixed = Noise([(7, 2), (8, 0), (7, 5)])
    assert len(mixed) == 3
    assert mixed.keys == ((7, 2), (8, 0), (7, 5))
    assert torch.equal(mixed.normal((3, 4, 4))[[0, 2]], whole[[2, 5]])


def test_draws_go_on_and_come_in_the_same_order():
    first, again = Noise.rows(0, range(3)), Noise.rows(0, range(3))
    draws = [first.normal((3, 8, 8)), first.uniform(), first.normal((3, 8, 8)), first.seeds()]
    assert torch.equal(draws[0], again.normal((3, 8, 8)))
    assert torch.equal(draws[1], again.uniform())
    assert torch.equal(draws[2], again.normal((3, 8, 8)))
    assert draws[3] == again.seeds()
    assert not torch.equal(draws[0], draws[2])


def test_the_numbers_are_standard_normal_and_uniform():
    noise = Noise.rows(3, range(20))
    z, u = noise.normal((3, 32, 32)), noise.uniform((3000,))
    assert z.dtype == u.dtype == torch.float32
    assert abs(z.mean()) < 0.02
    assert abs(z.std() - 1) < 0.02
    assert abs((z**4).mean() - 3) < 0.1
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(u.mean() - 0.5) < 0.01
    assert noise.uniform().shape == (20,)


def test_neighbouring_seeds_and_indices_are_uncorrelated():
    streams = torch.cat([Noise.rows(seed, range(8)).normal((5000,)) for seed in (0, 1, 2, 2**40, -1)])
    correlation = torch.corrcoef(streams) - torch.eye(40)
    assert correlation.abs().max() < 5 / 5000**0.5  # 780 pairs, 5 standard errors


def test_seed_and_index_do_not_stand_in_for_each_other():
    assert not torch.equal(Noise([(1, 2)]).normal((4,)), Noise([(2, 1)]).normal((4,)))
    assert not torch.equal(Noise([(1, 12)]).normal((4,)), Noise([(11, 2)]).normal((4,)))
    seeds = {derived_seed(seed, index) for seed in range(100) for index in range(100)}
    assert len(seeds) == 10_000
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_numbers_are_those_of_every_release():
    assert derived_seed("dropout", 0, 1) == 7397439272482291320
    assert Noise.rows(0, [0]).normal((3,))[0].tolist() == pytest.approx([-1.7146132, -0.6212117, 0.4699288], rel=1e-6)


def test_no_global_random_state_is_used_or_changed():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = Noise.rows(0, [0]).normal((4,))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(6)
    assert torch.equal(first, Noise.rows(0, [0]).normal((4,)))


def test_a_seed_may_be_any_integer():
    draws = {Noise([(seed, 0)]).normal(()).item() for seed in (-(2**80), -1, 0, 2**63, 10**30)}
    assert len(draws) == 5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_is_given_the_numbers_of_the_cpu():
    on_gpu = Noise.rows(0, range(4), "cuda").normal((3, 8, 8))
    assert on_gpu.device.type == "cuda"
    assert torch.equal(on_gpu.cpu(), Noise.rows(0, range(4)).normal((3, 8, 8)))


def test_numbers_are_delivered_on_the_device_asked_for():
    on_meta = Noise.rows(0, range(4), "meta")
    assert on_meta.normal((3, 8, 8)).device.type == on_meta.uniform().device.type == "meta"
