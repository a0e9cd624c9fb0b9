"""A study of networks of 8 x 8 cells that are trained in a second."""

import numpy as np
from PIL import Image

from ediffuser.data import ImageFolder
from ediffuser.diffusion.losses import Hybrid
from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.model import ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.samplers import Ancestral, Ddim
from ediffuser.studies.claims import Claim, Comparison
from ediffuser.studies.inputs import Inputs
from ediffuser.studies.study import Cell, Study, Table, TrainedModel
from ediffuser.tasks import Colorization, Unconditional
from ediffuser.training import Experiment

COUNT, IMAGES, BATCH, SIDE = 8, 160, 8, 32  # perceptual distances begin at 32 pixels


def model(label, learned, seed=0, task=Colorization()):  # noqa: B008
    network = UNetConfig(
        resolution=SIDE,
        patch=4,
        in_channels=3 + task.condition_channels,
        out_channels=6 if learned else 3,
        widths=(32,),
        blocks=(1,),
        attention=(),
    )
    config = ModelConfig(network=network, schedule=CosineBetas(steps=10), task=task, learned_variance=learned)
    settings = {"objective": Hybrid()} if learned else {}
    experiment = Experiment(
        name=f"tiny-{label.lower()}",
        model=config,
        data=ImageFolder(resolution=SIDE),
        images=IMAGES,
        batch=BATCH,
        checkpoint_every=IMAGES // 4,
        precision="float32",
        seed=seed,
        **settings,
    )
    return TrainedModel(label, experiment, "cifar10")


def cell(of, sampler, label, nfe, **more):
    return Cell(of, "colorization", sampler, label, nfe, COUNT, **more)


def study():
    fixed, learned = model("DDPM", False), model("LVDDPM", True)
    few = cell(fixed, Ddim(steps=2), "2 steps", 2, published="25")
    more = cell(fixed, Ddim(steps=4), "4 steps", 4, published="50")
    other = cell(learned, Ancestral(steps=2), "2 steps", 2)
    comparison = Comparison("2 steps", (((other.name,), (few.name,)),), ("PSNR",))
    return Study(
        name="tiny",
        size="small",
        title="Tiny & <quick>",
        question="Does it go on?",
        tables=(Table("DDIM", (few, more), "4.13"), Table("LVDDPM", (other,))),
        claims=(Claim("Learned variances are better", "4.2", (comparison,)),),
        literature=("4.23",),
    )


def of_nothing():
    """One model of pictures from nothing, with its likelihood."""
    free = Cell(model("Free", False, task=Unconditional()), "generation", Ancestral(steps=2), "2", 2, COUNT, nll="vlb")
    return Study("free", "small", "Free", "?", (Table("DDPM", (free,)),))


def inputs(folder):
    """Random pictures to train on and to judge by."""
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        (folder / part).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / part / f"{number:02d}.png")
    return Inputs({"cifar10": str(folder / "train")}, {"cifar10": str(folder / "test")})
