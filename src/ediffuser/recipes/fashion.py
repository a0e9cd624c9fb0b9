"""Small models of Fashion-MNIST that one processor core trains in an hour: to try methods on, and to compare them.

All see the same pictures as often and have the same network (two by two pixels make a cell), so what differs between
them is the method.
"""

from dataclasses import replace

from ediffuser.data import FashionMnist
from ediffuser.diffusion.denoiser import TimeInput
from ediffuser.diffusion.losses import Hybrid
from ediffuser.diffusion.schedules import AnySchedule, CosineBetas, VariancePreserving
from ediffuser.model import ModelConfig
from ediffuser.networks import UNetConfig
from ediffuser.tasks import Unconditional
from ediffuser.training.ema import PowerEma
from ediffuser.training.experiment import Experiment
from ediffuser.training.optimizer import Optimizer


def fashion32_ddpm() -> Experiment:
    """Fixed variances and the simple loss: `ediffuser train fashion32-ddpm --data CLOTHES --out RUN`."""
    return _experiment("fashion32-ddpm", CosineBetas())


def fashion32_lvddpm() -> Experiment:
    """Learned variances and the hybrid loss: `ediffuser train fashion32-lvddpm --data CLOTHES --out RUN`."""
    fixed = _experiment("fashion32-lvddpm", CosineBetas())
    network = replace(fixed.model.network, out_channels=2)
    return replace(fixed, model=replace(fixed.model, network=network, learned_variance=True), objective=Hybrid())


def fashion32_vpsde() -> Experiment:
    """Continuous time: `ediffuser train fashion32-vpsde --data CLOTHES --out RUN`."""
    return _experiment("fashion32-vpsde", VariancePreserving(), "continuous")


def _experiment(name: str, schedule: AnySchedule, time_input: TimeInput = "index") -> Experiment:
    network = UNetConfig(
        resolution=32,
        in_channels=1,
        out_channels=1,
        patch=2,
        widths=(64, 128, 128),
        blocks=(1, 1, 1),
        attention=(8,),
        heads=4,
        scale_shift=True,
    )
    return Experiment(
        name=name,
        model=ModelConfig(network=network, schedule=schedule, task=Unconditional(), time_input=time_input),
        data=FashionMnist(resolution=32),
        images=384_000,  # 6.4 epochs
        batch=64,
        optimizer=Optimizer(
            kind="adamw",
            learning_rate=5e-4,
            betas=(0.9, 0.99),
            weight_decay=0.01,
            warmup_images=12_800,
            decay_fraction=0.3,
        ),
        ema=PowerEma(width=0.05),
        checkpoint_every=19_200,
    )
