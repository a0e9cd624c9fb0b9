"""A folder or a zip of photographs: the usual way to bring one's own data."""

from typing import Annotated, Literal

from pydantic import Field

from ediffuser.data.files import open_files
from ediffuser.data.pictures import FilePictures, Pictures
from ediffuser.runtime.component import component


@component
class ImageFolder:
    """JPEG, PNG and WebP files in a folder, its subfolders included, or in a .zip, sorted by name.

    The shorter side is resized to the resolution (Lanczos, upwards too) and the centre cropped. Where files lie in two
    or more folders, the folder's name is the class.

    Attributes:
        path: The folder or the .zip.
        resolution: Side of the pictures in pixels.
        channels: 3 for RGB, 1 for luma.
        flip: Whether training mirrors every second picture.
    """

    kind: Literal["image_folder"] = "image_folder"
    path: str = ""
    resolution: Annotated[int, Field(gt=0)] = 128
    channels: Literal[1, 3] = 3
    flip: bool = True

    def open(self) -> Pictures:
        """The pictures.

        Raises:
            BadInputError: If the path is missing, neither folder nor zip, or holds no images.
        """
        return FilePictures(open_files(self.path), self.resolution, self.channels)
