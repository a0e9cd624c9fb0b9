"""The remedy: a group that the data have few pictures of is drawn more often, and the model makes more of it."""

import numpy as np
import pytest
from PIL import Image

from ediffuser.data import GroupShares, ImageFolder
from ediffuser.evaluation.shares import compare_shares
from ediffuser.generate import generate, load
from ediffuser.runtime.checkpoint import newest_checkpoint
from ediffuser.runtime.component import from_json, to_json
from ediffuser.runtime.errors import BadInputError
from ediffuser.samplers import Ddim
from ediffuser.tasks import Inpainting
from ediffuser.training import Experiment, train
from ediffuser.training.optimizer import Optimizer

pytestmark = pytest.mark.integration

DARK, BRIGHT = 45, 5


@pytest.fixture
def faces(tmp_path):
    """Fifty pictures of one tone, a tenth of them bright, and the table that says which."""
    folder, random = tmp_path / "faces", np.random.default_rng(0)
    folder.mkdir()
    lines = ["image_id,Bright"]
    for number in range(DARK + BRIGHT):
        bright = number >= DARK
        tone = (200 if bright else 55) + random.integers(-12, 13)
        Image.fromarray(np.full((8, 8, 3), tone, np.uint8)).save(folder / f"{number:03d}.png")
        lines.append(f"{number:03d}.jpg,{1 if bright else -1}")
    (tmp_path / "groups.csv").write_text("\n".join(lines))
    return ImageFolder(path=str(folder), resolution=8)


@pytest.fixture
def shares(tmp_path):
    return lambda **settings: GroupShares(path=str(tmp_path / "groups.csv"), columns=("Bright",), **settings)


def bright_samples(plan, directory, count=300):
    """How many of the pictures that a model makes after this training are bright."""
    *_, last = train(plan, directory, device="cpu")
    pictures = generate(load(last.checkpoint, device="cpu"), count=count, sampler=Ddim(steps=20), batch=count)
    return int((pictures.mean((1, 2, 3)) > 0).sum())


def test_training_with_other_shares_makes_samples_with_other_shares(experiment, faces, shares, tmp_path):
    settings = {
        "dropout": 0.0,
        "data": faces,
        "images": 6_400,
        "batch": 32,
        "optimizer": Optimizer(learning_rate=4e-3),
    }
    as_they_are = bright_samples(experiment(**settings), tmp_path / "plain")
    alike = bright_samples(experiment(**settings, order=shares()), tmp_path / "alike")
    found = compare_shares(("Bright", "not Bright"), (as_they_are, 300 - as_they_are), (alike, 300 - alike))
    assert as_they_are / 300 < 0.25
    assert 0.35 < alike / 300 < 0.65
    assert found.rows[0].low > 0.2
    assert found.p < 1e-6


def test_a_run_with_shares_that_was_stopped_ends_like_one_that_was_not(experiment, faces, shares, tmp_path):
    plan = experiment(
        Inpainting(),
        data=faces,
        images=48,
        checkpoint_every=16,
        order=shares(shares={"Bright": 0.3, "not Bright": 0.7}),
    )
    whole = list(train(plan, tmp_path / "whole", device="cpu"))
    before = []
    for step in train(plan, tmp_path / "stopped", device="cpu"):
        before.append(step)
        if step.images_seen == 24:
            break
    after = list(train(plan, tmp_path / "stopped", resume=True, device="cpu"))
    assert [step.loss for step in before[:2] + after] == [step.loss for step in whole]
    files = [newest_checkpoint(tmp_path / run) / "model.safetensors" for run in ("whole", "stopped")]
    assert files[0].read_bytes() == files[1].read_bytes()
    other = list(train(experiment(Inpainting(), data=faces, images=48), tmp_path / "plain", device="cpu"))
    assert other[0].loss != whole[0].loss


def test_an_experiment_of_before_orders_had_a_name_is_that_of_epochs(experiment):
    plan = experiment()
    text = to_json(plan, Experiment)
    before = text.replace(',\n  "order": {\n    "kind": "epochs"\n  }', "")
    assert before != text
    assert from_json(before, Experiment) == plan


def test_a_table_that_lacks_a_picture_is_said_before_anything_is_written(experiment, faces, shares, tmp_path):
    (tmp_path / "groups.csv").write_text("image_id,Bright\n000.png,1\n")
    with pytest.raises(BadInputError, match=r"no line for 49 of 50 pictures, '001\.png' first"):
        next(train(experiment(data=faces, order=shares()), tmp_path / "run", device="cpu"))
    assert not (tmp_path / "run").exists()
