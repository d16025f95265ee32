"""Piece identification: rankings that can be worked out by hand, and networks that know."""

import numpy as np
import pandas as pd
import pytest
import torch

from models.device import inference_device
from models.retrieval import identify, network
from models.retrieval import weights as weights_files
from models.retrieval.identify import IDENTIFIED, rank_of, ranks, sequence_cost, votes
from models.retrieval.inference import embed_spectrogram, embed_strip
from models.retrieval.reading import read_examples
from pipeline import tables
from tests.support.performances import narrow_tokens, performance
from tests.support.staves import png, write_shard

NARROW = (2, 2, 2, 2)


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


# --- ranking ---------------------------------------------------------------------------------
def test_every_neighbour_has_a_vote():
    nearest = np.array([[0, 0, 2], [2, 2, 2]])  # two places, three neighbours each
    np.testing.assert_array_equal(votes(nearest, 5), [2, 0, 4, 0, 0])


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([9, 5, 7], [1, 3, 2]),
        ([5, 5, 7], [2.5, 2.5, 1]),  # second or third, as likely as not
        ([3, 0, 0, 0, 4], [2, 4, 4, 4, 1]),  # without a vote: the mean of ranks 3 to 5
        ([0, 0], [1.5, 1.5]),
        ([1], [1]),
    ],
)
def test_ties_share_the_expected_rank(scores, expected):
    assert [rank_of(np.array(scores), truth) for truth in range(len(scores))] == expected


def cheapest(distances: np.ndarray) -> float:
    """Mean distance of the best path from corner to corner, by the recurrence."""
    places, entries = distances.shape
    cost = np.full((places + 1, entries + 1), np.inf)
    cost[0, 0] = 0
    for i in range(places):
        for j in range(entries):
            both, place, entry = cost[i, j], cost[i, j + 1], cost[i + 1, j]
            cost[i + 1, j + 1] = min(
                both + 2 * distances[i, j], place + distances[i, j], entry + distances[i, j]
            )
    return cost[-1, -1] / (places + entries)


@pytest.mark.parametrize("shape", [(1, 1), (4, 1), (1, 5), (4, 9), (9, 4)])
def test_the_sequence_is_laid_in_the_best_way(shape):
    for seed in range(5):
        distances = np.random.default_rng(seed).uniform(0, 2, shape)
        assert sequence_cost(distances) == pytest.approx(cheapest(distances))


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 300), (100, 7)])
def test_neither_length_counts(shape):
    """The same distance everywhere is the mean distance, however many places and entries."""
    assert sequence_cost(np.full(shape, 0.5)) == pytest.approx(0.5)


def test_a_query_has_to_pass_a_whole_piece():
    """A plain part that suits every place is no match if the rest suits none."""
    plain = np.full((10, 40), 1.0)
    plain[:, 20] = 0
    assert sequence_cost(plain) > 0.7


def test_the_order_counts():
    right = 1 - np.eye(3)
    assert sequence_cost(right) == 0
    assert sequence_cost(right[::-1]) == pytest.approx(2 / 3)  # the middle alone fits


def test_of_two_pieces_of_the_same_notes_the_order_tells():
    """Votes cannot tell a tune from the same tune backwards; the sequence can."""
    notes = np.eye(8, dtype=np.float32)
    entries = np.vstack([notes, notes[::-1]])
    piece = np.repeat([0, 1], 8)
    queries = np.stack([notes, notes[::-1]])
    found = ranks(queries, entries, piece)
    np.testing.assert_array_equal(found["votes"], [1.5, 1.5])
    np.testing.assert_array_equal(found["sequence"], [1, 1])


def test_the_rank_is_that_of_the_right_piece():
    """Each query is the next piece's entries, so the right piece never wins."""
    random = np.random.default_rng(0)
    pieces = unit(random.standard_normal((3, 30, 32)) * 0.1 + 3 * np.eye(32)[:3, None])
    queries = np.roll(pieces, -1, axis=0)
    found = ranks(queries, pieces.reshape(-1, 32), np.repeat(np.arange(3), 30))
    assert (found["votes"] == 2.5).all()  # the 25 nearest are all of the wrong piece
    assert (found["sequence"] > 1).all()
    found = ranks(pieces, pieces.reshape(-1, 32), np.repeat(np.arange(3), 30))
    assert (found["votes"] == 1).all() and (found["sequence"] == 1).all()


def test_beyond_the_shortlist_votes_decide(monkeypatch):
    """A tune and its reverse share all votes, and one more piece has none."""
    notes = np.eye(8, dtype=np.float32)
    other = np.eye(16, dtype=np.float32)[8:]
    entries = np.vstack(
        [np.pad(notes, [(0, 0), (0, 8)]), np.pad(notes[::-1], [(0, 0), (0, 8)]), other]
    )
    queries = entries.reshape(3, 8, 16)[[0, 1, 1]]
    monkeypatch.setattr(identify, "NEIGHBOURS", 2)
    piece = np.repeat([0, 1, 2], 8)
    assert ranks(queries, entries, piece)["sequence"].tolist() == [1, 1, 3]
    monkeypatch.setattr(identify, "SHORTLIST", 1)  # of pieces with as many votes the first
    assert ranks(queries, entries, piece)["sequence"].tolist() == [1, 2, 3]


def test_a_long_piece_is_no_worse_for_its_length():
    """It fits the query well, with ten entries for every place; a short one fits badly."""
    axes = np.eye(32, dtype=np.float32)
    query = axes[:10]
    long = np.repeat(0.9 * query, 10, axis=0) + np.sqrt(1 - 0.9**2) * axes[20]
    short = 0.5 * query + np.sqrt(1 - 0.5**2) * axes[21]
    entries = np.vstack([long, short]).astype(np.float32)
    found = ranks(np.stack([query, query]), entries, np.repeat([0, 1], [100, 10]))
    assert found["sequence"].tolist() == [1, 2]


# --- the experiment --------------------------------------------------------------------------
class Knowing(torch.nn.Module):
    """Sees the ink, and hears the level, in the middle of a window; projected, it is an angle."""

    name, context, attends = "BL2-SC", 42, False

    def sheet(self, images: torch.Tensor) -> torch.Tensor:
        return 1 - images[:, 0, 40, 49:51].mean(dim=1, keepdim=True).repeat(1, 32)

    def audio(self, excerpts: torch.Tensor) -> torch.Tensor:
        return 2 * excerpts[:, 0, :, 21].mean(dim=1, keepdim=True).repeat(1, 32)

    def project_sheet(self, values: torch.Tensor) -> torch.Tensor:
        angle = values[:, 0].float() * torch.pi / 2
        return torch.stack([angle.cos(), angle.sin()] + 30 * [0 * angle], dim=1)

    def project_audio(self, values: torch.Tensor) -> torch.Tensor:
        return self.project_sheet(values / 2)


@pytest.fixture
def knowing(monkeypatch):
    monkeypatch.setattr(weights_files, "load", lambda path: Knowing())


def piece(name: str, printed, sounding, notes: int = 40) -> dict:
    """A shard's row; `printed` and `sounding`: what share of the strip -> ink and level."""
    row = performance(name, notes=notes)
    width = int(row["right"][0])
    share = (np.arange(width) + 0.5) / width
    strip = np.rint(255 * (1 - printed(share))).astype(np.uint8)
    frames = np.arange(len(row["spectrogram"]) // 92)
    heard = sounding(np.interp(frames, row["frame"], row["x"]) / width)
    return row | {
        "images": [png(np.tile(strip, (200, 1)))],
        "spectrogram": np.repeat(heard, 92).astype(np.float32),
    }


def level(value: float):
    return lambda share: np.full_like(share, value, dtype=float)


def rising(share):
    return 0.3 + 0.6 * share


def falling(share):
    return 0.9 - 0.6 * share


def identified(tmp_path, rows, **arguments) -> pd.DataFrame:
    shard = write_shard(tmp_path / "shard.parquet", rows)
    arguments = {"precision": "32-true"} | arguments
    identify.identify("weights", [shard], tmp_path / "identified.parquet", **arguments)
    return tables.read(tmp_path / "identified.parquet", IDENTIFIED).to_pandas()


def test_every_piece_is_found_both_ways(tmp_path, knowing):
    rows = [piece(f"tune{n}", level(n / 5), level(n / 5)) for n in range(5)]
    found = identified(tmp_path, rows)
    assert len(found) == 5 * 2 * 2
    assert set(found.direction) == {"A2S", "S2A"} and set(found.method) == {"votes", "sequence"}
    assert (found["rank"] == 1).all()
    assert (found.n_pieces == 5).all() and (found.model == "BL2-SC").all()


def test_each_direction_asks_with_its_own_side(tmp_path, knowing):
    """Piece 0 sounds like what piece 1 prints; nobody sounds like what piece 0 prints.

    Asked by ear, piece 0 lies behind piece 1. Asked by eye, it is the nearest to itself.
    """
    rows = [
        piece("tune0", level(0.1), level(0.52)),
        piece("tune1", level(0.5), level(0.6)),
        piece("tune2", level(0.9), level(0.9)),
    ]
    found = identified(tmp_path, rows).query("method == 'votes' and piece_id == 'tune0'")
    assert dict(zip(found.direction, found["rank"], strict=True)) == {"A2S": 2.5, "S2A": 1.0}


def test_queries_run_over_the_whole_in_order(tmp_path, knowing):
    """Two pieces of the same levels, one rising and one falling: only the order tells."""
    rows = [piece("up", rising, rising), piece("down", falling, falling)]
    found = identified(tmp_path, rows)
    assert (found[found.method == "sequence"]["rank"] == 1).all()
    rows = [piece("up", rising, falling), piece("down", falling, rising)]
    found = identified(tmp_path, rows)
    assert (found[found.method == "sequence"]["rank"] == 2).all()


@pytest.mark.parametrize("late", [False, True])
def test_the_second_half_counts(tmp_path, knowing, late):
    """Two pieces that differ in one half only are told apart, whichever half it is."""

    def halves(value: float):
        return lambda share: np.where((share > 0.5) == late, value, 0.5)

    rows = [piece(name, halves(v), halves(v)) for name, v in (("one", 0.1), ("two", 0.9))]
    found = identified(tmp_path, rows)
    assert (found[found.method == "sequence"]["rank"] == 1).all()


def test_a_piece_shorter_than_a_window_is_found(tmp_path, knowing):
    rows = [piece(f"tune{n}", level(n / 2), level(n / 2)) for n in range(2)]
    short = piece("short", level(0.2), level(0.2), notes=2)
    found = identified(tmp_path, [short, *rows])
    assert set(found.piece_id) == {"short", "tune0", "tune1"} and (found.n_pieces == 3).all()
    assert (found[found.method == "sequence"]["rank"] == 1).all()  # two entries win no vote


def test_a_piece_played_twice_is_refused(tmp_path, knowing):
    rows = [performance("tune0"), performance("tune0", font="upright"), performance("tune1")]
    with pytest.raises(ValueError, match=r"tune0 is performed 2 times; .* one sound font"):
        identified(tmp_path, rows)


def test_entries_and_queries_are_the_vectors_of_their_windows(tmp_path, few_threads):
    """Entries in the order of pieces and frames, wherever the shards have them."""
    rows = [performance(f"tune{n}", seed=n) for n in range(3)]
    of_onsets = ("note_id", "frame", "image", "x", "pitch", "reason")
    rows[1] |= {name: rows[1][name][::-1] for name in of_onsets}
    data = read_examples([write_shard(tmp_path / "shard.parquet", rows)])
    fabric, small = inference_device("32-true"), narrow_tokens().eval()
    entries, queries = identify._embedded(fabric, small, data)
    order = np.lexsort((data.frame, data.piece))
    assert (np.diff(data.piece[order]) >= 0).all() and len(order) == len(data)
    for entry, example in enumerate(order):
        piece = data.piece[example]
        sheet = embed_strip(fabric, small, data.strip(piece), data.x[[example]])
        recording = data.recording(data.performance[example])
        audio = embed_spectrogram(fabric, small, recording, data.frame[[example]])
        np.testing.assert_allclose(entries["sheet"][entry], sheet[0], atol=1e-5)
        np.testing.assert_allclose(entries["audio"][entry], audio[0], atol=1e-5)
    for piece in range(3):
        strip, recording = data.strip(piece), data.recording(piece)
        ends = np.array([0, strip.shape[1] - 1]), np.array([0, len(recording) - 1])
        sheet = embed_strip(fabric, small, strip, ends[0])
        audio = embed_spectrogram(fabric, small, recording, ends[1])
        np.testing.assert_allclose(queries["sheet"][piece, [0, -1]], sheet, atol=1e-5)
        np.testing.assert_allclose(queries["audio"][piece, [0, -1]], audio, atol=1e-5)


@pytest.mark.parametrize(
    "make", [lambda: network.Network("BL2-MC+AT", NARROW), narrow_tokens], ids=["paper", "ours"]
)
def test_runs_with_a_real_network(tmp_path, make):
    torch.manual_seed(0)
    weights = tmp_path / "weights.safetensors"
    weights_files.save(make(), weights)
    shard = write_shard(
        tmp_path / "shard.parquet", [performance(f"tune{n}", seed=n) for n in range(3)]
    )
    out = tmp_path / "identified.parquet"
    identify.identify(weights, [shard], out, precision="32-true")
    found = tables.read(out, IDENTIFIED).to_pandas()
    assert (found.model == make().name).all()
    assert found["rank"].between(1, 3).all()
