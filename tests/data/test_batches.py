from itertools import islice

import numpy as np
import pytest
import torch

from ediffuser.data import ImageFolder, batches
from ediffuser.data.pictures import ArrayPictures
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.pixels import from_uint8


@pytest.fixture
def pictures() -> ArrayPictures:
    return ArrayPictures(np.random.default_rng(0).integers(0, 256, (11, 3, 4, 4), np.uint8))


def test_a_batch_holds_the_pictures_it_names(pictures):
    batch = next(batches(pictures, seed=0, images_seen=30, batch=6, flip=False))
    assert batch.images.dtype == torch.float32
    assert batch.indices.dtype == batch.positions.dtype == torch.int64
    assert batch.positions.tolist() == list(range(30, 36))
    assert torch.equal(batch.images, from_uint8(pictures.batch(batch.indices.numpy())))


def test_some_pictures_are_mirrored_and_the_same_ones_again(pictures):
    def images(flip: bool) -> torch.Tensor:
        return next(batches(pictures, seed=0, images_seen=0, batch=11, flip=flip)).images

    plain, flipped = images(False), images(True)
    mirrored = [torch.equal(a, b.flip(-1)) for a, b in zip(flipped, plain, strict=True)]
    same = [torch.equal(a, b) for a, b in zip(flipped, plain, strict=True)]
    assert all(m != s for m, s in zip(mirrored, same, strict=True))
    assert 0 < sum(mirrored) < 11
    assert torch.equal(images(True), flipped)


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_share_out_the_global_batch(pictures, world):
    def run(batch: int, rank: int, world: int) -> list:
        return list(islice(batches(pictures, seed=3, images_seen=5, batch=batch, flip=True, rank=rank, world=world), 3))

    alone = run(8, 0, 1)
    ranks = [run(8 // world, rank, world) for rank in range(world)]
    for step, whole in enumerate(alone):
        assert torch.equal(torch.cat([rank[step].images for rank in ranks]), whole.images)
        assert torch.equal(torch.cat([rank[step].positions for rank in ranks]), whole.positions)


def test_resuming_continues_the_run(pictures):
    whole = list(islice(batches(pictures, seed=1, images_seen=0, batch=4, flip=True), 6))
    resumed = list(islice(batches(pictures, seed=1, images_seen=12, batch=4, flip=True), 3))
    for a, b in zip(whole[3:], resumed, strict=True):
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.indices, b.indices)


def test_damage_is_found_before_the_first_batch(photos):
    (photos / "b/3.webp").write_text("no picture")
    opened = ImageFolder(path=str(photos), resolution=8).open()
    with pytest.raises(BadInputError, match=r"b/3\.webp"):
        next(batches(opened, seed=0, images_seen=0, batch=1, flip=False))
