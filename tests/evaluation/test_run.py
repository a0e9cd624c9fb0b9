"""What an evaluation measures is what the facade makes, and how it ends when it is asked to."""

import dataclasses
import json
import signal

import numpy as np
import pytest
import torch
from evaluations import Killable
from PIL import Image
from pydantic import ValidationError

import ediffuser
from ediffuser.conditioning import RePaint
from ediffuser.data import ImageFolder
from ediffuser.editing import inpaint_photo
from ediffuser.evaluation.classical import telea
from ediffuser.evaluation.frechet import frechet_distance
from ediffuser.evaluation.holes import HOLES, compose, draw_holes
from ediffuser.evaluation.kid import kernel_distance
from ediffuser.evaluation.likelihoods import bits_per_dim
from ediffuser.evaluation.moments import Moments
from ediffuser.evaluation.parts import Parts
from ediffuser.evaluation.plan import MODEL, REFERENCE, Piece, Plan
from ediffuser.evaluation.record import Looker, Record, claim_plan
from ediffuser.evaluation.reference import fingerprint
from ediffuser.evaluation.run import evaluate
from ediffuser.evaluation.sets import halves, set_figures
from ediffuser.evaluation.similarity import psnr_db
from ediffuser.evaluation.summary import figures, scores
from ediffuser.runtime.errors import BadInputError
from ediffuser.runtime.lock import only_one
from ediffuser.runtime.pixels import from_uint8, to_uint8
from ediffuser.runtime.signals import Stop
from ediffuser.samplers import Ancestral, Ddim, ProbabilityFlow
from ediffuser.tasks import Colorization, Inpainting, Unconditional

FEW = Ddim(steps=2, eta=1)


@pytest.fixture
def plan(trained, photos):
    """Six pictures, one kind of hole, one baseline, no network that looks at them."""

    def make(task=Inpainting(), **changes) -> Plan:  # noqa: B008
        kind = "generation" if isinstance(task, Unconditional) else task.kind
        fields = {
            "model": str(trained(task)),
            "task": kind,
            "data": ImageFolder(path=str(photos), resolution=32),
            "count": 6,
            "batch": 4,
            "sampler": FEW,
            "holes": ("brush",),
            "baselines": ("telea",) if kind == "inpainting" else (),
            "features": "none",
            "distance": "none",
            "variations": 1,
            "precision": "float32",
        }
        return Plan(**(fields | changes))

    return make


def run(plan, out, **options):
    return list(evaluate(plan, out, device="cpu", **options))


def by_method(out):
    return {each.method: each.values for each in scores(out)}


def test_the_scores_of_each_picture_are_those_of_what_the_facade_paints(plan, tmp_path):
    wanted = plan()
    run(wanted, tmp_path / "out")
    model, pictures = ediffuser.load(wanted.model, device="cpu", precision="float32"), wanted.data.open()
    originals = pictures.batch(range(6))
    holes, images = draw_holes(HOLES["brush"], range(6), (32, 32)), from_uint8(originals)
    painted = {
        "telea": compose(images, telea(images, holes), holes),
        # Batches of the plan, for in another a picture may differ in its last bit and so in a grey level.
        MODEL: torch.cat(
            [
                compose(
                    images[part],
                    ediffuser.inpaint(model, images[part], holes[part], sampler=FEW, first_index=part.start),
                    holes[part],
                )
                for part in (slice(0, 4), slice(4, 6))
            ]
        ),
    }
    found = by_method(tmp_path / "out")
    for method, results in painted.items():
        assert torch.equal(found[method]["psnr_hole"], psnr_db(results, originals, holes))
        assert torch.equal(found[method]["psnr"], psnr_db(results, originals))
    context, means = figures(tmp_path / "out")
    assert context.nfe == 2
    mean = next(figure for figure in means if figure.method == MODEL and figure.name == "PSNR in the hole")
    assert mean.value == pytest.approx(found[MODEL]["psnr_hole"].mean().item(), rel=1e-12)
    assert mean.low < mean.value < mean.high


def test_a_matched_picture_is_the_editors_to_the_byte(plan, tmp_path):
    wanted = plan(matched=True, count=2, batch=1, holes=("box",))
    run(wanted, tmp_path / "out")
    shown = Parts(tmp_path / "out").read(Piece(MODEL, 0, 1, "box"))["shown"][0, 0]
    model = ediffuser.load(wanted.model, device="cpu", precision="float32")
    photo = Image.fromarray(wanted.data.open().batch([0])[0].permute(1, 2, 0).numpy())
    hole = Image.fromarray(draw_holes(HOLES["box"], range(1), (32, 32))[0, 0].numpy() > 0)
    (edited,) = inpaint_photo(model, photo, hole, variations=1, sampler=FEW)
    assert np.array_equal(shown.permute(1, 2, 0).numpy(), np.asarray(edited))
    run(plan(count=2, batch=1, holes=("box",)), tmp_path / "plain")
    assert not torch.equal(Parts(tmp_path / "plain").read(Piece(MODEL, 0, 1, "box"))["shown"][0, 0], shown)


def test_colours_and_pictures_from_nothing_are_the_facades(plan, tmp_path):
    for task, make in (
        (Colorization(), lambda model, images: ediffuser.colorize(model, images, sampler=FEW)),
        (Unconditional(), lambda model, images: ediffuser.generate(model, count=4, sampler=FEW)),
    ):
        wanted = plan(task)
        run(wanted, tmp_path / task.kind)
        shown = Parts(tmp_path / task.kind).read(Piece(MODEL, 0, 4))["shown"][:, 0]
        model = ediffuser.load(wanted.model, device="cpu", precision="float32")
        assert torch.equal(shown, to_uint8(make(model, from_uint8(wanted.data.open().batch(range(4))))))


def test_the_second_variation_is_the_picture_of_the_next_seed(plan, tmp_path):
    run(plan(variations=3), tmp_path / "several")
    run(plan(seed=1), tmp_path / "next")
    several, following = (
        Parts(tmp_path / name).read(Piece(MODEL, 0, 4, "brush"))["shown"] for name in ("several", "next")
    )
    assert several.shape[1] == 3
    assert torch.equal(several[:, 1], following[:, 0])


def test_figures_hardly_depend_on_the_batch(plan, tmp_path):
    """Trap 42: a picture depends on (seed, index); in another batch it differs by a grey level at most."""
    found = []
    for batch in (1, 4, 6):
        run(plan(batch=batch), tmp_path / str(batch))
        found.append(by_method(tmp_path / str(batch)))
    for other in found[1:]:
        assert torch.equal(found[0]["telea"]["psnr"], other["telea"]["psnr"])
        assert (found[0][MODEL]["psnr_hole"] - other[MODEL]["psnr_hole"]).abs().max() < 0.05


def test_the_first_pictures_of_a_larger_evaluation_are_those_of_a_smaller_one(plan, tmp_path):
    run(plan(count=4), tmp_path / "four")
    run(plan(), tmp_path / "six")
    four, six = by_method(tmp_path / "four"), by_method(tmp_path / "six")
    assert torch.equal(four[MODEL]["psnr_hole"], six[MODEL]["psnr_hole"][:4])


def test_calls_are_counted_where_a_sampler_chooses_its_steps(plan, tmp_path):
    """Trap 20: NFE is measured."""
    run(plan(Unconditional(), sampler=ProbabilityFlow(tolerance=0.1, t_end=0.1)), tmp_path / "out")
    calls = by_method(tmp_path / "out")[MODEL]["calls"]
    assert len(calls.unique()) > 1 or calls[0] > 6
    assert figures(tmp_path / "out")[0].nfe == calls.mean().item()


def test_the_calls_under_a_table_are_those_of_all_kinds_of_holes(plan, tmp_path):
    run(plan(sampler=ProbabilityFlow(tolerance=0.1, t_end=0.1), holes=("thin", "half")), tmp_path / "out")
    calls = [each.values["calls"] for each in scores(tmp_path / "out") if each.method == MODEL]
    assert calls[0].mean() != calls[1].mean()
    assert figures(tmp_path / "out")[0].nfe == torch.cat(calls).mean().item()


def test_diversity_is_of_the_first_pictures_and_of_one_answer_none(plan, tmp_path):
    run(plan(variations=2, diverse=5), tmp_path / "out")
    values = by_method(tmp_path / "out")
    assert len(values[MODEL]["variety_ssim_hole"]) == 5
    assert values[MODEL]["variety_ssim_hole"].max() < 0.999
    assert "variety_ssim_hole" not in values["telea"]


def test_sets_of_2000_have_a_frechet_distance_that_streams_and_is_exact(plan, tmp_path):
    """FD(x, x) = 0; of another set that of all its features at once; 1,999 pictures have none (trap 35)."""
    random = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(2000, 8, generator=random), 0.3 + torch.randn(2000, 8, generator=random))
    for count in (2000, 1999):
        wanted = plan(Unconditional(), count=count, batch=600)
        parts = Parts(tmp_path / str(count))
        parts.write(Piece(REFERENCE, 0, count), Moments.of(real[:count]).to_tensors() | {"features": real[:count]})
        looker = Looker(name="noise", sha256="0", family="noise")
        record = Record(
            plan=wanted, model_sha256="0", data_sha256="0", data_count=count, resize="as stored", features=looker
        )
        pieces = [piece for piece in wanted.pieces() if piece.method == MODEL]
        distances = {0.0: real, frechet_distance(Moments.of(fake), Moments.of(real)): fake}
        for distance, features in distances.items() if count == 2000 else [(0.0, real)]:
            for piece in pieces:
                parts.write(piece, {"features": features[piece.start : piece.stop]})
            found = {figure.name: figure for figure in set_figures(record, parts).of(pieces)}
            assert ("FD" in found) == (count == 2000)
            assert "KD" in found
            if count == 2000:
                assert found["FD"].value == pytest.approx(distance, rel=1e-9, abs=1e-9)


def test_results_never_meet_their_own_originals_in_a_kernel_distance(plan, tmp_path):
    """Results that equal their originals have one distribution with them: unbiased means 0 on average, not below."""
    count, found, naive = 16, [], []
    wanted = plan(count=count, batch=8)
    record = Record(
        plan=wanted,
        model_sha256="0",
        data_sha256="0",
        data_count=count,
        resize="as stored",
        features=Looker(name="noise", sha256="0", family="noise"),
    )
    pieces = [piece for piece in wanted.pieces() if piece.method == MODEL]
    for seed in range(40):
        real = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))
        parts = Parts(tmp_path / str(seed))
        parts.write(Piece(REFERENCE, 0, count), Moments.of(real).to_tensors() | {"features": real})
        for piece in pieces:
            parts.write(piece, {"features": real[piece.start : piece.stop]})
        (figure,) = (figure for figure in set_figures(record, parts).of(pieces) if figure.name == "KD")
        assert figure.count == count // 2
        found.append(figure.value)
        naive.append(kernel_distance(real, real)[0])
    for values, low, high in ((torch.tensor(found), -3, 3), (torch.tensor(naive), -1e9, -3)):
        assert low < values.mean() / (values.std() / len(values) ** 0.5) < high


def test_classes_that_come_in_turn_fall_into_both_halves_of_a_kernel_distance(plan, tmp_path):
    """With two classes, at even and at odd places, results that equal their originals are no other set of pictures."""
    count = 200
    wanted = plan(count=count, batch=count)
    looker = Looker(name="noise", sha256="0", family="noise")
    record = Record(
        plan=wanted, model_sha256="0", data_sha256="0", data_count=count, resize="as stored", features=looker
    )
    real = torch.randn(count, 4, generator=torch.Generator().manual_seed(0)) + 3 * (torch.arange(count) % 2)[:, None]
    parts = Parts(tmp_path)
    parts.write(Piece(REFERENCE, 0, count), Moments.of(real).to_tensors() | {"features": real})
    (piece,) = (piece for piece in wanted.pieces() if piece.method == MODEL)
    parts.write(piece, {"features": real})
    (figure,) = (figure for figure in set_figures(record, parts).of([piece]) if figure.name == "KD")
    assert figure.low < 0 < figure.high
    assert kernel_distance(real[::2], real[1::2])[0] > 100 * abs(figure.value)


@pytest.mark.parametrize("count", [4, 7, 500])
def test_the_halves_are_all_pictures_each_once(count):
    first, second = halves(count)
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(count))
    assert len(second) - len(first) in (0, 1)
    assert torch.equal(first, halves(count)[0])


# --------------------------------------------------------------------------------------------- likelihood


def bits(out):
    return torch.cat([each.values["bits"] for each in scores(out) if "bits" in each.values])


def test_the_bound_is_over_the_steps_of_an_ancestral_sampler(plan, trained, photos, tmp_path):
    run(plan(Unconditional(), sampler=Ancestral(steps=2), nll="vlb", likely=5), tmp_path / "few")
    run(plan(Unconditional(), sampler=FEW, nll="vlb", likely=5), tmp_path / "all")
    model = ediffuser.load(str(trained(Unconditional())), device="cpu", precision="float32")
    levels = ImageFolder(path=str(photos), resolution=32).open().batch(range(5))
    run(plan(Unconditional(), sampler=Ancestral(clip=False), nll="vlb", likely=5), tmp_path / "unclipped")
    assert "over all steps, x_0 not clipped" in (tmp_path / "unclipped" / "table.md").read_text()
    assert not torch.equal(bits(tmp_path / "unclipped"), bits(tmp_path / "all"))
    for name, steps, said in (("few", 2, "by the bound over 2 steps"), ("all", None, "by the bound over all steps")):
        wanted = bits_per_dim(model, levels, [(0, k) for k in range(5)], None, "vlb", steps=steps)
        assert torch.allclose(bits(tmp_path / name), wanted.value, rtol=1e-4)
        assert said in (tmp_path / name / "table.md").read_text()
    assert not torch.allclose(bits(tmp_path / "few"), bits(tmp_path / "all"), rtol=1e-2)


def test_the_likelihood_of_held_out_pictures_is_theirs(plan, photos, tmp_path):
    few = tmp_path / "held-out"
    few.mkdir()
    for path in sorted(photos.iterdir())[-4:]:
        (few / path.name).write_bytes(path.read_bytes())
    others = ImageFolder(path=str(few), resolution=32)
    free = plan(Unconditional(), nll="vlb", likely=4)
    run(dataclasses.replace(free, held_out=others), tmp_path / "out")
    run(dataclasses.replace(free, data=others, count=4), tmp_path / "alone")
    assert torch.equal(bits(tmp_path / "out"), bits(tmp_path / "alone"))
    assert f"the first 4 pictures of {few.name} (sha256 " in (tmp_path / "out" / "table.md").read_text()
    assert str(tmp_path) not in (tmp_path / "out" / "plan.json").read_text()


def test_pictures_that_only_the_likelihood_is_of_belong_to_what_is_recorded(plan, photos, tmp_path):
    run(plan(Unconditional(), nll="vlb", compared=4), tmp_path / "out")
    record, pictures = Record.read(tmp_path / "out"), ImageFolder(path=str(photos), resolution=32).open()
    assert (record.data_count, record.data_sha256) == (4, fingerprint(pictures, 4))
    assert record.used_sha256 == fingerprint(pictures, 6)


def test_held_out_pictures_of_another_size_are_refused_before_anything_is_made(plan, photos, tmp_path):
    with pytest.raises(BadInputError, match="shape"):
        run(plan(Unconditional(), nll="vlb", held_out=ImageFolder(path=str(photos), resolution=16)), tmp_path / "out")
    assert not (tmp_path / "out" / "parts").exists()


@pytest.mark.parametrize(("task", "nll"), [(Unconditional(), None), (Inpainting(), "vlb")])
def test_held_out_pictures_are_for_a_likelihood_of_generation_alone(plan, task, nll):
    with pytest.raises(ValidationError, match="for the likelihood of generation"):
        plan(task, held_out=ImageFolder(path="x", resolution=32), nll=nll)


# ------------------------------------------------------------------------------------------------ how it ends


def test_progress_counts_the_pieces_and_a_finished_evaluation_has_none_left(plan, tmp_path):
    steps = run(plan(), tmp_path / "out")
    assert [(step.done, step.total) for step in steps] == [(done, 5) for done in range(6)]
    assert [step.piece.name for step in steps[1:]][:3] == [
        "reference-0000000", "brush-telea-0000000", "brush-telea-0000004",
    ]  # fmt: skip
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "parts").iterdir()}
    assert [(step.done, step.piece) for step in run(plan(), tmp_path / "out")] == [(5, None)]
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "parts").iterdir()}


def test_one_that_is_asked_to_stop_ends_after_its_piece_and_goes_on_later(plan, tmp_path):
    stop, steps = Stop(), []
    for step in evaluate(plan(), tmp_path / "out", device="cpu", stop=stop):
        steps.append(step)
        if step.done == 2:
            stop.signal = signal.SIGTERM
    assert steps[-1].done == 2
    assert not (tmp_path / "out" / "figures.json").exists()
    assert run(plan(), tmp_path / "out")[0].done == 2
    assert (tmp_path / "out" / "figures.json").exists()


@pytest.mark.integration
def test_a_reference_says_how_far_it_is_and_is_given_up_when_it_is_to_stop(plan, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    chosen, stop = plan(Unconditional(), features="efficientnet-lite0", compared=7), Stop()
    _, *told = evaluate(chosen, tmp_path / "run", device="cpu")
    assert [(each.done, each.seen) for each in told] == [(0, 4), (0, 7), (1, None), (2, None), (3, None)]
    assert {figure.name for figure in figures(tmp_path / "run")[1]} >= {"KD", "NFE"}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another cache"))
    for each in evaluate(chosen, tmp_path / "stopped", device="cpu", stop=stop):
        stop.signal = signal.SIGTERM if each.seen == 4 else None
    assert each.seen == 4
    assert not list((tmp_path / "stopped" / "parts").iterdir())
    list(evaluate(chosen, tmp_path / "stopped", device="cpu"))
    assert (tmp_path / "stopped" / "figures.json").read_bytes() == (tmp_path / "run" / "figures.json").read_bytes()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGUSR1, 0), (signal.SIGINT, 130)])
def test_signals_end_it_between_two_pieces(number, code, trained, photos, tmp_path):
    arguments = ("--data", str(photos), "--task", "inpainting", "--count", "10", "--batch", "1", "--holes", "thin")
    plain = ("--features", "none", "--distance", "none", "--steps", "2", "--device", "cpu", "--baselines", "telea")
    killable = Killable((str(trained(Inpainting())), *arguments, *plain), tmp_path / "run")
    process = killable.start(pause_s=0.05)
    killable.wait_until_working(process)
    import os

    os.kill(process.pid, number)
    process.join(60)
    assert process.exitcode == code
    assert not killable.leftovers()
    assert killable.parts() < 21
    assert not (killable.out / "figures.json").exists()
    assert killable.finish() == 0


def test_what_was_set_before_and_is_no_longer_makes_another_plan(plan, tmp_path):
    def record(conditioning):
        return Record(
            plan=plan(conditioning=conditioning), model_sha256="0", data_sha256="0", data_count=6, resize="as stored"
        )

    claim_plan(record(RePaint()), tmp_path)
    claim_plan(record(RePaint()), tmp_path)
    with pytest.raises(BadInputError, match=r"holds an evaluation with conditioning\.kind repaint, not None"):
        claim_plan(record(None), tmp_path)


def test_whoever_finds_the_figures_finds_the_table_and_the_picture_too(plan, tmp_path, monkeypatch):
    """A study takes an evaluation with figures for finished; a kill between the files must not lose one for good."""

    def killed(record, parts):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ediffuser.evaluation.report.sheet", killed)
        with pytest.raises(KeyboardInterrupt):
            run(plan(), tmp_path / "out")
    assert not (tmp_path / "out" / "figures.json").exists()
    run(plan(), tmp_path / "out")
    assert {"figures.json", "table.md", "grid.png"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_a_directory_in_use_is_refused(plan, tmp_path):
    (tmp_path / "out").mkdir()
    with only_one(tmp_path / "out"), pytest.raises(BadInputError, match="is being written by another process"):
        run(plan(), tmp_path / "out")


def test_a_report_without_all_of_its_parts_is_refused(plan, tmp_path):
    run(plan(), tmp_path / "out")
    (tmp_path / "out" / "parts" / "brush-model-0000004.safetensors").unlink()
    with pytest.raises(BadInputError, match="brush-model-0000004"):
        figures(tmp_path / "out")
    with pytest.raises(BadInputError, match=r"plan\.json is missing"):
        figures(tmp_path)


def test_the_record_holds_no_place_of_the_machine(plan, photos, tmp_path):
    run(plan(), tmp_path / "out")
    text = "".join((tmp_path / "out" / name).read_text() for name in ("plan.json", "figures.json", "table.md"))
    assert str(photos.parent) not in text
    record = Record.read(tmp_path / "out")
    assert record.plan == dataclasses.replace(
        plan(), model=record.plan.model, data=dataclasses.replace(plan().data, path=photos.name)
    )
    assert json.loads((tmp_path / "out" / "figures.json").read_text())["context"]["reference"] == photos.name
