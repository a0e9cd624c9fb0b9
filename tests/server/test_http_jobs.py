"""A picture's way through the server: upload, selection, job, events, results; and what the files say of themselves."""

import io
import json
import re
import threading

import numpy as np
import pytest
from http_tools import HEIGHT, WIDTH, client_of, ended, refused, submit
from photo_files import encoded, picture, srgb_profile
from PIL import Image

from ediffuser.server.schemas import JobEvents

DISCLOSURE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


def decoded(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def events_of(client, job, after=None, **params):
    """The job's events up to its end: (id, name, data)."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    with client.stream("GET", f"/api/jobs/{job}/events", headers=headers, params=params) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        text = "".join(stream.iter_text())
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            events.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return events


def test_from_a_photo_to_a_saved_result(client, stored, photo, mask):
    info = submit(client, stored, mask, {"variations": 2, "seed": 5}).json()
    assert info["box"] == {"left": 5, "top": 10, "width": 10, "height": 10}
    assert info["options"]["seed"] == 5
    assert info["options"]["sampler"]["kind"]
    info = ended(client, info["id"])
    assert info["state"] == "done", info
    assert info["progress"] == 1
    before, hole = decoded(photo), decoded(mask) > 0
    assert (decoded(client.get(f"/api/jobs/{info['id']}/mask").content) == hole).all()
    finished = []
    for result in info["results"]:
        answer = client.get(result["picture"])
        name = f"ediffuser-5-{result['variation']}.png"
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        after = decoded(answer.content)
        assert (after[~hole] == before[~hole]).all()
        assert (after[hole] != before[hole]).any()
        patch = decoded(client.get(result["patch"]).content)
        assert (patch == after[10:20, 5:15]).all()
        finished.append(after)
    assert (finished[0] != finished[1]).any()


def test_a_result_becomes_a_picture(client, stored, mask):
    job = ended(client, submit(client, stored, mask).json()["id"])
    made = client.post(f"/api/images/{stored}/composed", json={"job": job["id"], "variation": 0}).json()
    assert made["id"] != stored
    file = client.get(f"/api/images/{made['id']}").content
    assert (decoded(file) == decoded(client.get(job["results"][0]["picture"]).content)).all()
    assert DISCLOSURE.encode() in file
    assert b"digitalsourcetype" not in client.get(f"/api/images/{stored}").content
    refused(client.post(f"/api/images/{stored}/composed", json={"job": job["id"], "variation": 3}), 404)
    other = {"job": job["id"], "variation": 0}
    refused(client.post(f"/api/images/{made['id']}/composed", json=other), 422, "other-picture")


def test_events_from_the_start_and_from_the_middle(client, stored, mask):
    job = submit(client, stored, mask, {"variations": 2}).json()["id"]
    events = events_of(client, job)
    names = [name for _, name, _ in events]
    assert names[0] == "snapshot"
    assert names[-1] == "done"
    assert names.count("variation") == 2
    assert [name for name in names if name in ("queued", "started")] == ["queued", "started"]
    numbers = [number for number, _, _ in events[1:]]
    assert numbers == sorted(set(numbers))
    for _, name, data in events:
        JobEvents.model_fields[name].annotation.model_validate(data)
    landed = [number for number, name, _ in events if name == "variation"]
    for again in (events_of(client, job, landed[0]), events_of(client, job, last_event_id=landed[0])):
        assert [name for _, name, _ in again] == ["snapshot", "variation", "done"]
    assert [name for _, name, _ in events_of(client, job, numbers[-1])] == ["snapshot"]
    assert len(events_of(client, job, "no number")) == len(events_of(client, job))
    refused(client.get(f"/api/jobs/{job}/events?last_event_id=-1"), 422)


def test_cancel(client, stored, mask):
    job = submit(client, stored, mask, {"variations": 8}).json()["id"]
    info = client.delete(f"/api/jobs/{job}").json()
    assert info["state"] in ("cancelled", "done")
    assert client.delete(f"/api/jobs/{job}").json()["state"] == info["state"]
    assert events_of(client, job)[-1][1] == info["state"]


def test_a_picture_with_the_job(client, photo, mask):
    files = {"image": photo, "mask": mask}
    info = client.post("/api/jobs", data={"options": '{"variations": 1}'}, files=files).json()
    assert info["image"]["width"] == WIDTH
    assert ended(client, info["id"])["state"] == "done"
    assert client.get(f"/api/images/{info['image']['id']}").status_code == 200


def test_the_jobs_of_a_client_newest_first(server, stored, mask):
    with client_of(server, headers={"X-Client-Id": "lists"}) as client:
        jobs = [submit(client, stored, mask).json()["id"] for _ in range(3)]
        assert [info["id"] for info in client.get("/api/jobs").json()] == jobs[::-1]


def test_without_options_all_is_default(client, stored, mask):
    info = client.post("/api/jobs", data={"image_id": stored}, files={"mask": mask}).json()
    assert info["options"]["variations"] == 4
    assert info["options"]["model"] in {model["name"] for model in client.get("/api/models").json()} - {"auto"}
    assert 0 <= info["options"]["seed"] < 2**53


def test_pictures_in_other_sizes_and_formats(client, stored, photo):
    for file_format in ("png", "jpeg", "webp"):
        answer = client.get(f"/api/images/{stored}?format={file_format}&max_side=20")
        assert answer.headers["content-type"] == f"image/{file_format}"
        with Image.open(io.BytesIO(answer.content)) as image:
            assert image.format == file_format.upper()
            assert image.size == (20, 15)
    assert (decoded(client.get(f"/api/images/{stored}").content) == decoded(photo)).all()
    sizes = [len(client.get(f"/api/images/{stored}?format=jpeg&quality={quality}").content) for quality in (5, 95)]
    assert sizes[0] < sizes[1]
    for query in ("format=gif", "quality=0", "quality=101", "quality=x", "max_side=0", "max_side=-1", "max_side=1e9"):
        refused(client.get(f"/api/images/{stored}?{query}"), 422)
    clear = client.post("/api/images", files={"image": encoded(picture(channels=4))}).json()["id"]
    refused(client.get(f"/api/images/{clear}?format=jpeg"), 422, "transparency")


def test_a_larger_canvas(client, stored, photo):
    made = client.post(f"/api/images/{stored}/extended", json={"left": 7, "top": 3}).json()
    assert (made["width"], made["height"]) == (WIDTH + 7, HEIGHT + 3)
    assert (decoded(client.get(f"/api/images/{made['id']}").content)[3:, 7:] == decoded(photo)).all()
    refused(client.post(f"/api/images/{stored}/extended", json={}), 422)
    refused(client.post(f"/api/images/{stored}/extended", json={"left": 16_384}), 422, "too-large")
    refused(client.post(f"/api/images/{stored}/extended", json={"left": -1}), 422)
    refused(client.post("/api/images/" + "x" * 22 + "/extended", json={"left": 1}), 404, "unknown-image")


def test_selection(client):
    pixels = np.full((120, 160, 3), 40, np.uint8)
    pixels[30:90, 40:100] = (220, 60, 30)
    image = client.post("/api/images", files={"image": encoded(pixels)}).json()["id"]
    answer = client.post("/api/selections", json={"image": image, "points": [{"x": 70, "y": 60}]})
    with Image.open(io.BytesIO(answer.content)) as mask:
        assert (mask.mode, mask.size) == ("1", (160, 120))
        selected = np.asarray(mask)
    assert selected[35:85, 45:95].mean() > 0.95
    assert selected[:20].mean() < 0.05
    box = {"left": 30, "top": 20, "right": 110, "bottom": 100}
    assert client.post("/api/selections", json={"image": image, "points": [{"x": 70, "y": 60}], "box": box}).content
    outside = [
        {"points": [{"x": 160, "y": 0}]},
        {"points": []},
        {"points": [{"x": 1.5, "y": 0}]},
        {"points": [{"x": 5, "y": 5, "positive": False}]},
        {"points": [{"x": 5, "y": 5}], "box": {"left": 9, "top": 0, "right": 5, "bottom": 5}},
        {"points": [{"x": 1, "y": 1}] * 65},
    ]
    for wrong in outside:
        refused(client.post("/api/selections", json={"image": image} | wrong), 422)
    unknown = {"image": "x" * 22, "points": [{"x": 1, "y": 1}]}
    refused(client.post("/api/selections", json=unknown), 404, "unknown-image")


def test_catalogue_and_health(client):
    (model,) = [model for model in client.get("/api/models").json() if model["default"]]
    card = client.get(f"/api/models/{model['name']}").json()
    assert card["card"].startswith("#")
    assert "non-commercial" in card["licence"]
    assert card["figures"]
    refused(client.get("/api/models/none"), 404, "unknown-model")
    kinds = {sampler["kind"]: sampler for sampler in client.get("/api/samplers").json()}
    assert kinds["ddim"]["title"] == "DDIM"
    assert "steps" in kinds["ddim"]["json_schema"]["properties"]
    assert client.get("/api/health").json() == {"status": "ok"}
    ready = client.get("/api/ready")
    assert ready.status_code in (200, 503)


def with_metadata():
    tags = Image.Exif()
    tags[0x010E] = "secret place"
    tags.get_ifd(0x8825)[1] = "N"
    notes = {"exif": tags, "xmp": b"<secret/>", "comment": b"secret", "icc_profile": srgb_profile()}
    return encoded(picture(), "JPEG", **notes)


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp"])
def test_files_say_that_a_model_painted_and_nothing_else(client, mask, file_format):
    image = client.post("/api/images", files={"image": with_metadata()}).json()["id"]
    job = ended(client, submit(client, image, mask).json()["id"])
    file = client.get(f"{job['results'][0]['picture']}?format={file_format}").content
    assert b"secret" not in file
    assert file.count(DISCLOSURE.encode()) == 1
    with Image.open(io.BytesIO(file)) as result:
        assert result.info["icc_profile"] == srgb_profile()
        assert not result.getexif()
        assert set(result.info) <= {"icc_profile", "xmp", "XML:com.adobe.xmp", "jfif", "jfif_version", "jfif_unit",
                                    "jfif_density", "loop", "background", "timestamp", "duration"}  # fmt: skip
    if file_format == "png":
        kinds = set(re.findall(rb"(IHDR|iCCP|iTXt|tEXt|zTXt|eXIf|tIME|pHYs|IEND)", file))
        assert kinds == {b"IHDR", b"iCCP", b"iTXt", b"IEND"}


def test_many_keys_at_once_make_one_job(server, stored, mask):
    jobs = []

    def send():
        with client_of(server, headers={"X-Client-Id": "hasty"}) as client:
            jobs.append(submit(client, stored, mask, {"seed": 3}, **{"Idempotency-Key": "once"}).json()["id"])

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jobs) == 6
    assert len(set(jobs)) == 1
