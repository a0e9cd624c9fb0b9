"""Denoising diffusion models for images: train, generate, inpaint, colorize, evaluate, edit."""

from typing import TYPE_CHECKING

from ediffuser.runtime.lazy import lazy_names

if TYPE_CHECKING:
    from ediffuser.generate import colorize, generate, inpaint, load
    from ediffuser.model import Model
    from ediffuser.samplers import Ancestral, Ddim
else:  # the type checker and editors see the imports above; at run time PyTorch waits until it is needed
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Ancestral": "ediffuser.samplers",
            "Ddim": "ediffuser.samplers",
            "Model": "ediffuser.model",
            "colorize": "ediffuser.generate",
            "generate": "ediffuser.generate",
            "inpaint": "ediffuser.generate",
            "load": "ediffuser.generate",
        },
    )

__all__ = ["Ancestral", "Ddim", "Model", "colorize", "generate", "inpaint", "load"]
