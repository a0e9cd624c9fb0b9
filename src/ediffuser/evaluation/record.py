"""All that an evaluation's figures depend on, as JSON: written before the first piece, compared before any other."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic

from ediffuser.data import DataSet
from ediffuser.evaluation.features import Features
from ediffuser.evaluation.groups import GroupClassifier
from ediffuser.evaluation.holes import HOLE_SEED, HOLE_SET
from ediffuser.evaluation.likelihoods import COUNTED, TOLERANCE
from ediffuser.evaluation.measure import Evaluation
from ediffuser.evaluation.plan import Plan
from ediffuser.evaluation.reference import fingerprint
from ediffuser.evaluation.similarity import Distance
from ediffuser.model import WEIGHTS
from ediffuser.runtime.checkpoint import read_checkpoint
from ediffuser.runtime.component import component, from_json, to_json
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.files import write_atomically
from ediffuser.zoo import find

PLAN = "plan.json"

PLACES = frozenset({"plan.model", "plan.data.path", "plan.held_out.path", "plan.classifier"})
"""Where things lie says nothing of what they are; the sums do."""

RESIZED_KINDS = ("image_folder", "celeba_hq")
"""Data sets of files, whose shorter side is resized and whose centre cropped; the others' are taken as stored."""


@component
class Looker:
    """A network that looks at pictures.

    Attributes:
        name: What is printed.
        sha256: Of the file of its weights.
        family: Which network it is, in a word; figures compare within a family alone. Of a distance what it is called.
        resize: How pictures are brought to its size.
    """

    name: str
    sha256: str
    family: str = ""
    resize: str = ""

    @classmethod
    def of_features(cls, network: Features) -> "Looker":
        """What is compared of sets of pictures."""
        return cls(name=network.name, sha256=network.sha256, family=network.family, resize=network.resize)

    @classmethod
    def of_distance(cls, network: Distance) -> "Looker":
        """What is compared of pairs of pictures."""
        return cls(name=network.name, sha256=network.sha256, family=network.figure_name)

    @classmethod
    def of_groups(cls, network: GroupClassifier) -> "Looker":
        """Who tells the groups of pictures."""
        return cls(name=network.name, sha256=network.sha256, resize=network.resize)


@component
class Record:
    """A plan, its defaults filled in, and the sums of what it names.

    Attributes:
        format: Of the parts; another one is not gone on with.
        plan: The plan; of places only the names are left.
        model_sha256: Of the weights' file.
        data_sha256: Of the decoded pictures that the results are compared with, and their number.
        data_count: How many pictures the results are compared with as a set.
        resize: How the data's pictures were brought to the model's size.
        hole_set: Name and version of the fixed holes, and their seed; empty without holes.
        counted: Which numbers of a picture a likelihood is of, and how it was found; empty without one.
        likely_sha256: Of the decoded pictures that it is of, where these are not the data.
        used_sha256: Of all of the data's that are used, where these are more.
        features: Whose features are compared.
        distance: The perceptual distance.
        classifier: Who tells the groups of pictures.
        groups: Their names.
    """

    format: int = 1
    plan: Plan
    model_sha256: str
    data_sha256: str
    data_count: int
    resize: str
    hole_set: str = ""
    counted: str = ""
    likely_sha256: str = ""
    used_sha256: str = ""
    features: Looker | None = None
    distance: Looker | None = None
    classifier: Looker | None = None
    groups: tuple[str, ...] = ()

    @classmethod
    def of(cls, evaluation: Evaluation) -> "Record":
        """The record of an opened evaluation."""
        plan, sight, used = evaluation.plan, evaluation.sight, evaluation.used
        return cls(
            plan=_placeless(plan, str(evaluation.model.precision).removeprefix("torch.")),
            model_sha256=weights_sha256(find(plan.model)),
            data_sha256=fingerprint(evaluation.pictures, evaluation.compared_with),
            data_count=evaluation.compared_with,
            resize=_resize(plan),
            hole_set=f"{HOLE_SET}, seed {HOLE_SEED}" if plan.task == "inpainting" else "",
            counted=_counted(evaluation),
            likely_sha256=fingerprint(evaluation.held_out, plan.bits) if evaluation.held_out else "",
            used_sha256=fingerprint(evaluation.pictures, used) if used > evaluation.compared_with else "",
            features=None if sight.features is None else Looker.of_features(sight.features),
            distance=None if sight.distance is None else Looker.of_distance(sight.distance),
            classifier=None if sight.groups is None else Looker.of_groups(sight.groups),
            groups=() if sight.groups is None else sight.groups.names,
        )

    @classmethod
    def read(cls, out: Path) -> "Record":
        """The record in a run directory.

        Raises:
            BadInputError: If there is none, or it is damaged.
        """
        try:
            return from_json((out / PLAN).read_bytes(), cls)
        except (OSError, pydantic.ValidationError) as error:
            raise BadInputError(f"{out / PLAN} is missing or damaged; give the directory of an evaluation") from error


def weights_sha256(checkpoint: Path) -> str:
    """The sum of a checkpoint's weights."""
    return hashlib.sha256(read_checkpoint(checkpoint, [WEIGHTS])[WEIGHTS]).hexdigest()


def claim_plan(record: Record, out: Path) -> None:
    """Makes a directory that of this evaluation, or finds that it already is.

    Raises:
        BadInputError: If it is that of another one; names the first difference.
    """
    if (out / PLAN).exists():
        there, here = (dict(_flat(json.loads(to_json(each, Record)))) for each in (Record.read(out), record))
        for key in here | there:  # what one of them lacks, such as the settings of a conditioning, is a difference too
            if there.get(key) != here.get(key) and key not in PLACES:
                name = key.removeprefix("plan.")
                raise BadInputError(
                    f"{out} holds an evaluation with {name} {there.get(key)}, not {here.get(key)}; choose another --out"
                )
        return
    write_atomically(out / PLAN, to_json(record, Record).encode())


def _counted(evaluation: Evaluation) -> str:
    plan = evaluation.plan
    if not plan.nll:
        return ""
    return f"{COUNTED[evaluation.model.config.task.kind, plan.nll]}, {_found_by(plan)}"


def _found_by(plan: Plan) -> str:
    if plan.nll == "ode":
        return f"by the ODE at a tolerance of {TOLERANCE:.0e}".replace("e-0", "e-")
    chain = plan.bound
    variance = "" if chain.variance == "auto" else f" with variance {chain.variance}"
    return f"by the bound over {chain.steps or 'all'} steps{variance}{'' if chain.clip else ', x_0 not clipped'}"


def _nameless(data: DataSet) -> DataSet:
    return dataclasses.replace(data, path=Path(data.path).name)


def _placeless(plan: Plan, precision: str) -> Plan:
    names = {"bfloat16": "bf16"}
    return dataclasses.replace(
        plan,
        model=Path(plan.model).name,
        data=_nameless(plan.data),
        held_out=plan.held_out and _nameless(plan.held_out),
        sampler=plan.way,
        baselines=plan.methods,
        classifier=plan.classifier and Path(plan.classifier).name,
        precision=names.get(precision, precision),
    )


def _resize(plan: Plan) -> str:
    files = plan.data.kind in RESIZED_KINDS
    how = "shorter side resized (Lanczos), centre cropped" if files else "as stored"
    return f"{plan.data.resolution} x {plan.data.resolution} pixels, {how}"


def _flat(tree: Any, key: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - parsed JSON
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _flat(value, f"{key}.{name}" if key else name)
    else:
        yield key, tree
