"""The DDPM rows of the dissertation's Table 3.1, with the hyper-parameters of Ho et al. 2020, appendix B.

Resampling is plain (Table 3.1, "Conv = False"). Expected, from the paper with convolutional resampling: FID 3.17 for
CIFAR-10 after 800,000 steps (10.6 hours on a TPU v3-8); none of these has been run to its end with this code yet.
"""

from dataclasses import replace

from ediffuser.data import CelebaHq, Cifar10
from ediffuser.diffusion.schedules import LinearBetas
from ediffuser.model import ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.tasks import AnyTask, Colorization, Inpainting, Unconditional
from ediffuser.training.ema import ConstantEma
from ediffuser.training.experiment import Experiment
from ediffuser.training.optimizer import Optimizer


def ddpm32() -> Experiment:
    """Unconditional CIFAR-10: `ediffuser train ddpm32 --data CIFAR --out RUN`."""
    network = UNetConfig(resolution=32, widths=(128, 256, 256, 256), blocks=(2, 2, 2, 2), attention=(16,), dropout=0.1)
    return Experiment(
        name="ddpm32",
        model=_model(network, Unconditional()),
        data=Cifar10(),
        images=102_400_000,  # 800,000 steps, 2,048 epochs
        batch=128,
        optimizer=Optimizer(learning_rate=2e-4, warmup_images=640_000),
        ema=ConstantEma(decay=0.9999),
        checkpoint_every=1_280_000,
    )


def ddpm32_color() -> Experiment:
    """Colorization of CIFAR-10: `ediffuser train ddpm32-color --data CIFAR --out RUN`."""
    return _for_task(ddpm32(), "ddpm32-color", Colorization())


def ddpm256() -> Experiment:
    """Unconditional CelebA-HQ at 256 pixels: `ediffuser train ddpm256 --data FACES --out RUN`."""
    network = UNetConfig(resolution=256, widths=(128, 128, 256, 256, 512, 512), blocks=(2,) * 6, attention=(16,))
    return Experiment(
        name="ddpm256",
        model=_model(network, Unconditional()),
        data=CelebaHq(),
        images=32_000_000,  # 500,000 steps
        batch=64,
        optimizer=Optimizer(learning_rate=2e-5, warmup_images=320_000),
        ema=ConstantEma(decay=0.9999),
        checkpoint_every=640_000,
    )


def ddpm256_inpaint() -> Experiment:
    """Inpainting of CelebA-HQ at 256 pixels: `ediffuser train ddpm256-inpaint --data FACES --out RUN`."""
    return _for_task(ddpm256(), "ddpm256-inpaint", Inpainting(hole_channel=False))


def _model(network: UNetConfig, task: AnyTask) -> ModelConfig:
    wider = replace(network, in_channels=3 + task.condition_channels)
    return ModelConfig(network=wider, schedule=LinearBetas(), task=task)


def _for_task(experiment: Experiment, name: str, task: AnyTask) -> Experiment:
    return replace(experiment, name=name, model=_model(experiment.model.network, task))
