"""Uploads decoded in a process of their own: the same pictures and refusals, and nothing that crashes or hangs us."""

import os
import re
import time

import numpy as np
import pytest
from photo_files import cmyk_profile, encoded, exif, picture, srgb_profile
from PIL import Image
from test_photo_decode import REFUSED

from ediffuser.editing import Photo, PhotoError, decode_photo
from ediffuser.editing.child import (
    Limits,
    PhotoMeta,
    decode_in_child,
    decode_mask_in_child,
    load_mask,
    load_photo,
    save_mask,
    save_photo,
)


@pytest.fixture
def upload(tmp_path):
    """Writes an upload; its name and folder must not show in any message."""
    folder = tmp_path / "secret-folder"
    folder.mkdir()

    def write(content):
        (folder / "upload-4711").write_bytes(content)
        return folder / "upload-4711"

    return write


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "images").mkdir()
    return tmp_path / "images"


GOOD = {
    "png": (lambda: encoded(picture(), icc_profile=srgb_profile()), "png"),
    "rotated rgba webp": (lambda: encoded(picture(channels=4), "WEBP", exif=exif(6)), "webp"),
    "cmyk jpeg": (
        lambda: encoded(Image.fromarray(picture()).convert("CMYK"), "JPEG", icc_profile=cmyk_profile()),
        "jpeg",
    ),
    "progressive jpeg with a tail": (lambda: encoded(picture(), "JPEG", progressive=True) + b"PK\3\4<html>", "jpeg"),
}


@pytest.mark.parametrize("case", GOOD)
def test_same_picture_as_without_a_child(case, upload, directory):
    build, file_format = GOOD[case]
    content = build()
    expected = decode_photo(content)
    meta = decode_in_child(upload(content), directory)
    width, height = expected.size
    assert meta == PhotoMeta(width=width, height=height, alpha=expected.pixels.shape[2] == 4, format=file_format)
    photo = load_photo(directory)
    assert isinstance(photo.pixels, np.memmap)
    assert not photo.pixels.flags.writeable
    assert np.array_equal(photo.pixels, expected.pixels)
    assert photo.icc_profile == expected.icc_profile
    names = {"pixels.npy", "meta.json"} | ({"icc.bin"} if expected.icc_profile else set())
    assert {path.name for path in directory.iterdir()} == names


HOSTILE = ["empty", "text", "png cut", "jpeg cut", "0 x 0", "1 x 1", "144 megapixels", "profile of 70 MB"]
HOSTILE += ["text of 70 MB", "animated webp", "zip"]


@pytest.mark.parametrize("case", HOSTILE)
def test_refused_in_the_childs_words(case, upload, directory):
    build, kind = REFUSED[case]
    with pytest.raises(PhotoError) as caught:
        decode_in_child(upload(build()), directory, what="picture")
    assert caught.value.kind == kind
    sentence = str(caught.value)
    assert sentence.startswith("the picture ")
    assert not re.search(r"/|0x|secret|4711|\n|<", sentence)
    assert not (directory / "pixels.npy").exists()


def scans(content, count):
    """A progressive JPEG whose last scan is repeated."""
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * count + b"\xff\xd9"


def test_jpeg_of_a_thousand_scans(upload, directory):
    content = scans(encoded(picture(3000, 3000), "JPEG", progressive=True), 1000)
    start = time.monotonic()
    with pytest.raises(PhotoError, match="too much memory or time") as caught:
        decode_in_child(upload(content), directory)
    assert caught.value.kind == "too-expensive"
    assert time.monotonic() - start < 15


@pytest.mark.parametrize("limits", [{"cpu_seconds": 1}, {"wall_seconds": 0.5}])
def test_out_of_time(limits, upload, directory):
    content = scans(encoded(Image.new("RGB", (6000, 6000)), "JPEG", progressive=True, quality=20), 80)
    start = time.monotonic()
    with pytest.raises(PhotoError) as caught:
        decode_in_child(upload(content), directory, limits=Limits(**limits))
    assert caught.value.kind == "too-expensive"
    assert time.monotonic() - start < 60


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="only Linux enforces a limit of the address space")
def test_out_of_memory(upload, directory):
    content = encoded(Image.new("RGBA", (6000, 6000)), "PNG")
    with pytest.raises(PhotoError) as caught:
        decode_in_child(upload(content), directory, limits=Limits(memory_bytes=400 * 1024**2))
    assert caught.value.kind == "too-expensive"


@pytest.mark.parametrize(("name", "kind"), [("SEGV", "damaged"), ("ABRT", "damaged"), ("KILL", "too-expensive")])
def test_killed_child(name, kind, upload, directory, tmp_path, monkeypatch):
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\nulimit -c 0\nkill -{name} $$\n")
    fake.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(fake))
    with pytest.raises(PhotoError) as caught:
        decode_in_child(upload(b"x"), directory)
    assert caught.value.kind == kind


def test_a_fault_that_is_not_the_pictures(upload, directory, capfd):
    with pytest.raises(RuntimeError, match="status 1"):
        decode_in_child(upload(encoded(picture(200, 200))), directory, limits=Limits(file_bytes=1000))
    assert "OSError" in capfd.readouterr().err


def test_mask(upload, directory):
    hole = np.zeros((30, 41), bool)
    hole[3:9, 5:30] = True
    content = encoded(Image.fromarray(hole))
    assert np.array_equal(decode_mask_in_child(upload(content), directory, (41, 30)), hole)
    assert (directory / "mask.npy").stat().st_size < 128 + 30 * 41 / 8 + 1
    assert np.array_equal(load_mask(directory / "mask.npy", (41, 30)), hole)
    assert np.array_equal(decode_mask_in_child(upload(content), directory, (41, 30), invert=True), ~hole)
    for size, sentence in [((30, 41), "the mask is 41 x 30 pixels but .* 30 x 41"), ((42, 30), "is 42 x 30")]:
        with pytest.raises(PhotoError, match=sentence) as caught:
            decode_mask_in_child(upload(content), directory, size)
        assert caught.value.kind == "mask-size-mismatch"
    with pytest.raises(PhotoError) as caught:
        decode_mask_in_child(upload(encoded(Image.new("1", (41, 30)))), directory, (41, 30))
    assert caught.value.kind == "empty-mask"


def test_relative_paths(upload, directory, tmp_path, monkeypatch):
    path = upload(encoded(picture()))
    monkeypatch.chdir(tmp_path)
    decode_in_child(path.relative_to(tmp_path), directory.relative_to(tmp_path))
    assert load_photo(directory).size == (40, 30)


def test_written_and_read_again(tmp_path):
    photo = Photo(picture(channels=4), srgb_profile())
    save_photo(photo, tmp_path, "webp")
    again = load_photo(tmp_path)
    assert np.array_equal(again.pixels, photo.pixels)
    assert again.icc_profile == photo.icc_profile
    hole = np.random.default_rng(0).random((7, 13)) < 0.5
    save_mask(tmp_path / "mask.npy", hole)
    assert np.array_equal(load_mask(tmp_path / "mask.npy", (13, 7)), hole)
