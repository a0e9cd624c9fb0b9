"""Choice of device and precision."""

import os
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import Literal

import torch

from ediffuser.runtime.errors import BadInputError

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
PrecisionName = Literal["auto", "float32", "bf16"]


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; `auto` is CUDA where there is one, else the CPU.

    Raises:
        BadInputError: If the device is not to be had on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BadInputError(f"device '{name}' cannot be used here; 'auto' or 'cpu' always can") from error
    return device


def choose_precision(name: PrecisionName = "auto", device: torch.device | str = "cpu") -> torch.dtype:
    """The dtype of the network's convolutions and matrix products; its weights and all else stay float32.

    `auto` is bf16 on CUDA and on processors with native bf16 instructions, else float32. In float32 on CUDA, torch lets
    convolutions use TF32 (10-bit mantissas) and matrix products not; neither is changed here.
    """
    if name == "float32":
        return torch.float32
    if name == "bf16":
        return torch.bfloat16
    if torch.device(device).type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if _cpu_has_bf16() else torch.float32


def tune(device: torch.device) -> None:
    """Sets the flags of torch's backends for work in which pictures of one size come again and again, as in training.

    On CUDA, cuDNN then tries its algorithms on the first of them. All else stays as torch has it.
    """
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True


def missing_compiler(device: torch.device) -> str | None:
    """Why torch.compile cannot work for this device: it calls a C++ compiler on a CPU, Triton and a C compiler on CUDA.

    Returns:
        What is missing, in words; None where all is there.
    """
    if device.type == "cuda":
        if find_spec("triton") is None:
            return "Triton is not installed"
        names = [os.environ.get("CC") or "gcc", "clang"]
    else:
        names = [os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")]
    if not any(shutil.which(name) for name in names):
        return f"there is no compiler here (no {names[0]} in the PATH)"
    return None


def _cpu_has_bf16() -> bool:
    # Public since torch 2.6 only as private names; absent on other architectures.
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe and probe())


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager:
    """Runs convolutions and matrix products in `precision`; norms, softmax and sums stay float32."""
    if precision == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=precision)
