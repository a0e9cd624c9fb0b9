"""Every row of the table of bad inputs, by its number, and the answer it gets."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from http_tools import HEIGHT, WIDTH, refused, submit
from photo_files import (
    SIGNATURE,
    chunk,
    cmyk_profile,
    encoded,
    exif,
    picture,
    png,
    png_16_bit,
    srgb_profile,
)
from PIL import Image

RANDOM = np.random.default_rng(0)


def upload(client, content, name="photo.png", media_type="image/png"):
    return client.post("/api/images", files={"image": (name, content, media_type)})


def stored_pixels(client, image, **query):
    answer = client.get(f"/api/images/{image}", params=query)
    assert answer.status_code == 200
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def header(width, height, crc=None):
    data = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    sum_ = zlib.crc32(data) if crc is None else crc
    rest = chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return SIGNATURE + struct.pack(">I", 13) + data + struct.pack(">I", sum_) + rest


def strip(width, height):
    return encoded(Image.new("RGB", (width, height)))


def many_scans(count):
    """A progressive JPEG whose last scan comes again and again."""
    content = encoded(picture(64, 64), "JPEG", progressive=True)
    start = content.rindex(b"\xff\xda")
    return content[:-2] + content[start:-2] * count + b"\xff\xd9"


def bomb(kind):
    """70 MB of zeros in a compressed note or profile."""
    packed = zlib.compress(bytes(70_000_000), 9)
    return png(WIDTH, HEIGHT, 8, 2, [bytes(3 * WIDTH)] * HEIGHT, chunk(kind, b"name\0\0" + packed))


def animated(file_format):
    frames = [Image.fromarray(picture(seed=seed)) for seed in range(3)]
    file = io.BytesIO()
    frames[0].save(file, file_format, save_all=True, append_images=frames[1:])
    return file.getvalue()


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.pkl", b"\x80\x02}q\x00.")
    return file.getvalue()


BAD_FILES = {
    "row-1-empty": (lambda: b"", 422, "empty-file"),
    "row-2-one-byte": (lambda: b"\x89", 415, "unsupported-format"),
    "row-2-text": (lambda: b"Not a picture at all.", 415, "unsupported-format"),
    "row-2-html": (lambda: b"<!doctype html><script>alert(1)</script>", 415, "unsupported-format"),
    "row-3-cut-png": (lambda: (whole := encoded(picture()))[: len(whole) // 2], 422, "damaged"),
    "row-4-cut-jpeg": (lambda: (whole := encoded(picture(), "JPEG"))[: len(whole) // 2], 422, "damaged"),
    "row-5-bad-crc": (lambda: header(40, 30, crc=1), 422, "damaged"),
    "row-6-zero-by-zero": (lambda: header(0, 0), 422, None),
    "row-6-zero-by-ten": (lambda: header(0, 10), 422, None),
    "row-7-one-pixel": (lambda: strip(1, 1), 422, "too-small"),
    "row-7-15-pixels": (lambda: strip(15, 15), 422, "too-small"),
    "row-8-strip": (lambda: strip(65_500, 1), 422, "too-small"),
    "row-8-long": (lambda: strip(16_385, 16), 422, "too-large"),
    "row-9-100000-squared": (lambda: header(100_000, 100_000), 422, "too-many-pixels"),
    "row-9-2-to-the-31": (lambda: header(2**31 - 1, 2**31 - 1), 422, "too-many-pixels"),
    "row-10-144-megapixels": (lambda: header(12_000, 12_000), 422, "too-many-pixels"),
    "row-16-many-scans": (lambda: many_scans(1000), 422, "too-expensive"),
    "row-20-text-bomb": (lambda: bomb(b"zTXt"), 422, None),
    "row-20-profile-bomb": (lambda: bomb(b"iCCP"), 422, None),
    "row-21-gif": (lambda: encoded(picture(), "GIF"), 415, "unsupported-format"),
    "row-21-animated-gif": (lambda: animated("GIF"), 415, "unsupported-format"),
    "row-22-apng": (lambda: animated("PNG"), 422, "animated"),
    "row-22-animated-webp": (lambda: animated("WEBP"), 422, "animated"),
    "row-24-heic": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), 415, "unsupported-format"),
    "row-24-avif": (lambda: b"\0\0\0\x1cftypavif\0\0\0\0mif1avif" + bytes(100), 415, "unsupported-format"),
    "row-24-tiff": (lambda: encoded(picture(), "TIFF"), 415, "unsupported-format"),
    "row-24-bmp": (lambda: encoded(picture(), "BMP"), 415, "unsupported-format"),
    "row-24-psd": (lambda: b"8BPS\0\1" + bytes(200), 415, "unsupported-format"),
    "row-24-fits": (lambda: b"SIMPLE  =                    T" + bytes(200), 415, "unsupported-format"),
    "row-24-ico": (lambda: encoded(picture(32, 32), "ICO"), 415, "unsupported-format"),
    "row-25-svg": (
        lambda: (
            b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
            b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script>&x;</svg>'
        ),
        415,
        "unsupported-format",
    ),
    "row-26-eps": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 30\nshowpage\n", 415, "unsupported-format"),
    "row-26-pdf": (lambda: b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n", 415, "unsupported-format"),
    "row-27-zip-or-pt": (zipped, 415, "unsupported-format"),
    "row-27-tar": (lambda: b"photo.png".ljust(257, b"\0") + b"ustar\0" + bytes(249), 415, "unsupported-format"),
    "row-27-elf": (lambda: b"\x7fELF\2\1\1" + bytes(60), 415, "unsupported-format"),
}


@pytest.mark.parametrize("row", BAD_FILES)
def test_files_that_are_refused(client, row):
    content, status, kind = BAD_FILES[row]
    refused(upload(client, content()), status, kind)


def palette(**options):
    return encoded(Image.fromarray(picture()).quantize(16), **options)


GOOD_FILES = {
    "row-12-16-bit-grey": (lambda: png_16_bit(np.full((30, 40), 40_000, np.uint16)), False),
    "row-12-16-bit-rgb": (lambda: png_16_bit(np.full((30, 40, 3), 40_000, np.uint16)), False),
    "row-13-cmyk": (lambda: encoded(Image.fromarray(picture()).convert("CMYK"), "JPEG"), False),
    "row-13-cmyk-profile": (
        lambda: encoded(Image.fromarray(picture()).convert("CMYK"), "JPEG", icc_profile=cmyk_profile()),
        False,
    ),
    "row-14-palette": (palette, False),
    "row-14-palette-transparent": (lambda: palette(transparency=0), True),
    "row-14-one-bit": (lambda: encoded(Image.fromarray(picture()).convert("1")), False),
    "row-14-grey-alpha": (lambda: encoded(Image.fromarray(picture()).convert("LA")), True),
    "row-15-rgba": (lambda: encoded(picture(channels=4)), True),
    "row-16-progressive": (lambda: encoded(picture(), "JPEG", progressive=True), False),
    "row-18-garbage-exif": (lambda: encoded(picture(), "JPEG", exif=b"Exif\0\0" + b"\xff" * 200), False),
    "row-19-broken-profile": (lambda: encoded(picture(), icc_profile=b"no profile"), False),
    "row-19-64-bytes": (lambda: encoded(picture(), icc_profile=srgb_profile()[:64]), False),
    "row-19-huge-profile": (lambda: encoded(picture(), "JPEG", icc_profile=bytes(900_000)), False),
    "row-28-jpeg-and-zip": (lambda: encoded(picture(), "JPEG") + zipped(), False),
    "row-28-jpeg-and-html": (lambda: encoded(picture(), "JPEG") + b"<script>alert(1)</script>", False),
}


@pytest.mark.parametrize("row", GOOD_FILES)
def test_files_that_are_accepted(client, row):
    content, alpha = GOOD_FILES[row]
    answer = upload(client, content())
    assert answer.status_code == 201, answer.text
    info = answer.json()
    assert (info["width"], info["height"], info["alpha"]) == (WIDTH, HEIGHT, alpha)
    pixels = stored_pixels(client, info["id"])
    assert pixels.shape == (HEIGHT, WIDTH, 4 if alpha else 3)
    if row.startswith("row-12"):
        assert (pixels == round(40_000 / 257)).all()
    if row == "row-15-rgba":
        assert (pixels == picture(channels=4)).all()
    if row.startswith("row-28"):
        file = client.get(f"/api/images/{info['id']}?format=jpeg").content
        assert b"<script>" not in file
        assert b"data.pkl" not in file


@pytest.mark.parametrize("orientation", range(2, 9))
def test_row_17_orientation_first_then_the_mask(client, orientation):
    info = upload(client, encoded(picture(), "JPEG", exif=exif(orientation), icc_profile=srgb_profile())).json()
    turned = orientation >= 5
    assert (info["width"], info["height"]) == ((HEIGHT, WIDTH) if turned else (WIDTH, HEIGHT))
    file = client.get(f"/api/images/{info['id']}?format=jpeg").content
    with Image.open(io.BytesIO(file)) as image:
        assert image.size == (info["width"], info["height"])
        assert not image.getexif()
        assert image.info["icc_profile"] == srgb_profile()


def test_row_17_mask_of_a_turned_photo(client):
    info = upload(client, encoded(picture(), "JPEG", exif=exif(6))).json()
    upright, lying = (np.full(size, 255, np.uint8) for size in ((WIDTH, HEIGHT), (HEIGHT, WIDTH)))
    refused(submit(client, info["id"], encoded(lying)), 422, "mask-size-mismatch")
    assert submit(client, info["id"], encoded(upright)).status_code == 202


def test_row_29_the_bytes_decide(client):
    info = upload(client, encoded(picture(), "JPEG"), name="photo.png", media_type="image/png").json()
    assert info["format"] == "jpeg"
    assert upload(client, encoded(picture()), name="photo.exe", media_type="text/html").json()["format"] == "png"
    refused(upload(client, b"MZ not a picture", name="photo.png"), 415, "unsupported-format")


NAMES = [
    "../../etc/passwd",
    "C:\\x",
    "nul\0byte.png",
    "CON",
    "x" * 4096,
    "\u202egnp.exe",
    "\U0001f600.png",
    "<script>alert(1)</script>",
    "/etc/passwd",
    "a\r\nb",
]


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_row_30_file_names_play_no_part(client, server, photo, number):
    before = {path for path in server.settings.data.parent.rglob("*") if "images" not in path.parts}
    answer = upload(client, photo, name=NAMES[number])
    assert answer.status_code in (201, 400), answer.text
    assert {path for path in server.settings.data.parent.rglob("*") if "images" not in path.parts} <= before


@pytest.mark.parametrize("disposition", ['name="image"; filename=""', 'name="image"'])
def test_row_30_an_empty_or_absent_name(client, photo, disposition):
    body = f"--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + photo + b"\r\n--b--\r\n"
    answer = client.post("/api/images", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.status_code in (201, 422), answer.text


@pytest.mark.parametrize("size", [(41, 30), (39, 30), (40, 31), (40, 29), (30, 40), (80, 60), (20, 16)])
def test_row_31_a_mask_of_another_size(client, stored, size):
    answer = submit(client, stored, encoded(np.full(size[::-1], 255, np.uint8)))
    refused(answer, 422, "mask-size-mismatch")
    title = answer.json()["title"]
    assert f"{size[0]} x {size[1]}" in title
    assert f"{WIDTH} x {HEIGHT}" in title


def test_row_32_an_empty_mask(client, stored):
    answer = submit(client, stored, encoded(np.zeros((HEIGHT, WIDTH), np.uint8)))
    refused(answer, 422, "empty-mask")
    assert "--" not in answer.json()["title"]


def test_row_33_a_full_mask(client, stored):
    info = submit(client, stored, encoded(np.full((HEIGHT, WIDTH), 255, np.uint8))).json()
    assert info["box"] == {"left": 0, "top": 0, "width": WIDTH, "height": HEIGHT}


def soft():
    """Every grey level, some in the hole and some not."""
    return np.linspace(0, 255, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).round().astype(np.uint8)


MASKS = {
    "grey": lambda: encoded(soft()),
    "rgb": lambda: encoded(np.stack([soft()] * 3, axis=-1)),
    "rgba": lambda: encoded(np.dstack([np.full((HEIGHT, WIDTH, 3), 255, np.uint8), soft()])),
    "palette": lambda: encoded(Image.fromarray(soft()).convert("P")),
    "16-bit": lambda: png_16_bit(soft().astype(np.uint16) * 257),
}


@pytest.mark.parametrize("mode", MASKS)
def test_row_34_one_rule_for_all_masks(client, stored, mode):
    job = submit(client, stored, MASKS[mode]()).json()["id"]
    hole = np.asarray(Image.open(io.BytesIO(client.get(f"/api/jobs/{job}/mask").content)))
    assert (hole == (soft() >= 128)).all()


def test_row_34_a_jpeg_mask(client, stored):
    hole = np.zeros((HEIGHT, WIDTH), np.uint8)
    hole[8:24, 8:24] = 255
    job = submit(client, stored, encoded(hole, "JPEG", quality=60)).json()["id"]
    assert np.asarray(Image.open(io.BytesIO(client.get(f"/api/jobs/{job}/mask").content))).sum() == 16 * 16


FORMS = {
    "mask-missing": ({"image_id"}, "missing-field"),
    "mask-as-text": ({"image_id", "mask-text"}, "not-a-file"),
    "image-twice": ({"image", "image-again", "mask"}, "repeated-field"),
    "mask-twice": ({"image_id", "mask", "mask-again"}, "repeated-field"),
    "three-files": ({"image", "image-again", "mask", "mask-again"}, None),
    "unknown-field": ({"image_id", "mask", "unknown"}, "unknown-field"),
    "unknown-file": ({"image_id", "mask", "unknown-file"}, "unknown-field"),
    "both": ({"image_id", "image", "mask"}, "one-picture"),
    "neither": ({"mask"}, "one-picture"),
    "image-as-text": ({"image-text", "mask"}, "not-a-file"),
    "options-as-file": ({"image_id", "mask", "options-file"}, "not-text"),
}


@pytest.mark.parametrize("row", FORMS)
def test_row_35_fields_missing_repeated_or_unknown(client, stored, photo, mask, row):
    parts = {
        "image": ("image", ("a.png", photo)),
        "image-again": ("image", ("b.png", photo)),
        "image-text": ("image", (None, "text")),
        "image_id": ("image_id", (None, stored)),
        "mask": ("mask", ("m.png", mask)),
        "mask-again": ("mask", ("n.png", mask)),
        "mask-text": ("mask", (None, "text")),
        "unknown": ("surprise", (None, "text")),
        "unknown-file": ("surprise", ("s.png", photo)),
        "options-file": ("options", ("o.json", b"{}")),
    }
    names, kind = FORMS[row]
    answer = client.post("/api/jobs", files=[parts[name] for name in sorted(names)])
    refused(answer, 422 if kind else (400, 422), kind)
    assert "surprise" not in answer.text


def test_row_35_two_pictures_in_one_upload(client, photo):
    refused(client.post("/api/images", files=[("image", photo), ("image", photo)]), 422, "repeated-field")


NUMBERS = ["NaN", "Infinity", "-Infinity", "1e309", "-1", str(2**63), '""', '"0x10"', "true", "9" * 50_000, "1.5", "[]"]


@pytest.mark.parametrize("field", ["seed", "variations", "context", "feather", "sampler"])
@pytest.mark.parametrize("number", range(len(NUMBERS)))
def test_row_36_numbers_that_are_none(client, stored, mask, field, number):
    value = NUMBERS[number]
    if (field, value) == ("context", "1.5"):
        return  # a good one
    text = f'{{"sampler": {{"kind": "ddim", "steps": {value}}}}}' if field == "sampler" else f'{{"{field}": {value}}}'
    answer = client.post("/api/jobs", data={"image_id": stored, "options": text}, files={"mask": mask})
    refused(answer, (400, 422))
    assert value[:20] not in answer.text or len(value) < 5


JSON_TEXTS = {
    "lone-surrogate": (r'{"model": "\ud800"}', (400, 422)),
    "surrogate-key": (r'{"\ud800": 1}', (400, 422)),
    "nested": ('{"model": ' + "[" * 50_000 + "]" * 50_000 + "}", (400, 422)),
    "repeated-key": ('{"seed": 1, "seed": 2}', 400),
    "byte-order-mark": ("\ufeff{}", 400),
    "not-json": ("{seed: 1}", 400),
    "empty": ("", 400),
    "list": ("[]", 422),
    "unknown-option": ('{"guidance": 3}', 422),
    "unknown-sampler": ('{"sampler": {"kind": "sentinel"}}', 422),
    "unknown-model": ('{"model": "sentinel"}', 422),
    "model-as-path": ('{"model": "/etc"}', 422),
    "too-many-steps": ('{"sampler": {"kind": "ddim", "steps": 100000}}', 422),
}


@pytest.mark.parametrize("row", JSON_TEXTS)
def test_row_37_json_that_cannot_be_used(client, stored, mask, row):
    text, status = JSON_TEXTS[row]
    answer = client.post("/api/jobs", data={"image_id": stored, "options": text}, files={"mask": mask})
    refused(answer, (*((status,) if isinstance(status, int) else status), 413) if row == "nested" else status)
    assert "sentinel" not in answer.text


@pytest.mark.parametrize(
    "row", ["lone-surrogate", "nested", "repeated-key", "byte-order-mark", "not-json", "empty", "list"]
)
def test_row_37_json_bodies_that_cannot_be_used(client, stored, row):
    text = JSON_TEXTS[row][0].replace("seed", "top")
    headers = {"Content-Type": "application/json"}
    answer = client.post(f"/api/images/{stored}/extended", content=text.encode(), headers=headers)
    refused(answer, (400, 413, 422))


def test_row_38_bodies_of_another_type(client, photo, stored):
    address = f"/api/images/{stored}/extended"
    refused(client.post(address, content=photo, headers={"Content-Type": "image/png"}), 415)
    refused(client.post(address, files={"image": photo}), 415)
    refused(client.post(address, content=b"{}"), 415)
    refused(client.post("/api/images", json={"image": "text"}), 415)
    refused(client.post("/api/jobs", json={}), 415)
    for boundary in ("", "; boundary=", "; boundary=other"):
        headers = {"Content-Type": f"multipart/form-data{boundary}"}
        body = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\nx\r\n--b--\r\n'
        refused(client.post("/api/images", content=body, headers=headers), (400, 415, 422))


def test_row_39_idempotency(client, stored, mask):
    first = submit(client, stored, mask, {"seed": 1}, **{"Idempotency-Key": "key-of-row-39"})
    again = submit(client, stored, mask, {"seed": 1}, **{"Idempotency-Key": "key-of-row-39"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert first.headers["location"] == again.headers["location"] == f"/api/jobs/{first.json()['id']}"
    refused(submit(client, stored, mask, {"seed": 2}, **{"Idempotency-Key": "key-of-row-39"}), 409, "key-reused")
    other = client.post("/api/images", files={"image": encoded(picture(seed=9))}).json()["id"]
    refused(submit(client, other, mask, {"seed": 1}, **{"Idempotency-Key": "key-of-row-39"}), 409, "key-reused")
    without = [submit(client, stored, mask, {"seed": 1}).json()["id"] for _ in range(2)]
    assert len({*without, first.json()["id"]}) == 3
    refused(submit(client, stored, mask, **{"Idempotency-Key": "x" * 201}), 422)


@pytest.mark.parametrize("address", ["http://127.0.0.1/x", "file:///etc/passwd", "data:image/png;base64,AAAA"])
def test_row_40_addresses_are_not_fetched(client, mask, address):
    refused(client.post("/api/images", files={"image": (None, address)}), 422, "not-a-file")
    refused(client.post("/api/jobs", data={"image": address}, files={"mask": mask}), 422, "not-a-file")
    answer = client.post("/api/jobs", data={"image_id": address}, files={"mask": mask})
    refused(answer, 404, "unknown-image")
    assert "passwd" not in answer.text
