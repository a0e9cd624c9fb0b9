import errno
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ediffuser.data import CelebaHq, ImageFolder, files, found, pictures
from ediffuser.runtime.errors import BadInputError


def open_at(path: Path, **fields):
    return ImageFolder(path=str(path), resolution=16, **fields).open()


def test_a_folder_and_its_zip_give_the_same_pictures_in_the_order_of_names(photos, photos_zip):
    folder, packed = open_at(photos), open_at(photos_zip)
    assert len(folder) == len(packed) == 4
    assert torch.equal(folder.batch(range(4)), packed.batch(range(4)))
    # Sorted as text: a/10.jpeg, a/deep/2.jpg, b/1.PNG, b/3.webp; PNG is lossless, so the third can be recognised.
    with Image.open(photos / "b/1.PNG") as image:
        alone = np.asarray(image)
    assert abs(folder.batch([2])[0].float().mean() - alone.mean()) < 2


def test_a_batch_is_uint8_in_the_order_asked_for(photos):
    opened = open_at(photos)
    batch = opened.batch([3, 0, 3])
    assert batch.dtype == torch.uint8
    assert batch.shape == (3, 3, 16, 16)
    assert torch.equal(batch[0], batch[2])
    assert torch.equal(batch, opened.batch(range(4))[[3, 0, 3]])
    assert open_at(photos, channels=1).batch(np.array([1])).shape == (1, 1, 16, 16)


def test_without_memory_for_a_cache_the_pictures_are_the_same(photos, monkeypatch):
    cached = open_at(photos)
    monkeypatch.setattr(pictures, "cache_budget_bytes", lambda: 0)
    decoded = open_at(photos)
    decoded.prepare()
    assert torch.equal(decoded.batch([2, 1]), cached.batch([2, 1]))


def test_changing_a_batch_does_not_change_the_cache(photos):
    opened = open_at(photos)
    opened.prepare()
    before = opened.batch([0])
    opened.batch([0]).zero_()
    assert torch.equal(opened.batch([0]), before)


def test_folders_are_classes(photos, photos_zip):
    for opened in (open_at(photos), open_at(photos_zip)):
        assert opened.classes == ("a", "b", "deep")
        assert opened.labels is not None
        assert opened.labels.tolist() == [0, 2, 1, 1]
    single = open_at(photos / "b")
    assert single.labels is None
    assert single.classes == ()


def test_celeba_hq_reads_the_same_files(photos):
    assert torch.equal(CelebaHq(path=str(photos), resolution=16).open().batch([0, 1]), open_at(photos).batch([0, 1]))


@pytest.mark.parametrize("packed", [False, True])
def test_a_set_without_images_is_refused(tmp_path, packed):
    where = tmp_path / "empty"
    where.mkdir()
    (where / "notes.txt").write_text("none")
    if packed:
        where = tmp_path / "empty.zip"
        with zipfile.ZipFile(where, "w") as archive:
            archive.writestr("notes.txt", "none")
    with pytest.raises(BadInputError, match=r"no JPEG, PNG or WebP in .*empty"):
        open_at(where)


def test_a_path_that_is_missing_or_of_another_kind_is_refused(tmp_path):
    with pytest.raises(BadInputError, match=r"there is no data set at '.*nowhere': give an existing folder or .zip"):
        open_at(tmp_path / "nowhere")
    with pytest.raises(BadInputError, match="has no path"):
        ImageFolder().open()
    (tmp_path / "set.tar").write_bytes(b"tar")
    with pytest.raises(BadInputError, match=r"set\.tar' is neither a folder nor a .zip"):
        open_at(tmp_path / "set.tar")


def test_a_truncated_zip_is_refused(photos_zip):
    photos_zip.write_bytes(photos_zip.read_bytes()[:-30])
    with pytest.raises(BadInputError, match=r"photos.zip' cannot be opened .* is it complete\?"):
        open_at(photos_zip)


def test_a_damaged_file_is_named(photos):
    (photos / "b/3.webp").write_text("no picture")
    opened = open_at(photos)
    assert opened.batch([0, 1, 2]).shape[0] == 3
    with pytest.raises(BadInputError, match=r"'b/3.webp' in '.*photos' is not a whole JPEG, .* \(unknown format\)"):
        opened.prepare()


@pytest.mark.parametrize("name", ["b/3.webp", "b/1.PNG", "a/10.jpeg"])
def test_a_truncated_file_is_named(photos, name):
    content = (photos / name).read_bytes()
    (photos / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(BadInputError, match=f"'{name}' in .* is not a whole JPEG, PNG or WebP file"):
        open_at(photos).prepare()


def test_a_flipped_bit_in_a_zip_is_found(photos_zip):
    with zipfile.ZipFile(photos_zip) as archive:
        start = archive.getinfo("b/1.PNG").header_offset
    content = bytearray(photos_zip.read_bytes())
    content[start + 200] ^= 1
    photos_zip.write_bytes(content)
    with pytest.raises(BadInputError, match=r"'b/1\.PNG' in '.*photos.zip'"):
        open_at(photos_zip).prepare()


def test_whatever_a_decoder_raises_names_the_file_and_only_memory_is_another_matter(photos, monkeypatch):
    def decoder(error):
        def decode(*_):
            raise error

        monkeypatch.setattr(pictures, "decode_square", decode)
        return open_at(photos)

    with pytest.raises(BadInputError, match=r"'b/1.PNG' in '.*photos' is not a whole .* \(object is not iterable\)"):
        decoder(TypeError("object is not iterable")).batch([2])
    with pytest.raises(MemoryError):
        decoder(MemoryError()).batch([2])


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(files, "READ_AGAIN_AFTER_S", (0, 0))


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EMFILE])
def test_a_disk_that_fails_for_a_moment_is_asked_again(photos, impatient, monkeypatch, number):
    expected, read, failures = open_at(photos).batch([2]), Path.read_bytes, [number, number]

    def failing(path):
        if failures:
            raise OSError(failures.pop(), "for a moment")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", failing)
    assert torch.equal(open_at(photos).batch([2]), expected)
    assert not failures


def test_a_file_that_cannot_be_read_is_named_and_not_said_to_be_damaged(photos, impatient):
    opened = open_at(photos)
    (photos / "b/3.webp").unlink()
    with pytest.raises(
        BadInputError, match=r"'b/3.webp' in '.*photos' cannot be read \(No such file or directory\): look"
    ):
        opened.batch([3])


def test_links_to_folders_are_followed_and_no_folder_is_entered_twice(photos, tmp_path):
    before = open_at(photos).names
    (tmp_path / "elsewhere" / "more").mkdir(parents=True)
    Image.new("RGB", (16, 16)).save(tmp_path / "elsewhere" / "more" / "9.png")
    (photos / "0-up").symlink_to(photos)  # a loop
    (photos / "a" / "twin").symlink_to(photos / "b")  # read before b itself, which has its own name all the same
    (photos / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(photos / "a")
    assert open_at(photos).names == (*before, "out/more/9.png")


def test_a_folder_that_cannot_be_read_is_named_and_a_hidden_one_not_asked_for(photos, monkeypatch):
    scan = os.scandir

    def scandir(folder):
        if Path(folder).name in ("deep", ".Trash"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    (photos / "b" / ".Trash").mkdir()
    assert len(open_at(photos / "b")) == 2
    with pytest.raises(
        BadInputError, match=r"the folder '.*photos/a/deep' cannot be read \(Permission denied\): allow"
    ):
        open_at(photos)


def test_how_many_pictures_are_found_and_what_is_passed_over(photos, photos_zip):
    (photos / "clip.mp4").write_text("a film")
    assert found(open_at(photos), "photos") == "4 pictures in photos, 2 other files passed over"
    assert found(open_at(photos_zip), "p.zip") == "4 pictures in p.zip, 1 other file passed over"
    assert found(open_at(photos / "b"), "b") == "2 pictures in b"
    assert found(pictures.ArrayPictures(np.zeros((3, 1, 2, 2), np.uint8)), "x") == "3 pictures in x"


def test_folders_in_a_zip_are_no_files_that_are_passed_over(photos, tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(photos / "b", "b/")
        archive.write(photos / "b/1.PNG", "b/1.PNG")
    assert found(open_at(tmp_path / "set.zip"), "x") == "1 picture in x"


@pytest.mark.parametrize(("path", "reason"), [("n" * 300, "File name too long"), ("~nobody-of-that-name/x", "home")])
def test_a_path_that_cannot_be_looked_at_is_bad_input(path, reason):
    with pytest.raises(
        BadInputError, match=f"the data set '{path}' cannot be looked at \\(.*{reason}.*\\): give an exist"
    ):
        ImageFolder(path=path).open()
