"""The projection against the textbook's formulas, and its gradient against the authors' way."""

import itertools

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from torch.nn import functional

from models.retrieval.cca import CCA, Moments, fit, solve
from models.retrieval.loss import ranking_loss
from pipeline.constants import EMBEDDING

ROWS = 100  # a training batch
RIDGE = 1e-3 * np.eye(EMBEDDING)  # the authors' r1 and r2


def embeddings(rows=ROWS, seed=0, noise=1.0):
    """Two float64 embeddings (rows, 32) that share some of their content, far from white."""
    random = np.random.default_rng(seed)
    shared = random.normal(size=(rows, EMBEDDING)) * np.linspace(2, 0.1, EMBEDDING)
    sides = []
    for _ in range(2):
        side = shared @ random.normal(size=(EMBEDDING, EMBEDDING))
        side += noise * random.normal(size=side.shape)
        sides.append(side * np.linspace(0.3, 3, EMBEDDING) + random.normal(size=EMBEDDING))
    return sides


def tensors(*arrays, dtype=torch.float64):
    return [torch.tensor(array, dtype=dtype, requires_grad=True) for array in arrays]


def reference(sheet, audio):
    """Means and projections by scipy, after the authors' description; descending order."""
    count = len(sheet)
    means = sheet.mean(axis=0), audio.mean(axis=0)
    sheet, audio = sheet - means[0], audio - means[1]
    roots = [
        np.linalg.inv(scipy.linalg.sqrtm(side.T @ side / (count - 1) + RIDGE))
        for side in (sheet, audio)
    ]
    e, _, f = scipy.linalg.svd(roots[0] @ (sheet.T @ audio / (count - 1)) @ roots[1])
    return {
        "mean_sheet": means[0],
        "mean_audio": means[1],
        "sheet": roots[0] @ e,
        "audio": roots[1] @ f.T,
    }


def same_signs(buffers, expected):
    """`expected` with the signs of `buffers`, where each pair of directions is free in its own."""
    signs = np.sign((np.asarray(buffers["sheet"]) * expected["sheet"]).sum(axis=0))
    return expected | {"sheet": expected["sheet"] * signs, "audio": expected["audio"] * signs}


def assert_same(buffers, expected, tolerance):
    expected = same_signs(buffers, expected)
    for name, value in buffers.items():
        np.testing.assert_allclose(value, expected[name], atol=tolerance, rtol=0, err_msg=name)


def authors_way(sheet, audio):
    """The layer as published: both sides by eigendecomposition, ascending, signs aligned."""
    count = len(sheet)
    sheet, audio = sheet - sheet.mean(dim=0), audio - audio.mean(dim=0)
    ridge = torch.tensor(RIDGE)
    s12 = sheet.T @ audio / (count - 1)
    roots = []
    for side in (sheet, audio):
        values, vectors = torch.linalg.eigh(side.T @ side / (count - 1) + ridge)
        roots.append(vectors @ torch.diag(values**-0.5) @ vectors.T)
    t = roots[0] @ s12 @ roots[1]
    u = roots[0] @ torch.linalg.eigh(t @ t.T + ridge)[1]
    v = roots[1] @ torch.linalg.eigh(t.T @ t + ridge)[1]
    u = u * (u.T @ s12 @ v).diagonal().sign()
    return sheet @ u, audio @ v


def loss_of(project, sheet, audio):
    """What training minimises."""
    return ranking_loss(*(functional.normalize(side) for side in project(sheet, audio)))


def gradients(project, sheet, audio):
    return torch.autograd.grad(loss_of(project, sheet, audio), [sheet, audio])


def test_training_projects_to_canonical_coordinates_of_the_batch():
    sheet, audio = embeddings()
    layer = CCA()
    outputs = layer(*tensors(sheet, audio))
    buffers = dict(layer.named_buffers())
    assert_same(buffers, reference(sheet, audio), 1e-5)
    expected = same_signs(buffers, reference(sheet, audio))
    for output, side, name in zip(outputs, (sheet, audio), ("sheet", "audio"), strict=True):
        projected = (side - expected[f"mean_{name}"]) @ expected[name]
        np.testing.assert_allclose(output.detach(), projected, atol=1e-9)


def test_coordinates_correlate_one_with_one_in_descending_order():
    sheet, audio = (side.detach().numpy() for side in CCA()(*tensors(*embeddings())))
    covariance = sheet.T @ audio / (ROWS - 1)
    correlations = np.diag(covariance)
    np.testing.assert_allclose(covariance, np.diag(correlations), atol=1e-9)
    assert (correlations > 0).all()
    assert (np.diff(correlations) < 0).all()


def test_evaluation_uses_what_the_last_batch_left():
    layer = CCA().double()
    layer(*tensors(*embeddings(seed=1)))
    sheet, audio = tensors(*embeddings(seed=2))
    trained = layer(sheet, audio)
    layer.eval()
    torch.testing.assert_close(layer(sheet, audio), trained)
    torch.testing.assert_close(layer(sheet[:3], audio[:3]), (trained[0][:3], trained[1][:3]))
    torch.testing.assert_close(layer.project_sheet(sheet), trained[0])
    torch.testing.assert_close(layer.project_audio(audio), trained[1])


def test_gradient_is_that_of_finite_differences():
    layer = CCA()
    assert torch.autograd.gradcheck(
        lambda *sides: loss_of(layer, *sides), tensors(*embeddings(rows=40)), fast_mode=True
    )


def test_values_and_gradient_are_those_of_the_authors_way():
    sides = tensors(*embeddings())
    torch.testing.assert_close(loss_of(CCA(), *sides), loss_of(authors_way, *sides))
    torch.testing.assert_close(gradients(CCA(), *sides), gradients(authors_way, *sides))


def white(rows=ROWS, columns=EMBEDDING):
    """Centred columns (rows, columns) of unit variance that do not correlate."""
    random = np.random.default_rng(3).normal(size=(rows, columns))
    return np.linalg.qr(random - random.mean(axis=0))[0] * (rows - 1) ** 0.5


def test_equal_correlations_have_a_gradient():
    """Where the eigenvectors are open, the authors' way divides by zero."""
    rotation = scipy.stats.ortho_group.rvs(EMBEDDING, random_state=0)
    sheet = white()
    sides = tensors(sheet, sheet @ rotation)
    assert not all(part.abs().max() < 1e6 for part in gradients(authors_way, *sides))
    layer = CCA()
    assert torch.autograd.gradcheck(
        lambda *sides: loss_of(layer, *sides), sides, fast_mode=True, rtol=1e-2
    )


def copied(sheet, audio):
    """A feature that is the copy of another, on either side."""
    sheet[:, 3], audio[:, 5] = sheet[:, 4], audio[:, 9]
    return sheet, audio


def of_rank_20(sheet, audio):
    random = np.random.default_rng(4)
    return [side[:, :20] @ random.normal(size=(20, EMBEDDING)) for side in (sheet, audio)]


def unrelated(sheet, audio):
    """No correlation at all, so that no direction is better than another."""
    columns = white(columns=2 * EMBEDDING)
    return columns[:, :EMBEDDING], columns[:, EMBEDDING:]


def tiny(sheet, audio):
    return 1e-3 * sheet, 1e-3 * audio


@pytest.mark.parametrize("spoil", [copied, of_rank_20, unrelated, tiny])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_poor_batches_give_finite_values_and_gradients(spoil, dtype):
    sides = tensors(*spoil(*embeddings()), dtype=dtype)
    assert all(side.isfinite().all() for side in CCA()(*sides))
    assert all(part.isfinite().all() and part.abs().max() < 10 for part in gradients(CCA(), *sides))


@pytest.mark.parametrize("spoil", [copied, of_rank_20, tiny])
def test_poor_batches_have_the_distances_of_their_ridge_covariance(spoil):
    """Dot products within one side are those of Mahalanobis, whatever the directions."""
    sides = spoil(*embeddings())
    for side, output in zip(sides, CCA()(*tensors(*sides)), strict=True):
        centred = side - side.mean(axis=0)
        precision = np.linalg.inv(centred.T @ centred / (ROWS - 1) + RIDGE)
        dots = (output @ output.T).detach()
        np.testing.assert_allclose(dots, centred @ precision @ centred.T, atol=1e-8)


def test_stays_in_single_precision_under_autocast():
    sheet, audio = tensors(*embeddings(), dtype=torch.float32)
    expected = CCA()(sheet, audio)
    with torch.autocast("cpu", torch.bfloat16):
        layer = CCA()
        torch.testing.assert_close(layer(sheet, audio), expected, rtol=0, atol=0)
        stored = layer.eval()(sheet, audio)
        torch.testing.assert_close((layer.project_sheet(sheet), layer.project_audio(audio)), stored)
    torch.testing.assert_close(stored, expected, rtol=1e-4, atol=1e-4)
    rough = CCA()(sheet.bfloat16(), audio.bfloat16())
    assert all(part.dtype == torch.float32 for part in rough)


def test_a_fit_is_what_the_textbook_says():
    sheet, audio = embeddings(rows=400)
    assert_same(fit(sheet, audio), reference(sheet, audio), 1e-5)


def test_a_fit_to_one_batch_is_what_training_keeps():
    layer = CCA()
    sheet, audio = tensors(*embeddings())
    layer(sheet, audio)
    assert_same(fit(sheet, audio), {k: v.numpy() for k, v in layer.named_buffers()}, 1e-6)


def test_moments_do_not_depend_on_the_batches():
    sheet, audio = embeddings(rows=1000)
    sheet, audio = (sheet + 1e4).astype(np.float32), (audio - 1e4).astype(np.float32)
    bounds = [0, 1, 7, 7, 500, 933, 1000]
    batches = [slice(*pair) for pair in itertools.pairwise(bounds)]
    expected = reference(sheet.astype(np.float64), audio.astype(np.float64))
    for order in (batches, batches[::-1]):
        moments = Moments()
        for rows in order:
            moments.add(torch.tensor(sheet[rows]), audio[rows])
        assert moments.count == 1000
        buffers = solve(moments)
        expected = same_signs(buffers, expected)
        for name in ("sheet", "audio"):
            np.testing.assert_allclose(buffers[name], expected[name], atol=1e-5)
            np.testing.assert_allclose(buffers[f"mean_{name}"], expected[f"mean_{name}"], rtol=1e-7)


def test_canonical_correlations_are_cosines_between_the_spaces():
    """Björck and Golub 1973: singular values of Q1' Q2, with an orthonormal basis of each side."""
    sheet, audio = (1e3 * side for side in embeddings(rows=500, noise=0.3))  # dwarfs the ridge
    bases = [np.linalg.qr(side - side.mean(axis=0))[0] for side in (sheet, audio)]
    cosines = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    buffers = fit(sheet, audio)
    projected = [sheet @ buffers["sheet"].numpy(), audio @ buffers["audio"].numpy()]
    correlations = [
        np.corrcoef(projected[0][:, i], projected[1][:, i])[0, 1] for i in range(EMBEDDING)
    ]
    np.testing.assert_allclose(correlations, cosines, atol=1e-5)


def test_the_buffers_of_a_fit_belong_in_the_layer():
    sheet, audio = embeddings()
    layer = CCA().eval()
    layer.load_state_dict(fit(sheet, audio))
    sides = tensors(sheet, audio, dtype=torch.float32)
    for mine, theirs in zip(layer(*sides), CCA()(*sides), strict=True):
        torch.testing.assert_close(mine.abs(), theirs.abs(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("rows", [2, EMBEDDING])
def test_too_few_rows_are_refused(rows):
    sides = embeddings(rows=rows)
    with pytest.raises(ValueError, match="33 or more"):
        CCA()(*tensors(*sides))
    with pytest.raises(ValueError, match="33 or more"):
        fit(*sides)
    CCA()(*tensors(*embeddings(rows=EMBEDDING + 1)))


def constant(side):
    return 100 + 1e-6 * side  # about the steps of float32


def on_a_line(side):
    return 5 + side[:, :1] * np.linspace(1, 2, EMBEDDING)


@pytest.mark.parametrize("collapse", [constant, on_a_line])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("which", [0, 1])
def test_a_collapsed_network_is_named(collapse, dtype, which):
    sides = embeddings()
    sides[which] = collapse(sides[which])
    sides = tensors(*sides, dtype=dtype)
    with pytest.raises(FloatingPointError, match=f"{('sheet', 'audio')[which]}.*lower learning"):
        CCA()(*sides)
    with pytest.raises(FloatingPointError, match="collapsed"):
        fit(*sides)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("which", [0, 1])
def test_numbers_that_are_none_are_named(value, which):
    sides = embeddings()
    sides[which][7, 3] = value
    with pytest.raises(FloatingPointError, match=r"not finite.*lower learning"):
        CCA()(*tensors(*sides))
    with pytest.raises(FloatingPointError, match="not finite"):
        fit(*sides)
