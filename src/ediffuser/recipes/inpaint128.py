"""Inpainters that two CPU cores can train: of aligned faces, and of any photos."""

from ediffuser.data import ImageFolder
from ediffuser.diffusion.losses import InverseVariance
from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.model import Framing, ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.tasks import Inpainting
from ediffuser.tasks.masks import Mixed
from ediffuser.training.ema import PowerEma
from ediffuser.training.experiment import Experiment
from ediffuser.training.optimizer import Optimizer
from ediffuser.training.times import AnyTimes, LogitNormalTimes, UniformTimes


def inpaint_faces128() -> Experiment:
    """Inpainting of faces at 128 pixels: `ediffuser train inpaint-faces128 --data FACES --out RUN`.

    The faces must be aligned, and a face that a hole touches in a photo is brought into the same place (`framing`).

    On one core of an AMD EPYC with bf16 10 images/s, so the whole run takes 11 hours. `faces-128` is a run of 130,016
    images that was annealed early, in 13,109 seconds; its card has the commands and what it reached.
    """
    return _inpaint128("inpaint-faces128", "aligned_faces", Inpainting(), UniformTimes())


def inpaint_photos128() -> Experiment:
    """Inpainting of anything at 128 pixels: `ediffuser train inpaint-photos128 --data PHOTOS --out RUN`.

    The network of `inpaint_faces128`, and so its time, with what trials found better since (docs/decisions/0010): a
    smooth fill under the hole, thin, small and half holes among the others, times drawn towards high noise. A
    perceptual term is better still, and needs the packages for figures: `--set 'perceptual={"weight": 0.1, "floor":
    0.25}'`. No run of it has been made to its end yet.
    """
    holes = Mixed(thin=0.1, small=0.1, half=0.05)
    times = LogitNormalTimes(mean=1, spread=1.6)
    return _inpaint128("inpaint-photos128", "free", Inpainting(holes=holes, fill="smooth"), times)


def _inpaint128(name: str, framing: Framing, task: Inpainting, times: AnyTimes) -> Experiment:
    """Four by four pixels make a cell, so the network works on 32 x 32.

    It predicts x_0, since with eps or v every cell would have to carry the noise of 48 numbers through the network (Li
    & He 2025).
    """
    network = UNetConfig(
        resolution=128,
        in_channels=7,
        patch=4,
        widths=(96, 160, 256),
        blocks=(1, 2, 2),
        attention=(16, 8),
        heads=4,
        scale_shift=True,
    )
    return Experiment(
        name=name,
        model=ModelConfig(
            network=network,
            schedule=CosineBetas(),
            task=task,
            parametrisation="x0",
            framing=framing,
        ),
        data=ImageFolder(resolution=128),
        images=400_000,
        batch=32,
        optimizer=Optimizer(
            kind="adamw",
            learning_rate=4e-4,
            betas=(0.9, 0.99),
            weight_decay=0.01,
            warmup_images=6_400,
            decay_fraction=0.3,
        ),
        ema=PowerEma(width=0.05),
        weighting=InverseVariance(sigma_min=0.25),
        times=times,
        checkpoint_every=16_000,
    )
