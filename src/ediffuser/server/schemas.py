"""What goes over the wire. Everything that a client may send or will get is here, and becomes the OpenAPI document."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ediffuser.samplers import AnySampler
from ediffuser.zoo import AUTO

LARGEST_SEED = 2**53 - 1  # the largest integer that JavaScript counts to
MOST_VARIATIONS = 8
LARGEST_SIDE = 16_384

State = Literal["queued", "running", "done", "failed", "cancelled"]
FileFormat = Literal["png", "jpeg", "webp"]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}$", description="Made by the server, 128 random bits.")]
Coordinate = Annotated[int, Field(ge=0, lt=LARGEST_SIDE)]


class Strict(BaseModel):
    """What a client sends: unknown fields, numbers in quotes, NaN and infinities are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Answer(BaseModel):
    """What the server sends."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class Problem(Answer):
    """An error (RFC 9457), `application/problem+json`."""

    type: str = Field(description="Stable word, for programs: `empty-mask`, `queue-full`, ...")
    title: str = Field(description="One sentence, for people: what is wrong, where, and what would be right.")
    status: int


class Box(Answer):
    """A rectangle of pixels of the upright picture."""

    left: int
    top: int
    width: int
    height: int


class ImageInfo(Answer):
    """A stored picture: upright, 8 bits a channel."""

    id: Id
    width: int
    height: int
    alpha: bool = Field(description="Whether it has transparency, which JPEG cannot hold.")
    format: FileFormat = Field(description="Format of the uploaded file; PNG for a picture made here.")


class Margins(Strict):
    """By how many pixels to extend a canvas; at least one of them above 0."""

    top: Annotated[int, Field(ge=0, le=LARGEST_SIDE)] = 0
    right: Annotated[int, Field(ge=0, le=LARGEST_SIDE)] = 0
    bottom: Annotated[int, Field(ge=0, le=LARGEST_SIDE)] = 0
    left: Annotated[int, Field(ge=0, le=LARGEST_SIDE)] = 0


class ResultName(Strict):
    """A finished variation of a job."""

    job: Id
    variation: Annotated[int, Field(ge=0, lt=MOST_VARIATIONS)]


class SelectionPoint(Strict):
    """A click, in pixels of the upright picture."""

    x: Coordinate
    y: Coordinate
    positive: bool = Field(default=True, description="False: this place does not belong to the object.")


class SelectionBox(Strict):
    """A rectangle around the object, right and bottom exclusive."""

    left: Coordinate
    top: Coordinate
    right: Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
    bottom: Annotated[int, Field(ge=1, le=LARGEST_SIDE)]


class SelectionRequest(Strict):
    """Select the object at these points."""

    image: Id
    points: Annotated[list[SelectionPoint], Field(min_length=1, max_length=64)]
    box: SelectionBox | None = None


class JobOptions(Strict):
    """How to paint a hole."""

    model: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        default=AUTO, description="Its name, or auto: the shipped one that suits the hole."
    )
    variations: Annotated[int, Field(ge=1, le=MOST_VARIATIONS)] = 4
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] | None = Field(default=None, description="None: a random one.")
    sampler: AnySampler | None = Field(default=None, description="None: the model's default.")
    context: Annotated[float, Field(ge=1, le=64)] | None = Field(
        default=None, description="Side of the square that the model sees, over the hole's longer side."
    )
    feather: Annotated[int, Field(ge=0, le=256)] = Field(
        default=0, description="Width in pixels of the soft edge, which lies inside the hole."
    )
    detail: bool = Field(
        default=True, description="Whether the photo lends the hole grain and texture where it has what looks alike."
    )


class ResultInfo(Answer):
    """A finished variation."""

    variation: int
    seed: int
    box: Box = Field(description="Where the patch lies.")
    patch: str = Field(description="Address of the changed rectangle, PNG.")
    picture: str = Field(description="Address of the whole picture; `?format=png|jpeg|webp`, `&quality=1..100`.")


class JobInfo(Answer):
    """A job as it stands."""

    id: Id
    state: State
    image: ImageInfo
    options: JobOptions = Field(description="With model, seed and sampler filled in.")
    box: Box = Field(description="The hole's bounding box.")
    position: int | None = Field(description="Jobs before it in the queue; null unless queued.")
    progress: Annotated[float, Field(ge=0, le=1)] = Field(description="1 only when it is done.")
    eta_seconds: float | None
    results: list[ResultInfo]
    problem: Problem | None
    created: str = Field(description="ISO 8601, UTC.")
    attempts: int


class Queued(Answer):
    """Event `queued` and `position`: how many jobs are before it."""

    position: int


class Started(Answer):
    """Event `started`."""

    attempt: int


class Progress(Answer):
    """Event `step`: one network call of one variation is done."""

    variation: int
    step: int
    steps: int
    progress: float = Field(description="Of the whole job; 1 only when it is done.")
    eta_seconds: float | None


class Preview(Answer):
    """Event `preview`: what the model expects at present."""

    variation: int
    left: int
    top: int
    side: int = Field(description="The picture covers this square of native pixels.")
    image: str = Field(description="data:image/webp;base64,...")


class Cancelled(Answer):
    """Event `cancelled`: nothing more to say."""


class JobEvents(Answer):
    """What each event of a job's stream carries, by the event's name."""

    snapshot: JobInfo = Field(description="First on every connection.")
    queued: Queued
    position: Queued
    started: Started
    step: Progress
    preview: Preview
    variation: ResultInfo
    done: JobInfo = Field(description="The last event.")
    failed: Problem = Field(description="The last event.")
    cancelled: Cancelled = Field(description="The last event.")


class ModelInfo(Answer):
    """A model to choose from."""

    name: str
    task: str
    resolution: int
    summary: str
    licence: str
    default: bool
    default_sampler: AnySampler


class ModelCard(ModelInfo):
    """A model with its card."""

    card: str = Field(description="Markdown.")
    figures: dict[str, object]


class SamplerInfo(Answer):
    """A sampler to choose from."""

    kind: str
    title: str
    summary: str
    json_schema: dict[str, object] = Field(description="JSON Schema of its settings.")


class Health(Answer):
    """The server lives."""

    status: Literal["ok"] = "ok"


class Readiness(Answer):
    """The worker has loaded its model and takes jobs."""

    status: Literal["ready"] = "ready"
    device: str
    model: str
