"""Recipes: an experiment is a Python function; a new one is a file here and its name in the table."""

from collections.abc import Callable, Mapping

from ediffuser.recipes.ddpm import ddpm32, ddpm32_color, ddpm256, ddpm256_inpaint
from ediffuser.recipes.fashion import fashion32_ddpm, fashion32_lvddpm, fashion32_vpsde
from ediffuser.recipes.inpaint_faces128 import inpaint_faces128
from ediffuser.recipes.vpsde import (
    vpsde32,
    vpsde32_color_trained,
    vpsde128_inpaint_trained,
    vpsde256,
    vpsde256_inpaint_trained,
)
from ediffuser.training.experiment import Experiment

RECIPES: Mapping[str, Callable[[], Experiment]] = {
    "ddpm32": ddpm32,
    "ddpm32-color": ddpm32_color,
    "ddpm256": ddpm256,
    "ddpm256-inpaint": ddpm256_inpaint,
    "fashion32-ddpm": fashion32_ddpm,
    "fashion32-lvddpm": fashion32_lvddpm,
    "fashion32-vpsde": fashion32_vpsde,
    "inpaint-faces128": inpaint_faces128,
    "vpsde32": vpsde32,
    "vpsde32-color-trained": vpsde32_color_trained,
    "vpsde128-inpaint-trained": vpsde128_inpaint_trained,
    "vpsde256": vpsde256,
    "vpsde256-inpaint-trained": vpsde256_inpaint_trained,
}

__all__ = ["RECIPES"]
