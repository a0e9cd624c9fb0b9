import json

import pydantic
import pytest
import torch

from ediffuser.diffusion.schedules import CosineBetas, LinearBetas
from ediffuser.model import CONFIG, WEIGHTS, ModelConfig, load_checkpoint, load_config, model_files
from ediffuser.runtime.checkpoint import MANIFEST, tensors_from_bytes, tensors_to_bytes, write_checkpoint
from ediffuser.runtime.errors import CheckpointError
from ediffuser.tasks import Colorization, Inpainting, Unconditional


@pytest.fixture
def config(network_config):
    return ModelConfig(
        network=network_config(in_channels=7), schedule=CosineBetas(steps=400), task=Inpainting(), parametrisation="x0"
    )


@pytest.fixture
def network(random_denoiser):
    return random_denoiser(condition_channels=4).network


@pytest.fixture
def weights(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.fixture
def written(tmp_path, config):
    """Writes a checkpoint with these weights, whatever they are, and returns its path."""

    def write(weights, changed_config=None):
        content = model_files(config, torch.nn.Identity()) | {WEIGHTS: tensors_to_bytes(weights)}
        if changed_config is not None:
            content[CONFIG] = changed_config
        write_checkpoint(tmp_path / "model", content)
        return tmp_path / "model"

    return write


def load(path):
    return load_checkpoint(path, "cpu", "float32")


def test_a_checkpoint_brings_back_the_same_denoiser(tmp_path, config, network):
    write_checkpoint(tmp_path / "model", model_files(config, network))
    model = load(tmp_path / "model")
    assert model.config == load_config(tmp_path / "model") == config
    assert (model.resolution, model.shape) == (16, (3, 16, 16))
    assert model.precision == torch.float32
    assert not model.network.training
    assert not any(parameter.requires_grad for parameter in model.network.parameters())
    x, t = torch.randn(2, 7, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([3.0, 399.0])
    assert torch.equal(model.network(x, t), network(x, t))
    denoiser = model.denoiser
    assert (denoiser.schedule, denoiser.parametrisation) == (config.schedule, "x0")
    assert torch.equal(denoiser.given(x[:, 3:])(x[:, :3], torch.tensor(0.5)).x0, network(x, torch.full((2,), 199.0)))


def test_weights_may_be_stored_in_bf16(tmp_path, config, network):
    write_checkpoint(tmp_path / "model", model_files(config, network, torch.bfloat16))
    stored = tensors_from_bytes((tmp_path / "model" / WEIGHTS).read_bytes(), WEIGHTS, tmp_path)
    assert {value.dtype for value in stored.values()} == {torch.bfloat16}
    loaded = load(tmp_path / "model").network.state_dict()
    for name, value in network.state_dict().items():
        assert loaded[name].dtype == torch.float32
        assert torch.equal(loaded[name], value.bfloat16().float())


def test_precision_and_device_are_chosen_at_loading(written, weights):
    path = written(weights)
    assert load_checkpoint(path, "cpu", "bf16").precision == torch.bfloat16
    assert load_checkpoint(path).device.type in ("cpu", "cuda")


def test_missing_tensors_are_refused_by_name(written, weights):
    del weights["conv_in.weight"]
    with pytest.raises(CheckpointError, match=rf"tensor conv_in\.weight is missing from {WEIGHTS}"):
        load(written(weights))


def test_unknown_tensors_are_refused_by_name(written, weights):
    with pytest.raises(CheckpointError, match=rf"tensor conv_mid\.weight is unknown in {WEIGHTS}"):
        load(written(weights | {"conv_mid.weight": torch.zeros(1)}))


def test_tensors_of_another_shape_are_refused_by_name(written, weights):
    with pytest.raises(
        CheckpointError, match=r"tensor conv_in\.weight in .* has shape \(32, 6, 3, 3\), not \(32, 7, 3, 3\)"
    ):
        load(written(weights | {"conv_in.weight": torch.zeros(32, 6, 3, 3)}))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_tensors_that_are_not_finite_are_refused_by_name(written, weights, value):
    weights["middle1.conv1.weight"][3, 2, 1, 1] = value
    with pytest.raises(CheckpointError, match=rf"tensor middle1\.conv1\.weight in {WEIGHTS} is not finite"):
        load(written(weights))


def test_weights_of_no_known_format_are_refused(tmp_path, config, network):
    write_checkpoint(tmp_path / "model", model_files(config, network) | {WEIGHTS: b"PK\x03\x04 a pickle in a zip"})
    with pytest.raises(CheckpointError, match=rf"{WEIGHTS} is not a safetensors file"):
        load(tmp_path / "model")


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_a_flipped_bit_is_refused_by_name(written, weights, name):
    path = written(weights)
    content = bytearray((path / name).read_bytes())
    content[len(content) // 2] ^= 4
    (path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{name} is damaged"):
        load(path)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, MANIFEST])
def test_a_missing_file_is_refused_by_name(written, weights, name):
    path = written(weights)
    (path / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        load(path)


def test_a_run_directory_or_nothing_is_no_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match=r"nothing is not a directory"):
        load(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match=f"{MANIFEST} is missing"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda fields: fields["network"].update(widthz=[1]), r"network\.widthz"),
        (lambda fields: fields["network"].update(widths=[32]), "network"),
        (lambda fields: fields["schedule"].update(steps=0), r"schedule\.cosine\.steps"),
        (lambda fields: fields.update(task={"kind": "sharpening"}), "task"),
        (lambda fields: fields.update(parametrisation="noise"), "parametrisation"),
        (lambda fields: fields.pop("schedule"), "schedule"),
        (
            lambda fields: fields["network"].update(in_channels=6, out_channels=5),
            "network of 6 input and 5 output channels",
        ),
    ],
)
def test_a_configuration_that_does_not_fit_says_where(written, weights, config, change, where):
    fields = json.loads(model_files(config, torch.nn.Identity())[CONFIG])
    change(fields)
    with pytest.raises(CheckpointError, match=f"{CONFIG} does not fit, .*{where}"):
        load(written(weights, json.dumps(fields).encode()))


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_a_configuration_that_is_no_json_is_refused(written, weights, content):
    with pytest.raises(CheckpointError, match=f"{CONFIG} does not fit"):
        load(written(weights, content))


@pytest.mark.parametrize(
    ("task", "channels", "sentence"),
    [
        (
            Inpainting(),
            3,
            "3 input and 3 output channels does not fit the task 'inpainting', which adds 4 input channels",
        ),
        (Inpainting(hole_channel=False), 7, "7 input and 3 output .* 'inpainting', which adds 3 input channels"),
        (Colorization(), 7, "7 input and 3 output .* 'colorization', which adds 3 input channels"),
        (Unconditional(), 6, "6 input and 3 output .* 'unconditional', which adds 0 input channels"),
    ],
)
def test_a_network_that_does_not_fit_the_task_is_refused(network_config, task, channels, sentence):
    with pytest.raises(pydantic.ValidationError, match=sentence):
        ModelConfig(network=network_config(in_channels=channels), schedule=LinearBetas(), task=task)


def test_a_learned_variance_doubles_the_output(network_config):
    def config(**fields):
        return ModelConfig(schedule=LinearBetas(), task=Unconditional(), **fields)

    assert config(network=network_config(out_channels=6), learned_variance=True).picture_channels == 3
    for out, learned in ((6, False), (3, True)):
        with pytest.raises(pydantic.ValidationError, match=f"3 input and {out} output channels"):
            config(network=network_config(out_channels=out), learned_variance=learned)
