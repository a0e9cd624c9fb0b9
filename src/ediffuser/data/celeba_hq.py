"""CelebA-HQ: 30,000 aligned faces (Karras et al. 2018)."""

from typing import Annotated, Literal

from pydantic import Field

from ediffuser.data.files import open_files
from ediffuser.data.pictures import FilePictures, Pictures
from ediffuser.runtime.component import component


@component
class CelebaHq:
    """A folder or .zip of CelebA-HQ's files at any size, such as 256 or 1024 pixels, named by image number.

    There is no official partition: give the files of one split a folder or zip of their own. Faces are aligned and
    square already, so pictures are only resized. Always RGB.

    Attributes:
        path: The folder or the .zip.
        resolution: Side of the pictures in pixels.
        flip: Whether training mirrors every second picture.
    """

    kind: Literal["celeba_hq"] = "celeba_hq"
    path: str = ""
    resolution: Annotated[int, Field(gt=0)] = 256
    channels: Literal[3] = 3
    flip: bool = True

    def open(self) -> Pictures:
        """The pictures.

        Raises:
            BadInputError: If the path is missing, neither folder nor zip, or holds no images.
        """
        return FilePictures(open_files(self.path), self.resolution)
