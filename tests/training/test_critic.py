"""The term of the loss by which x_0 shall be taken for real, and the critic that it has to deceive."""

import dataclasses

import pytest
import torch
from pydantic import ValidationError

from ediffuser.evaluation.efficientnet import PACKAGE
from ediffuser.runtime.checkpoint import newest_checkpoint, read_checkpoint, tensors_from_bytes
from ediffuser.runtime.distributed import ALONE
from ediffuser.tasks import Inpainting
from ediffuser.training import train
from ediffuser.training.critic import AdversarialTerm, Adversary, counted
from ediffuser.training.perceptual import Eye

pytest.importorskip(PACKAGE.replace("-", "_"), reason="the weights of EfficientNet-Lite0 are not installed")

CPU = torch.device("cpu")
TERM = AdversarialTerm(weight=0.1, warmup_images=16)


@pytest.fixture(scope="module")
def eye() -> Eye:
    return Eye()


def adversary(**settings):
    torch.manual_seed(0)
    return Adversary(AdversarialTerm(**settings), CPU)


def parts(rival, eye, guess, x0, hole=None, alpha=1.0):
    return rival.parts(*eye.both(guess, x0), torch.full((len(x0), 1, 1, 1), alpha), hole)


def textures(count, seed=0):
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def blurred(x):
    return torch.nn.functional.avg_pool2d(x, 5, stride=1, padding=2)


def middle(count):
    hole = torch.zeros(count, 1, 64, 64)
    hole[..., 16:48, 16:48] = 1
    return hole


def test_it_learns_within_few_steps_to_tell_soft_holes_from_sharp_ones(eye):
    """On pictures that it has not learnt from."""
    rival, hole = adversary(), middle(8)
    for step in range(30):
        x0 = textures(8, seed=step)
        parts(rival, eye, torch.where(hole > 0, blurred(x0), x0), x0, hole)["critic"].mean().backward()
        rival.step(ALONE, 8)
    x0 = textures(8, seed=1000)
    soft = parts(rival, eye, torch.where(hole > 0, blurred(x0), x0), x0, hole)
    same = parts(rival, eye, x0, x0, hole)
    assert soft["critic"].max() < 0.5
    assert (soft["adversarial"] > same["adversarial"] + 1).all()  # to be found out costs more than to be real


def test_one_part_moves_the_guess_alone_and_the_other_the_critic_alone(eye):
    rival, guess = adversary(), textures(2).requires_grad_()
    found = parts(rival, eye, guess, textures(2, seed=1))
    found["adversarial"].sum().backward(retain_graph=True)
    assert guess.grad.abs().sum() > 0
    assert all(weights.grad is None for weights in rival.critic.parameters())
    guess.grad = None
    found["critic"].sum().backward()
    assert guess.grad is None
    assert all(weights.grad.abs().sum() > 0 for weights in rival.critic.parameters() if weights.ndim == 4)


def test_each_picture_is_judged_by_itself(eye):
    rival, x0 = adversary(), textures(2)
    changed = x0.clone()
    changed[1] = 0
    before, after = (parts(rival, eye, guess, x0, middle(2)) for guess in (x0, changed))
    for name, values in before.items():
        assert values[0] == after[name][0]
        assert values[1] != after[name][1]


def test_positions_count_by_how_much_of_them_lies_in_the_hole():
    scores, hole = torch.arange(4.0).reshape(1, 1, 2, 2), torch.zeros(1, 1, 8, 8)
    hole[..., :4, :4] = 1  # all of the first of four positions, and half of the second
    hole[..., :4, 4:6] = 1
    assert counted([scores, scores + 1], hole).item() == pytest.approx((0 + 0.5 * 1) / 1.5 + 0.5)
    assert counted([scores, scores + 1], None).item() == pytest.approx(2)


def test_noisy_guesses_count_by_their_signal_but_no_less_than_the_floor(eye):
    rival, x0 = adversary(floor=0.25), textures(2)
    clear, noisy, floored = (parts(rival, eye, x0, x0, alpha=alpha) for alpha in (1.0, 0.8, 0.1))
    assert torch.allclose(noisy["adversarial"], 0.64 * clear["adversarial"])
    assert torch.allclose(floored["adversarial"], 0.25 * clear["adversarial"])
    assert torch.equal(noisy["critic"], clear["critic"])


def test_the_weight_rises_once_the_critic_has_learnt_a_little():
    term = AdversarialTerm(weight=0.1, warmup_images=100)
    assert [term.weight_at(seen) for seen in (0, 100, 150, 200, 900)] == pytest.approx([0, 0, 0.05, 0.1, 0.1])


def test_a_run_logs_it_and_is_the_plain_one_until_the_weight_rises(experiment, tmp_path):
    plain = experiment(images=40, task=Inpainting())
    without = list(train(plain, tmp_path / "without"))
    steps = list(train(dataclasses.replace(plain, adversarial=TERM), tmp_path / "with"))
    seen = [step.images_seen for step in steps]
    assert seen == [8, 16, 24, 32, 40]
    assert steps[0].parts["critic"] == pytest.approx(2, abs=0.7)  # it knows nothing: both hinges are about 1
    for one, other in list(zip(steps, without, strict=True))[:3]:
        assert one.parts["simple"] == other.parts["simple"]
    assert steps[4].parts["simple"] != without[4].parts["simple"]
    for step, before in zip(steps, (0, 8, 16, 24, 32), strict=True):
        more = TERM.weight_at(before) * step.parts["adversarial"]
        assert step.loss == pytest.approx(step.parts["simple"] + more, rel=1e-5)


def content(directory):
    path = newest_checkpoint(directory)
    return tensors_from_bytes(
        read_checkpoint(path, ["training.safetensors"])["training.safetensors"], "training.safetensors", path
    )


def test_a_run_that_was_stopped_goes_on_with_the_same_critic(experiment, tmp_path):
    whole = dataclasses.replace(experiment(images=48, task=Inpainting()), adversarial=TERM)
    list(train(whole, tmp_path / "once"))
    list(train(dataclasses.replace(whole, images=24), tmp_path / "stopped"))
    list(train(whole, tmp_path / "stopped", resume=True))
    once, again = content(tmp_path / "once"), content(tmp_path / "stopped")
    assert any(name.startswith("adversary.critic.") for name in once)
    assert any(name.startswith("adversary.optimizer.") for name in once)
    assert once.keys() == again.keys()
    for name, value in once.items():
        assert torch.equal(value, again[name]), name


def test_a_run_without_it_can_go_on_with_it_and_back(experiment, tmp_path):
    plain = experiment(images=24, task=Inpainting())
    list(train(plain, tmp_path / "run"))
    further = dataclasses.replace(plain, images=40, adversarial=TERM)
    first, second = train(further, tmp_path / "run", resume=True)
    assert first.parts["critic"] > 0
    for step in (first, second):  # the critic has seen too little yet, however long the run is
        assert step.loss == pytest.approx(step.parts["simple"], rel=1e-5)
    back = dataclasses.replace(plain, images=48)
    assert "critic" not in list(train(back, tmp_path / "run", resume=True))[-1].parts


def test_it_looks_at_rgb_only(experiment):
    plain = experiment()
    with pytest.raises(ValidationError, match="adversarial term looks at RGB pictures"):
        dataclasses.replace(plain, adversarial=TERM, data=dataclasses.replace(plain.data, channels=1))
