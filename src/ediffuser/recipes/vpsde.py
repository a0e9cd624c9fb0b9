"""The VPSDE rows of the dissertation's Table 3.1, with the hyper-parameters of Song et al. 2021, appendices G and H.

Time is continuous and resampling convolutional; `weighting` is the simple one, `LikelihoodWeight()` the other.
Expected, from the paper's DDPM++ cont. (deep, VP): FID 2.41 for CIFAR-10 after 1,300,000 steps. The `-trained` recipes
are what the dissertation proposes and does not try: networks that are given the task's condition instead of being
repurposed. None of these has been run to its end with this code yet.
"""

from dataclasses import replace

from ediffuser.data import CelebaHq, Cifar10, DataSet, ImageFolder
from ediffuser.diffusion.schedules import VariancePreserving
from ediffuser.model import ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.recipes.ddpm import ddpm256
from ediffuser.tasks import AnyTask, Colorization, Inpainting, Unconditional
from ediffuser.training.ema import ConstantEma
from ediffuser.training.experiment import Experiment
from ediffuser.training.optimizer import Optimizer
from ediffuser.training.times import UniformTimes


def vpsde32() -> Experiment:
    """Unconditional CIFAR-10, 8 blocks a level: `ediffuser train vpsde32 --data CIFAR --out RUN`."""
    network = UNetConfig(
        resolution=32,
        widths=(128, 256, 256, 256),
        blocks=(8, 8, 8, 8),
        attention=(16,),
        dropout=0.1,
        convolutional_resampling=True,
    )
    return Experiment(
        name="vpsde32",
        model=_model(network, Unconditional()),
        data=Cifar10(),
        images=166_400_000,  # 1,300,000 steps
        batch=128,
        optimizer=Optimizer(learning_rate=2e-4, warmup_images=640_000),
        ema=ConstantEma(decay=0.9999),
        times=UniformTimes(t_min=1e-5),
        checkpoint_every=1_280_000,
    )


def vpsde32_color_trained() -> Experiment:
    """Colorization of CIFAR-10: `ediffuser train vpsde32-color-trained --data CIFAR --out RUN`."""
    return _for_task(vpsde32(), "vpsde32-color-trained", Colorization())


def vpsde256() -> Experiment:
    """Unconditional CelebA-HQ at 256 pixels, 2 blocks a level: `ediffuser train vpsde256 --data FACES --out RUN`."""
    network = replace(ddpm256().model.network, convolutional_resampling=True)
    return _faces("vpsde256", network, Unconditional(), CelebaHq(), batch=64, learning_rate=2e-5)


def vpsde256_inpaint_trained() -> Experiment:
    """Inpainting of CelebA-HQ at 256 pixels: `ediffuser train vpsde256-inpaint-trained --data FACES --out RUN`."""
    return _for_task(vpsde256(), "vpsde256-inpaint-trained", Inpainting(hole_channel=False))


def vpsde128_inpaint_trained() -> Experiment:
    """Inpainting of faces at 128 pixels: `ediffuser train vpsde128-inpaint-trained --data FACES --out RUN`."""
    network = UNetConfig(
        resolution=128,
        widths=(128, 128, 256, 256, 512),
        blocks=(2, 2, 2, 2, 2),
        attention=(16,),
        convolutional_resampling=True,
    )
    task, data = Inpainting(hole_channel=False), ImageFolder(resolution=128)
    return _faces("vpsde128-inpaint-trained", network, task, data, batch=64, learning_rate=1e-4)


def _faces(
    name: str, network: UNetConfig, task: AnyTask, data: DataSet, *, batch: int, learning_rate: float
) -> Experiment:
    return Experiment(
        name=name,
        model=_model(network, task),
        data=data,
        images=32_000_000,  # 500,000 steps
        batch=batch,
        optimizer=Optimizer(learning_rate=learning_rate, warmup_images=320_000),
        ema=ConstantEma(decay=0.9999),
        times=UniformTimes(t_min=1e-5),
        checkpoint_every=640_000,
    )


def _model(network: UNetConfig, task: AnyTask) -> ModelConfig:
    wider = replace(network, in_channels=3 + task.condition_channels)
    return ModelConfig(network=wider, schedule=VariancePreserving(), task=task, time_input="continuous")


def _for_task(experiment: Experiment, name: str, task: AnyTask) -> Experiment:
    return replace(experiment, name=name, model=_model(experiment.model.network, task))
