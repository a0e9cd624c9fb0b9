"""Pictures side by side, with labels that can be read."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

FONT_PX, GAP_PX, LABEL_PX = 16, 4, 72


def picture_grid(rows: Sequence[Sequence[Tensor]], columns: Sequence[str], labels: Sequence[str]) -> Image.Image:
    """A sheet of pictures of one size, a name above each column and one to the left of each row.

    Args:
        rows: uint8 RGB pictures of shape (3, H, W), as many in each row as there are columns.
        columns: Names of the columns, of about W / 9 letters at most.
        labels: Names of the rows, of about 8 letters at most.
    """
    height, width = rows[0][0].shape[-2:]
    down, across = height + GAP_PX, width + GAP_PX
    head = FONT_PX + 2 * GAP_PX
    sheet = Image.new("RGB", (LABEL_PX + across * len(columns), head + down * len(rows)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_PX)
    for column, name in enumerate(columns):
        pen.text((LABEL_PX + column * across + width // 2, head // 2), name, "black", font, anchor="mm")
    for row, (pictures, label) in enumerate(zip(rows, labels, strict=True)):
        top = head + row * down
        pen.text((GAP_PX, top + height // 2), label, "black", font, anchor="lm")
        for column, picture in enumerate(pictures):
            pixels = Image.fromarray(picture.permute(1, 2, 0).cpu().numpy())
            sheet.paste(pixels, (LABEL_PX + column * across, top))
    return sheet
