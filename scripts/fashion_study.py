"""Every sampler on a model of Fashion-MNIST that was trained here, and its losses.

    python scripts/fashion_study.py RUNS/vpsde --out docs/assets

Writes a picture with a row for each sampler, all from the same start, and the figures as JSON, named as the recipe;
prints the tables. A picture counts as recognisable if a small classifier, trained first, is over 0.9 sure of its class.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from fashion_classifier import SURE, accuracy, sureness, trained_classifier
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn
from tyro.conf import Positional

import ediffuser
from ediffuser.cli.options import parse_component
from ediffuser.model import Model
from ediffuser.runtime.noise import Noise
from ediffuser.runtime.pixels import to_uint8
from ediffuser.samplers import AnySampler

DISCRETE = (
    "ancestral steps=100",
    "ancestral steps=100 variance=fixed_large",
    "ddim steps=25",
    "ddim steps=25 eta=1",
    "dpm_solver++ steps=15",
    "unipc steps=15",
)
CONTINUOUS = (
    "ancestral steps=200",
    "ddim steps=50",
    'predictor_corrector steps=200 predictor={"kind":"euler_maruyama"}',
    'predictor_corrector steps=200 predictor={"kind":"reverse_diffusion"}',
    'predictor_corrector steps=200 predictor={"kind":"ancestral_step"}',
    'predictor_corrector steps=200 corrector={"kind":"langevin"}',
    "probability_flow solver=rk23 tolerance=1e-3",
    "probability_flow solver=rk45 tolerance=1e-3",
    "probability_flow solver=dop853 tolerance=1e-3",
    "probability_flow solver=heun steps=25",
    "probability_flow solver=euler steps=100",
    "final_corrector",
    "dpm_solver steps=15",
    "dpm_solver++ steps=15",
    "dpm_solver++ steps=24 method=singlestep",
    "dpm_adaptive",
    "unipc steps=10",
)
SHOWN, SCALE, GAP_PX, FONT_PX, LABEL_PX = 12, 2, 2, 13, 560


@dataclass(frozen=True)
class Study:
    """What is studied.

    Attributes:
        run: Run directory of one of the recipes `fashion32-...`.
        out: Folder of the picture and the figures.
        data: Folder with the files of Fashion-MNIST.
        classifier: Where the classifier is kept from one study to the next.
        count: Pictures of each sampler.
    """

    run: Positional[Path]
    out: Path = Path("docs/assets")
    data: str = "/usr/share/datasets/fashion-mnist"
    classifier: Path | None = None
    count: int = 64


@dataclass(frozen=True)
class Sampled:
    """What a sampler made."""

    sampler: str
    calls: float
    seconds: float
    recognisable: float
    pictures: Tensor


def main(study: Study) -> None:
    """Samples, measures, prints and writes."""
    model, name = ediffuser.load(study.run), json.loads((study.run / "experiment.json").read_text())["name"]
    classifier = trained_classifier(study.data, study.classifier)
    judged = judge(classifier, study.data)
    print("| sampler | calls | s | recognisable |\n|---|---|---|---|")
    rows = []
    for sampler in DISCRETE if hasattr(model.config.schedule, "steps") else CONTINUOUS:
        rows.append(sampled(model, sampler, classifier, study.count))
        row = rows[-1]
        print(f"| `{row.sampler}` | {row.calls:.0f} | {row.seconds:.1f} | {row.recognisable:.2f} |", flush=True)
    sheet(rows).save(study.out / f"{name}.png", optimize=True)
    figures = {
        "loss": losses(study.run),
        "classifier": judged,
        "samplers": [{key: value for key, value in vars(row).items() if key != "pictures"} for row in rows],
    }
    (study.out / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")


def judge(classifier: nn.Module, data: str) -> dict[str, float]:
    """How good the classifier is, and how often it is sure of real pictures and of noise."""
    right, sure = accuracy(classifier, data)
    noise = torch.rand(1000, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    of_noise = (sureness(classifier, noise) > SURE).float().mean().item()
    print(
        f"classifier: {right:.3f} right on test pictures, sure of {sure:.3f} of them and of {of_noise:.3f} of noise\n"
    )
    return {"right": right, "sure_of_real": sure, "sure_of_noise": of_noise}


def sampled(model: Model, text: str, classifier: nn.Module, count: int) -> Sampled:
    """Pictures 0 ... count - 1 of seed 0, as `ediffuser.generate` makes them, and what they cost."""
    sampler, noise = parse_component(text, AnySampler, "sampler"), Noise.rows(0, range(count), model.device)
    started = time.perf_counter()
    with torch.no_grad():
        start = model.config.schedule.sigma(torch.ones(())).float() * noise.normal(model.shape)
        *_, last = sampler.trajectory(model.denoiser, start, noise)
    seconds = time.perf_counter() - started
    pictures = last.x.clamp(-1, 1)
    sure = (sureness(classifier, pictures) > SURE).float().mean().item()
    return Sampled(text, last.calls.double().mean().item(), seconds, sure, to_uint8(pictures))


def losses(run: Path) -> dict[str, float]:
    """Means of the training loss over the run's second and last twentieths; the first holds the start."""
    values = np.array([json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()])
    part = len(values) // 20
    return {"early": values[part : 2 * part].mean().item(), "late": values[-part:].mean().item()}


def sheet(rows: list[Sampled]) -> Image.Image:
    """One row for each sampler: its name, then its first pictures."""
    side = 32 * SCALE + GAP_PX
    image = Image.new("RGB", (LABEL_PX + SHOWN * side, len(rows) * side), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(FONT_PX)
    for number, row in enumerate(rows):
        label = f"{row.sampler}: {row.calls:.0f} calls, {row.recognisable:.2f} sure"
        pen.text((GAP_PX, number * side + side // 2), label, "black", font, anchor="lm")
        for column, picture in enumerate(row.pictures[:SHOWN]):
            pixels = Image.fromarray(picture[0].cpu().numpy()).resize(
                (32 * SCALE, 32 * SCALE), Image.Resampling.NEAREST
            )
            image.paste(pixels, (LABEL_PX + column * side, number * side))
    return image


if __name__ == "__main__":
    main(tyro.cli(Study))
