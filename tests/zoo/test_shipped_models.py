"""The shipped models: small enough, described, intact, and able to paint."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ediffuser
from ediffuser import zoo
from ediffuser.editing import inpaint_photo
from ediffuser.runtime.checkpoint import MANIFEST

EXAMPLES = Path(__file__).parents[2] / "examples"
ENTRIES = zoo.entries()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_shipped_model_is_intact_small_and_has_a_card(entry):
    model = ediffuser.load(entry.name, device="cpu")
    assert sum(path.stat().st_size for path in entry.path.iterdir()) <= 40_000_000
    assert model.config.network.resolution == 128
    for said in (
        "## Data",
        "## Recipe",
        "## Held-out figures",
        "## Limits",
        "non-commercial",
        "images seen",
        "seconds",
    ):
        assert said in entry.card
    assert entry.summary.endswith(".")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_card_names_every_ratio_that_was_measured(entry):
    assert entry.figures
    for figures in entry.figures.values():
        model = {(one["name"], one["group"]): one for one in figures["figures"] if one["method"] == "model"}
        for hole in ("thin", "brush", "box", "half", "mixed"):
            assert model["ST-LPIPS", hole]["count"] >= 200
        for verdict in figures["verdicts"]:
            assert verdict["ratio"] is None or f"{verdict['ratio']:.2f}" in entry.card, verdict


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_figures_are_those_of_the_weights_that_are_shipped(entry):
    shipped = json.loads((entry.path / MANIFEST).read_text())["sha256"]["model.safetensors"]
    assert {figures["context"]["model_sha256"] for figures in entry.figures.values()} == {shipped}
    assert shipped[:12] in entry.card


def test_photos_128_paints_the_example_and_touches_nothing_else():
    photo, mask = EXAMPLES / "astronaut.png", EXAMPLES / "astronaut-mask.png"
    first, second = inpaint_photo(
        ediffuser.load("photos-128"), photo, mask, variations=2, sampler=ediffuser.Ddim(steps=10)
    )
    with Image.open(photo) as image, Image.open(mask) as drawn:
        before, hole = np.asarray(image.convert("RGB")), np.asarray(drawn.convert("L")) >= 128
    for result in (first, second):
        assert np.array_equal(np.asarray(result)[~hole], before[~hole])
        inside = np.asarray(result)[hole].astype(float)
        # Something like skin: neither black nor white, and not the photo.
        assert 60 < inside.mean() < 220
        assert np.abs(inside - before[hole]).mean() > 3
    assert np.abs(np.asarray(first)[hole].astype(float) - np.asarray(second)[hole]).mean() > 1
