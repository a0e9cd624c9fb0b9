"""What `ediffuser train` says before the first step, and what it refuses there."""

import numpy as np
import pytest
from PIL import Image

from ediffuser import cli
from ediffuser.cli.train import _notes, resolve
from ediffuser.data import Cifar10, ImageFolder
from ediffuser.recipes import RECIPES
from ediffuser.runtime.errors import BadInputError

SMALL = (
    *("model.network.widths=[8,8]", "model.network.blocks=[1,1]", "model.network.norm_groups=4"),
    *("model.network.attention=[]", "batch=4", "images=8"),
)


@pytest.fixture
def pictures(tmp_path):
    """Two folders of pictures, one of which has another in it."""
    for name in ("data/1.png", "data/2.png", "data/more/3.png", "others/4.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32)).save(tmp_path / name)
    return tmp_path


def test_how_many_pictures_there_are_is_said(pictures, capsys):
    (pictures / "data" / "notes.txt").write_text("none")
    settings = [word for setting in SMALL for word in ("--set", setting)]
    place = ["--data", str(pictures / "data"), "--out", str(pictures / "run"), "--device", "cpu"]
    cli.main(["train", "ddpm32", *place, *settings])
    lines = capsys.readouterr().out.splitlines()
    assert f"3 pictures in {pictures / 'data'}, 1 other file passed over" in lines
    assert sum("of the averaged weights" in line for line in lines) == 1


@pytest.mark.parametrize(
    ("data", "held_out"), [("data", "data"), ("data", "data/more"), ("data/more", "data"), ("data", "others/../data")]
)
def test_held_out_pictures_that_would_be_trained_on_are_refused(pictures, data, held_out):
    with pytest.raises(
        BadInputError, match=r"held-out pictures in '.*' would be trained on, for the data are '.*': give"
    ):
        resolve("ddpm32", str(pictures / data), (), str(pictures / held_out))
    with pytest.raises(BadInputError, match="would be trained on"):
        resolve("ddpm32", str(pictures / data), (f"held_out.path={pictures / held_out}",), str(pictures / "others"))


def test_held_out_pictures_behind_a_link_to_the_data_are_refused(pictures):
    (pictures / "link").symlink_to(pictures / "data")
    with pytest.raises(BadInputError, match="would be trained on"):
        resolve("ddpm32", str(pictures / "data"), (), str(pictures / "link"))


def test_held_out_pictures_elsewhere_are_taken(pictures):
    experiment = resolve("ddpm32", str(pictures / "data"), (), str(pictures / "others"))
    assert experiment.held_out == ImageFolder(path=str(pictures / "others"), resolution=32)


def test_a_data_set_with_an_official_split_may_be_held_out_from_itself(tmp_path):
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        np.zeros(3073, np.uint8).tofile(tmp_path / name)
    experiment = resolve("ddpm32", str(tmp_path), (), str(tmp_path))
    assert experiment.data == Cifar10(path=str(tmp_path))
    assert experiment.held_out == Cifar10(path=str(tmp_path), split="test")


@pytest.mark.parametrize(
    ("recipe", "settings", "wanted"),
    [
        ("inpaint-photos128", (), "sample_every or evaluate_every"),
        ("inpaint-photos128", ("sample_every=16000",), None),
        ("inpaint-photos128", ("evaluate_every=16000",), None),
        ("cifar32-small-ddpm", ("sample_every=16000",), "evaluate_every"),
        ("cifar32-small-ddpm", ("evaluate_every=16000",), None),
    ],
)
def test_held_out_pictures_that_nobody_looks_at_are_worth_a_word(pictures, recipe, settings, wanted):
    notes = list(_notes(resolve(recipe, str(pictures / "data"), settings, str(pictures / "others"))))
    sentence = f"nobody looks at the held-out pictures of this run: set {wanted}, such as --set evaluate_every=64000"
    assert notes == ([sentence] if wanted else [])
    assert list(_notes(resolve(recipe, str(pictures / "data"), settings))) == []


@pytest.mark.parametrize(("steps", "share"), [(100, "99%"), (10_000, "37%"), (29_000, "6%"), (31_000, None)])
def test_a_run_too_short_for_its_average_is_worth_a_word(pictures, steps, share):
    settings = (f"images={128 * steps}",)
    notes = list(_notes(resolve("ddpm32", str(pictures / "data"), settings)))
    assert len(notes) == (share is not None)
    assert all(f"after {steps} steps {share} of the averaged weights" in note for note in notes)
    power = (*settings, 'ema={"kind": "power"}')  # what the sentence says to set
    assert list(_notes(resolve("ddpm32", str(pictures / "data"), power))) == []


@pytest.mark.parametrize("name", RECIPES)
def test_no_recipe_is_worth_a_word_as_it_is(name):
    assert list(_notes(RECIPES[name]())) == []
