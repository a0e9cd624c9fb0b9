"""Recipes: an experiment is a Python function; a new one is a file here and its name in the table."""

from collections.abc import Callable, Mapping

from ediffuser.recipes.ddpm import ddpm32, ddpm32_color, ddpm256, ddpm256_inpaint
from ediffuser.recipes.fashion import fashion32_ddpm, fashion32_lvddpm, fashion32_vpsde
from ediffuser.recipes.inpaint128 import inpaint_faces128, inpaint_photos128
from ediffuser.recipes.lvddpm import (
    lvddpm32,
    lvddpm32_1k,
    lvddpm32_1k_color,
    lvddpm32_color,
    lvddpm32_linear_simple,
    lvddpm32_linear_simple_color,
    lvddpm32_simple,
    lvddpm32_simple_color,
    lvddpm256,
    lvddpm256_inpaint,
)
from ediffuser.recipes.small import (
    cifar32_small_color_ddpm,
    cifar32_small_color_lvddpm,
    cifar32_small_color_lvddpm_simple,
    cifar32_small_color_vpsde,
    cifar32_small_ddpm,
    cifar32_small_lvddpm,
    cifar32_small_lvddpm_simple,
    cifar32_small_vpsde,
    faces64_small_ddpm,
    faces64_small_inpaint_ddpm,
    faces64_small_inpaint_lvddpm,
    faces64_small_inpaint_vpsde,
    faces64_small_lvddpm,
    faces64_small_vpsde,
)
from ediffuser.recipes.vpsde import (
    vpsde32,
    vpsde32_color_trained,
    vpsde128_inpaint_trained,
    vpsde256,
    vpsde256_inpaint_trained,
)
from ediffuser.training.experiment import Experiment

RECIPES: Mapping[str, Callable[[], Experiment]] = {
    "cifar32-small-color-ddpm": cifar32_small_color_ddpm,
    "cifar32-small-color-lvddpm": cifar32_small_color_lvddpm,
    "cifar32-small-color-lvddpm-simple": cifar32_small_color_lvddpm_simple,
    "cifar32-small-color-vpsde": cifar32_small_color_vpsde,
    "cifar32-small-ddpm": cifar32_small_ddpm,
    "cifar32-small-lvddpm": cifar32_small_lvddpm,
    "cifar32-small-lvddpm-simple": cifar32_small_lvddpm_simple,
    "cifar32-small-vpsde": cifar32_small_vpsde,
    "ddpm256": ddpm256,
    "ddpm256-inpaint": ddpm256_inpaint,
    "ddpm32": ddpm32,
    "ddpm32-color": ddpm32_color,
    "faces64-small-ddpm": faces64_small_ddpm,
    "faces64-small-inpaint-ddpm": faces64_small_inpaint_ddpm,
    "faces64-small-inpaint-lvddpm": faces64_small_inpaint_lvddpm,
    "faces64-small-inpaint-vpsde": faces64_small_inpaint_vpsde,
    "faces64-small-lvddpm": faces64_small_lvddpm,
    "faces64-small-vpsde": faces64_small_vpsde,
    "fashion32-ddpm": fashion32_ddpm,
    "fashion32-lvddpm": fashion32_lvddpm,
    "fashion32-vpsde": fashion32_vpsde,
    "inpaint-faces128": inpaint_faces128,
    "inpaint-photos128": inpaint_photos128,
    "lvddpm256": lvddpm256,
    "lvddpm256-inpaint": lvddpm256_inpaint,
    "lvddpm32": lvddpm32,
    "lvddpm32-1k": lvddpm32_1k,
    "lvddpm32-1k-color": lvddpm32_1k_color,
    "lvddpm32-color": lvddpm32_color,
    "lvddpm32-linear-simple": lvddpm32_linear_simple,
    "lvddpm32-linear-simple-color": lvddpm32_linear_simple_color,
    "lvddpm32-simple": lvddpm32_simple,
    "lvddpm32-simple-color": lvddpm32_simple_color,
    "vpsde128-inpaint-trained": vpsde128_inpaint_trained,
    "vpsde256": vpsde256,
    "vpsde256-inpaint-trained": vpsde256_inpaint_trained,
    "vpsde32": vpsde32,
    "vpsde32-color-trained": vpsde32_color_trained,
}

__all__ = ["RECIPES"]
