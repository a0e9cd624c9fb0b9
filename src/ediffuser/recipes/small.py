"""The models of the small studies: those of the dissertation's Tables 3.1, 4.3 and 4.14 that one processor core trains.

All of one data set and task have the same network and see the same pictures as often, so what differs between them is
the method: betas (`ddpm` has linear ones as in the dissertation, `lvddpm-simple` cosine ones), then what is learned
(`lvddpm` is `lvddpm-simple` with variances and the hybrid loss), or time (`vpsde` is continuous). T is 1000 everywhere;
the dissertation's LVDDPM32 has 4000. The `vpsde` ones with a task are trained on it, which the dissertation proposes
and does not try.

Pictures of CIFAR-10 make cells of 2 x 2 pixels, faces at 64 pixels cells of 4 x 4, so that they cost as much. The
networks predict v. The noise of a cell, which is part of that, does not fit through its 32 channels (Li & He 2025): it
goes around them by the path of pixels. How this and the batch were chosen is in docs/decisions/0008-small-studies.md.

On one core of an AMD EPYC without bf16 about 75 images/s of CIFAR-10 and 62 of faces: 11 and 26 minutes a model.
"""

from dataclasses import replace

from ediffuser.data import ImageFolder
from ediffuser.diffusion.losses import Hybrid
from ediffuser.diffusion.schedules import AnySchedule, CosineBetas, LinearBetas, VariancePreserving
from ediffuser.model import ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.tasks import AnyTask, Colorization, Inpainting, Unconditional
from ediffuser.training.ema import PowerEma
from ediffuser.training.experiment import Experiment
from ediffuser.training.optimizer import Optimizer


def cifar32_small_ddpm() -> Experiment:
    """DDPM32 in small: `ediffuser train cifar32-small-ddpm --data CIFAR --out RUN`."""
    return _cifar("cifar32-small-ddpm", LinearBetas(), Unconditional())


def cifar32_small_lvddpm() -> Experiment:
    """LVDDPM32 in small: `ediffuser train cifar32-small-lvddpm --data CIFAR --out RUN`."""
    return _learned(_cifar("cifar32-small-lvddpm", CosineBetas(), Unconditional()))


def cifar32_small_lvddpm_simple() -> Experiment:
    """LVDDPM32Sim, which learns no variance: `ediffuser train cifar32-small-lvddpm-simple --data CIFAR --out RUN`."""
    return _cifar("cifar32-small-lvddpm-simple", CosineBetas(), Unconditional())


def cifar32_small_vpsde() -> Experiment:
    """VPSDE32 in small: `ediffuser train cifar32-small-vpsde --data CIFAR --out RUN`."""
    return _cifar("cifar32-small-vpsde", VariancePreserving(), Unconditional())


def cifar32_small_color_ddpm() -> Experiment:
    """DDPM32Colour in small: `ediffuser train cifar32-small-color-ddpm --data CIFAR --out RUN`."""
    return _cifar("cifar32-small-color-ddpm", LinearBetas(), Colorization())


def cifar32_small_color_lvddpm() -> Experiment:
    """LVDDPM32Colour in small: `ediffuser train cifar32-small-color-lvddpm --data CIFAR --out RUN`."""
    return _learned(_cifar("cifar32-small-color-lvddpm", CosineBetas(), Colorization()))


def cifar32_small_color_lvddpm_simple() -> Experiment:
    """LVSimColour in small: `ediffuser train cifar32-small-color-lvddpm-simple --data CIFAR --out RUN`."""
    return _cifar("cifar32-small-color-lvddpm-simple", CosineBetas(), Colorization())


def cifar32_small_color_vpsde() -> Experiment:
    """VPSDE trained on the task: `ediffuser train cifar32-small-color-vpsde --data CIFAR --out RUN`."""
    return _cifar("cifar32-small-color-vpsde", VariancePreserving(), Colorization())


def faces64_small_ddpm() -> Experiment:
    """DDPM256 in small: `ediffuser train faces64-small-ddpm --data FACES --out RUN`."""
    return _faces("faces64-small-ddpm", LinearBetas(), Unconditional())


def faces64_small_lvddpm() -> Experiment:
    """LVDDPM256 in small: `ediffuser train faces64-small-lvddpm --data FACES --out RUN`."""
    return _learned(_faces("faces64-small-lvddpm", CosineBetas(), Unconditional()))


def faces64_small_vpsde() -> Experiment:
    """VPSDE256 in small: `ediffuser train faces64-small-vpsde --data FACES --out RUN`."""
    return _faces("faces64-small-vpsde", VariancePreserving(), Unconditional())


def faces64_small_inpaint_ddpm() -> Experiment:
    """DDPM256Inpaint in small: `ediffuser train faces64-small-inpaint-ddpm --data FACES --out RUN`."""
    return _faces("faces64-small-inpaint-ddpm", LinearBetas(), Inpainting())


def faces64_small_inpaint_lvddpm() -> Experiment:
    """LVDDPM256Inpaint in small: `ediffuser train faces64-small-inpaint-lvddpm --data FACES --out RUN`."""
    return _learned(_faces("faces64-small-inpaint-lvddpm", CosineBetas(), Inpainting()))


def faces64_small_inpaint_vpsde() -> Experiment:
    """VPSDE trained on the task: `ediffuser train faces64-small-inpaint-vpsde --data FACES --out RUN`."""
    return _faces("faces64-small-inpaint-vpsde", VariancePreserving(), Inpainting())


def _cifar(name: str, schedule: AnySchedule, task: AnyTask) -> Experiment:
    return Experiment(
        name=name,
        model=ModelConfig(
            network=_network(32, 2, task),
            schedule=schedule,
            task=task,
            parametrisation="v",
            time_input="continuous" if isinstance(schedule, VariancePreserving) else "index",
        ),
        data=ImageFolder(resolution=32),
        images=48_000,
        batch=16,
        optimizer=Optimizer(
            kind="adamw",
            learning_rate=1e-3,
            betas=(0.9, 0.99),
            weight_decay=0.01,
            warmup_images=1_600,
            decay_fraction=0.3,
        ),
        ema=PowerEma(width=0.05),
        checkpoint_every=16_000,
    )


def _faces(name: str, schedule: AnySchedule, task: AnyTask) -> Experiment:
    small = _cifar(name, schedule, task)
    model = replace(small.model, network=_network(64, 4, task), framing="aligned_faces")
    optimizer = replace(small.optimizer, learning_rate=2e-3)
    return replace(small, model=model, data=ImageFolder(resolution=64), images=96_000, optimizer=optimizer)


def _network(resolution: int, patch: int, task: AnyTask) -> UNetConfig:
    return UNetConfig(
        resolution=resolution,
        in_channels=3 + task.condition_channels,
        patch=patch,
        pixel_width=8,
        widths=(32, 64, 64),
        blocks=(1, 1, 1),
        attention=(8,),
        heads=4,
        scale_shift=True,
    )


def _learned(experiment: Experiment) -> Experiment:
    """With the variance learned, by the hybrid loss."""
    network = replace(experiment.model.network, out_channels=6)
    model = replace(experiment.model, network=network, learned_variance=True)
    return replace(experiment, model=model, objective=Hybrid())
