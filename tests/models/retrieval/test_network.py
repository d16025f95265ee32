"""The networks against Table 1 written layer by layer."""

import pytest
import torch
from torch import nn

from models.retrieval.network import MODELS, Network
from pipeline.constants import CONTEXTS, EMBEDDING

NARROW = (3, 4, 6, 5)
PARAMETERS = {  # trainable, of the authors' released weights
    "BL1-SC": 662_000,
    "BL2-SC": 702_992,
    "BL2-MC": 718_352,
    "BL2-LC": 743_952,
    "BL2-SC+AT": 1_034_930,
    "BL2-MC+AT": 1_054_364,
    "BL2-LC+AT": 1_088_112,
}
ROWS = 3


def inputs(name, rows=ROWS, dtype=torch.float64):
    """Images (rows, 1, 80, 100) and excerpts (rows, 1, 92, T) of noise."""
    random = torch.Generator().manual_seed(0)
    shapes = (rows, 1, 80, 100), (rows, 1, 92, MODELS[name].context)
    return [torch.rand(shape, generator=random, dtype=dtype) for shape in shapes]


def narrow(name):
    """A small network of any weights, normalisations and projection included."""
    torch.manual_seed(1)
    network = Network(name, NARROW).double()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.normal_()
        for buffer in network.buffers():
            if buffer.is_floating_point():
                buffer.uniform_(0.5, 2)
    return network


def table_1(network, side):
    """A branch as in the paper and the authors' code, layer by layer, with its weights."""

    def convolution(layer):
        copy = nn.Conv2d(
            layer.in_channels, layer.out_channels, 3, padding=1, bias=False, dtype=torch.float64
        )
        copy.weight = layer.weight
        return copy

    def normalisation(layer):
        copy = nn.BatchNorm2d(layer.num_features, eps=1e-4, momentum=0.1).double()
        copy.load_state_dict(layer.state_dict())
        copy.weight, copy.bias = layer.weight, layer.bias
        return copy

    branch = getattr(network, f"{side}_branch")
    trunk = branch.trunk if side == "attention" else branch[0]
    layers = []
    for number, block in enumerate(trunk):
        layers += [convolution(block.convolution), normalisation(block.normalisation), nn.ELU()]
        layers += [nn.MaxPool2d(2)] if number % 2 else []
    if side == "attention":
        per_frame = nn.Conv2d(NARROW[-1], network.context, 1).double()
        per_frame.weight = nn.Parameter(branch.dense.weight[:, :, None, None])
        per_frame.bias = branch.dense.bias
        layers += [per_frame, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Softmax(dim=1)]
        return nn.Sequential(*layers)
    head = branch[1]
    layers.append(head.convolution)
    if side == "audio" or network.name == "BL1-SC":
        layers.append(normalisation(head.normalisation))
    if network.name == "BL1-SC":
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    else:
        layers += [nn.Flatten(), head.dense]
    return nn.Sequential(*layers)


def heard(network, excerpts):
    """The audio side of Table 1."""
    if network.attends:
        weights = table_1(network, "attention").train(network.training)(excerpts)
        excerpts = network.context * weights[:, None, None, :] * excerpts
    return table_1(network, "audio").train(network.training)(excerpts)


def test_has_the_models_of_the_paper():
    assert set(MODELS) == set(PARAMETERS)
    for name, shape in MODELS.items():
        assert shape.context == CONTEXTS[name[4:6]]
        assert shape.attends == name.endswith("+AT")


@pytest.mark.parametrize("name", PARAMETERS)
def test_has_the_parameters_of_the_released_weights(name):
    with torch.device("meta"):
        network = Network(name)
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", ["BL1-SC", "BL2-SC", "BL2-SC+AT"])
@pytest.mark.parametrize("training", [True, False])
def test_is_table_1_layer_by_layer(name, training):
    network = narrow(name).train(training)
    images, excerpts = inputs(name)
    expected = [
        table_1(network, "sheet").train(training)(images),
        heard(network, excerpts),
    ]
    torch.testing.assert_close([network.sheet(images), network.audio(excerpts)], expected)


def test_keeps_the_statistics_of_table_1():
    network = narrow("BL1-SC")
    plain = table_1(network, "sheet")
    images = inputs("BL1-SC")[0]
    network.sheet(images), plain(images)
    torch.testing.assert_close(list(network.sheet_branch.buffers()), list(plain.buffers()))


def test_gradients_are_those_of_table_1():
    network = narrow("BL2-SC+AT")
    images, excerpts = inputs(network.name)
    parameters = [
        parameter
        for name, parameter in network.named_parameters()
        if "attention_branch.d" not in name
    ]
    losses = [
        network.sheet(images).square().sum() + network.audio(excerpts).square().sum(),
        table_1(network, "sheet")(images).square().sum() + heard(network, excerpts).square().sum(),
    ]
    torch.testing.assert_close(*(torch.autograd.grad(loss, parameters) for loss in losses))


@pytest.mark.parametrize("name", PARAMETERS)
def test_gives_unit_vectors_of_any_context(name):
    network = narrow(name).eval()
    images, excerpts = inputs(name, rows=2)
    assert network.context == excerpts.shape[-1]
    assert network.sheet(images).shape == network.audio(excerpts).shape == (2, EMBEDDING)
    for side in network(images, excerpts):
        torch.testing.assert_close(side.norm(dim=1), torch.ones(2, dtype=torch.float64))


def test_training_projects_with_the_batch_and_evaluation_with_what_is_stored():
    network = narrow("BL2-SC")
    images, excerpts = inputs("BL2-SC", rows=40)
    network(images, excerpts)
    network.eval()
    sheet, audio = network.sheet(images[:4]), network.audio(excerpts[:4])
    stored = network.cca.state_dict()
    expected = [
        nn.functional.normalize((side - stored[f"mean_{name}"]) @ stored[name])
        for name, side in (("sheet", sheet), ("audio", audio))
    ]
    torch.testing.assert_close(list(network(images[:4], excerpts[:4])), expected)
    torch.testing.assert_close(network.project_sheet(sheet), expected[0])
    torch.testing.assert_close(network.project_audio(audio), expected[1])


@pytest.mark.parametrize("name", ["BL1-SC", "BL2-SC+AT"])
def test_the_layout_in_memory_changes_nothing(name):
    network = narrow(name)
    images, excerpts = inputs(name)
    expected = network.sheet(images), network.audio(excerpts)
    network = narrow(name).to(memory_format=torch.channels_last)
    torch.testing.assert_close((network.sheet(images), network.audio(excerpts)), expected)


def test_bfloat16_is_close_and_ends_in_single_precision():
    torch.manual_seed(0)
    network = Network("BL2-SC+AT", NARROW).to(memory_format=torch.channels_last)
    images, excerpts = inputs(network.name, dtype=torch.float32)
    expected = network.sheet(images), network.audio(excerpts), network.attention(excerpts)
    with torch.autocast("cpu", torch.bfloat16):
        found = network.sheet(images), network.audio(excerpts), network.attention(excerpts)
    for mine, exact in zip(found, expected, strict=True):
        assert mine.dtype == torch.float32
        assert (mine - exact).norm() < 0.1 * exact.norm()


def test_attention_is_a_weight_for_each_frame():
    network = narrow("BL2-MC+AT").eval()
    weights = network.attention(inputs(network.name)[1])
    assert weights.shape == (ROWS, CONTEXTS["MC"])
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(ROWS, dtype=torch.float64))
    assert weights.std(dim=0).max() > 0  # depends on the excerpt


def test_even_attention_changes_nothing():
    network = narrow("BL2-SC+AT").eval()
    nn.init.zeros_(network.attention_branch.dense.weight)
    nn.init.zeros_(network.attention_branch.dense.bias)
    excerpts = inputs(network.name)[1]
    torch.testing.assert_close(network.audio(excerpts), network.audio_branch(excerpts))


def test_frames_without_attention_are_not_heard():
    network = narrow("BL2-SC+AT").eval()
    nn.init.zeros_(network.attention_branch.dense.weight)
    nn.init.constant_(network.attention_branch.dense.bias, -1000)
    with torch.no_grad():
        network.attention_branch.dense.bias[17] = 0
    excerpts = inputs(network.name)[1]
    heard = network.audio(excerpts)
    others = excerpts.flip(0).clone()
    others[..., 17] = excerpts[..., 17]
    torch.testing.assert_close(network.audio(others), heard)
    others[..., 17] += 1
    assert (network.audio(others) - heard).abs().max() > 1e-3


def test_a_model_without_attention_says_so():
    network = narrow("BL2-SC")
    assert not network.attends
    with pytest.raises(ValueError, match="BL2-SC has no attention"):
        network.attention(inputs("BL2-SC")[1])


def test_an_unknown_model_is_refused():
    with pytest.raises(ValueError, match="no model 'BL3-SC'; there are BL1-SC, BL2-SC"):
        Network("BL3-SC")


def test_weights_start_uniform_with_the_variance_of_their_inputs():
    torch.manual_seed(0)
    network = Network("BL2-SC+AT")
    for name, parameter in network.named_parameters():
        if parameter.dim() > 1:
            bound = (3 / parameter[0].numel()) ** 0.5
            assert 0.98 * bound < parameter.abs().max() <= bound, name
            assert parameter.std().item() == pytest.approx(bound / 3**0.5, rel=0.1), name
        else:
            assert (parameter == (1 if name.endswith("normalisation.weight") else 0)).all(), name
