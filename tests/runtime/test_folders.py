import pytest

from ediffuser.runtime import files
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.files import make_folder


@pytest.fixture
def synced(monkeypatch):
    """The folders whose names are brought to the disk."""
    folders = []
    monkeypatch.setattr(files, "sync_directory", folders.append)
    return folders


def test_a_new_folder_is_on_the_disk_with_all_above_it(tmp_path, synced):
    make_folder(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]


def test_a_folder_that_is_there_is_left(tmp_path, synced):
    make_folder(tmp_path)
    assert synced == []


def test_a_file_in_the_way_is_bad_input(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadInputError, match=f"cannot make the folder {folder}: .*; choose another --out"):
            make_folder(folder)
