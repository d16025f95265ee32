"""A refined projection is the closed-form one of the first training examples."""

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from models import device
from models.retrieval import refine, sampling
from models.retrieval.batches import Batches
from models.retrieval.network import Network
from models.retrieval.reading import read_examples
from models.retrieval.weights import load, save
from tests.support.performances import performance
from tests.support.staves import write_shard

REGULARISATION = 1e-3


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small gain nothing from more, and wait for each other on a busy machine."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


@pytest.fixture
def shards(tmp_path):
    rows = [performance(f"train{n}", seed=n) for n in range(4)]
    return [write_shard(tmp_path / "train.parquet", rows)]


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "weights.safetensors"
    save(Network("BL2-SC+AT", channels=(4, 4, 4, 4)), path, seed="7", epoch="3")
    return path


def canonical(sheet: np.ndarray, audio: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Canonical directions U and V, and correlations, by numpy in float64."""
    sheet, audio = sheet - sheet.mean(axis=0), audio - audio.mean(axis=0)
    roots = []
    for part in (sheet, audio):
        values, vectors = np.linalg.eigh(
            part.T @ part / (len(part) - 1) + REGULARISATION * np.eye(part.shape[1])
        )
        roots.append(vectors / np.sqrt(values) @ vectors.T)
    left, correlations, right = np.linalg.svd(
        roots[0] @ (sheet.T @ audio / (len(sheet) - 1)) @ roots[1]
    )
    return roots[0] @ left, roots[1] @ right.T, correlations


def embedded(weights, shards, numbers, samples, seed=0, augmentation=None):
    """Vectors of batches of the training sequence, in evaluation mode and before projection."""
    network, data = load(weights), read_examples(shards)
    augmentation = augmentation or sampling.Augmentation()
    batches = Batches(data, network.context, refine.BATCH, seed, augmentation)
    with torch.no_grad():
        parts = [
            torch.cat([network.sheet(images), network.audio(excerpts)], dim=1)
            for images, excerpts in (batches[number] for number in numbers)
        ]
    both = torch.cat(parts)[:samples].double().numpy()
    return both[:, :32], both[:, 32:]


@pytest.mark.parametrize(
    ("samples", "numbers", "seed", "augmentation"),
    [
        (230, range(3), 0, None),
        (100, range(1), 5, sampling.NO_AUGMENTATION),
    ],
)
def test_the_projection_is_that_of_all_vectors_at_once(
    weights, shards, tmp_path, samples, numbers, seed, augmentation
):
    changes = {"augmentation": augmentation} if augmentation else {}
    out = tmp_path / "refined.safetensors"
    refine.refine(weights, shards, out, samples=samples, seed=seed, precision="32-true", **changes)
    sheet, audio = embedded(weights, shards, numbers, samples, seed, augmentation)
    found = {name: value.double().numpy() for name, value in load_file(out).items()}
    np.testing.assert_allclose(found["cca.mean_sheet"], sheet.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["cca.mean_audio"], audio.mean(axis=0), rtol=1e-4, atol=1e-5)
    u, v, correlations = canonical(sheet, audio)
    # The sign of a direction is free, and equal correlations leave a rotation open; what both
    # sides' projections give together is not.
    np.testing.assert_allclose(
        found["cca.sheet"] @ found["cca.audio"].T, u @ v.T, rtol=1e-3, atol=1e-2
    )
    projected = (sheet - sheet.mean(axis=0)) @ found["cca.sheet"]
    own = (audio - audio.mean(axis=0)) @ found["cca.audio"]
    covariances = (projected * own).sum(axis=0) / (samples - 1)
    np.testing.assert_allclose(np.sort(covariances), np.sort(correlations), atol=1e-4)


def test_only_the_projection_changes_and_the_file_says_so(weights, shards, tmp_path):
    out = tmp_path / "refined.safetensors"
    refine.refine(weights, shards, out, samples=120)
    before, after = load_file(weights), load_file(out)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert before.keys() == after.keys()
    assert changed == {"cca.mean_sheet", "cca.mean_audio", "cca.sheet", "cca.audio"}
    assert load(out).name == "BL2-SC+AT"
    with safe_open(out, framework="pt") as file:
        metadata = file.metadata()
    assert (metadata["refined"], metadata["seed"], metadata["epoch"]) == ("120", "7", "3")


def test_without_a_number_each_example_counts_once(weights, shards, tmp_path):
    """Seen in the moments: the mean of excerpts of all examples, in whatever order."""
    data = read_examples(shards)
    inside = np.flatnonzero(data.inside(42))
    out = tmp_path / "refined.safetensors"
    refine.refine(
        weights,
        shards,
        out,
        samples=None,
        precision="32-true",
        augmentation=sampling.NO_AUGMENTATION,
    )
    network = load(weights)
    with torch.no_grad():
        sheet = network.sheet(torch.from_numpy(data.snippet_batch(inside)))
        audio = network.audio(torch.from_numpy(data.excerpt_batch(inside, 42)))
    found = load_file(out)
    torch.testing.assert_close(found["cca.mean_sheet"], sheet.mean(dim=0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found["cca.mean_audio"], audio.mean(dim=0), rtol=1e-4, atol=1e-5)
    with safe_open(out, framework="pt") as file:
        assert file.metadata()["refined"] == str(len(inside))


def test_half_precision_changes_little(weights, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(device, "computes_bf16", lambda: True)  # slow if it does not
    for precision in ("32-true", "bf16-mixed"):
        refine.refine(weights, shards, tmp_path / precision, samples=120, precision=precision)
    full, half = (
        load_file(tmp_path / name)["cca.mean_audio"] for name in ("32-true", "bf16-mixed")
    )
    assert not torch.equal(full, half)
    torch.testing.assert_close(full, half, rtol=0.05, atol=0.02)


def test_too_few_samples_are_refused(weights, shards, tmp_path):
    with pytest.raises(ValueError, match=r"weights\.safetensors: 32 examples .* 33 or more"):
        refine.refine(weights, shards, tmp_path / "out", samples=32)
    assert not (tmp_path / "out").exists()


def test_collapsed_embeddings_are_named(weights, shards, tmp_path):
    network = load(weights)
    with torch.no_grad():
        network.sheet_branch[1].dense.weight.zero_()
    save(network, weights)
    with pytest.raises(FloatingPointError, match=r"weights\.safetensors: the sheet .* collapsed"):
        refine.refine(weights, shards, tmp_path / "out", samples=100)


def test_a_file_that_holds_no_weights_is_named(shards, tmp_path):
    (tmp_path / "weights").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="weights is not a safetensors file"):
        refine.refine(tmp_path / "weights", shards, tmp_path / "out")
