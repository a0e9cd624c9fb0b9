"""Inpainters that two CPU cores can train: of any photos, and of aligned faces."""

from ediffuser.data import ImageFolder
from ediffuser.diffusion.losses import InverseVariance
from ediffuser.diffusion.schedules import CosineBetas
from ediffuser.model import Framing, ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.tasks import Inpainting
from ediffuser.tasks.masks import Mixed
from ediffuser.tasks.sharpening import Sharpening
from ediffuser.training.ema import PowerEma
from ediffuser.training.experiment import Experiment
from ediffuser.training.optimizer import Optimizer
from ediffuser.training.times import LogitNormalTimes


def inpaint_photos128() -> Experiment:
    """Inpainting of anything at 128 pixels: `ediffuser train inpaint-photos128 --data PHOTOS --out RUN`.

    What trials found (docs/decisions/0010): a smooth fill under the hole, thin, small and half holes among the others,
    times drawn towards high noise. A perceptual term is better still, and needs the packages for figures: `--set
    'perceptual={"weight": 0.1, "floor": 0.25}'`.

    On one core of an AMD EPYC with bf16 10 images/s, so the whole run takes 11 hours. `photos-128`, which is
    shipped, had less; its card has the commands and what it reached.
    """
    return _inpaint128("inpaint-photos128", "free")


def inpaint_faces128() -> Experiment:
    """Inpainting of faces at 128 pixels: `ediffuser train inpaint-faces128 --data FACES --out RUN`.

    The settings of `inpaint_photos128`, but the faces must be aligned, and a face that a hole touches in a photo is
    brought into the same place (`framing`).
    """
    return _inpaint128("inpaint-faces128", "aligned_faces")


def _inpaint128(name: str, framing: Framing) -> Experiment:
    """Four by four pixels make a cell, so the network works on 32 x 32.

    It predicts x_0, since with eps or v every cell would have to carry the noise of 48 numbers through the network (Li
    & He 2025). A path of pixels goes around the cells; it takes hardly any time.
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
        pixel_width=16,
    )
    return Experiment(
        name=name,
        model=ModelConfig(
            network=network,
            schedule=CosineBetas(),
            task=Inpainting(holes=Mixed(thin=0.1, small=0.1, half=0.05), fill="smooth"),
            parametrisation="x0",
            framing=framing,
            sharpening=Sharpening(),
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
        times=LogitNormalTimes(mean=1, spread=1.6),
        checkpoint_every=16_000,
    )
