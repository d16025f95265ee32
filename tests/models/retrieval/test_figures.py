"""Figures: the places they show follow from the data by hand, and they show what they are given."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from models import plotting
from models.retrieval import attention_figures, example_figure, figure_parts, network
from models.retrieval import weights as weights_files
from models.retrieval.embed import EMBEDDINGS
from models.retrieval.reading import read_examples
from pipeline.constants import RETRIEVAL
from tests.support.performances import assert_drawn, curve, performance, titled
from tests.support.staves import write_shard

CONTEXT = 42
NARROW = (4, 4, 4, 4)
random = np.random.default_rng(0)


def attention_of(widths) -> np.ndarray:
    """Bell curves over 42 frames, rows sum to one."""
    off = np.arange(CONTEXT) - CONTEXT // 2
    curves = np.exp(-0.5 * (off / np.array(widths)[:, None]) ** 2)
    return (curves / curves.sum(axis=1, keepdims=True)).astype(np.float32)


def image_of(axes) -> np.ndarray:
    return np.asarray(axes.images[0].get_array())


# --- Figure 2 --------------------------------------------------------------------------------
def test_places_are_dense_sparse_and_between():
    onsets = np.array([9, 9, 4, 4, 1, 1, 20, 20])
    x = np.array([0, 100, 300, 400, 600, 700, 1000, 1100])
    # ends of the distribution: 20 and 1; halfway by ratio: 4.5
    assert attention_figures.apart(onsets, x) == [6, 4, 2]


def test_places_do_not_overlap():
    onsets, x = np.array([20, 5, 1, 5, 1]), np.array([500, 650, 699, 300, 700])
    assert attention_figures.apart(onsets, x) == [0, 4, 3]
    assert attention_figures.apart(onsets, x / 2) is None


def test_rows_show_places_together_where_they_fit():
    whole = attention_figures.ROW_PX
    x = np.array([500.0, 500.0 + whole - 200, 500.0 + whole])
    (begin, end, first), (_, _, second) = attention_figures.strip_rows(x, 10_000)
    assert (first, second) == ([0, 1], [2])
    assert (begin, end) == (400, 400 + whole)  # the snippets about both just fit
    assert attention_figures.strip_rows(x[:1], 10_000)[0][0] == 0  # no row begins before the strip
    assert attention_figures.strip_rows(np.array([9_900.0]), 10_000)[0][1] == 10_000
    assert attention_figures.strip_rows(np.array([50.0, 350.0]), 400) == [(0, 400, [0, 1])]


@pytest.fixture(scope="module")
def within():
    """Figure 2 of a strip whose columns are told by their grey, and what it was made of."""
    strip = np.tile((np.arange(4_000) // 16).astype(np.uint8), (200, 1))
    x = np.array([700.0, 1_200.0, 3_000.0])
    excerpts = random.random((3, 92, CONTEXT), np.float32)
    weights = attention_of([12, 6, 2])
    figure = attention_figures.within_piece(
        strip, x, excerpts, weights, np.array([3, 9, 27]), "a piece"
    )
    return figure, strip, x, excerpts, weights


def test_boxes_mark_the_snippets(within):
    figure, strip, x, *_ = within
    boxes = [
        (box, image_of(axes))
        for axes in figure.axes
        for box in axes.patches
        if isinstance(box, Rectangle)
    ]
    assert [to_hex(box.get_edgecolor()) for box, _ in boxes] == list(attention_figures.COLOURS)
    for (box, row), place in zip(boxes, x, strict=True):
        assert (box.get_y(), box.get_width(), box.get_height()) == (20, 200, 160)
        shown = row[20:180, round(box.get_x()) : round(box.get_x()) + 200]
        assert np.array_equal(shown, strip[20:180, int(place) - 100 : int(place) + 100])


def test_attention_and_sound_stand_below_in_the_same_colours(within):
    figure, _, _, excerpts, weights = within
    panels = [
        axes
        for name in ("(a) 3 onsets", "(b) 9 onsets", "(c) 27 onsets")
        for axes in titled(figure, name)
    ]
    for axes, own, colour in zip(panels, weights, attention_figures.COLOURS, strict=True):
        seconds, values = curve(axes)
        assert np.array_equal(values, own)
        assert to_hex(axes.lines[0].get_color()) == colour
        # The frame of the onset begins at 0 s.
        assert seconds[CONTEXT // 2] == pytest.approx(0.5 / RETRIEVAL.fps)
        entropy = -sum(one * np.log(one) for one in own.astype(float))
        assert axes.get_title().endswith(f"entropy {entropy:.2f}")
    assert len({axes.get_ylim() for axes in panels}) == 1
    sounds = [axes for axes in figure.axes if axes.images and image_of(axes).shape[0] == 92]
    assert all(np.array_equal(image_of(a), e) for a, e in zip(sounds, excerpts, strict=True))
    assert titled(figure, "a piece")


# --- Figure 3 --------------------------------------------------------------------------------
def pairs_of(onsets, **columns) -> pd.DataFrame:
    count = len(onsets)
    return pd.DataFrame(
        {
            "piece_id": [f"tune{n}" for n in range(count)],
            "note_id": np.arange(count),
            "onsets": onsets,
            "entropy": np.linspace(3, 1, count),
        }
        | columns
    )


def test_examples_are_spread_over_the_densities():
    chosen = attention_figures.spread(pairs_of(np.arange(101)))
    assert chosen == [95, 72, 50, 27, 5]  # in equal steps of onsets


def test_examples_are_of_different_pieces_and_typical_for_their_density():
    pieces = [*("one" for _ in range(7)), "two", "three"]
    entropy = [1.0, 9.0, 2.0, 8.0, 4.0, 7.0, 3.0, 1.0, 1.0]
    pairs = pairs_of([5] * 7 + [4, 1], piece_id=pieces, entropy=entropy)
    assert attention_figures.spread(pairs) == [4, 7, 8]  # 4.0 is the median of the seven


def test_examples_of_few_pieces_still_go_from_dense_to_sparse():
    """Four pieces, and no number of onsets twice."""
    onsets = np.tile([6, 7, 8, 9, 10, 11], 20)
    pairs = pairs_of(onsets, piece_id=[f"tune{n % 4}" for n in range(120)])
    shown = pairs.loc[attention_figures.spread(pairs)]
    assert shown.onsets.tolist() == sorted(set(shown.onsets), reverse=True)
    assert len(shown) == 5 and shown.piece_id.nunique() > 1


def test_examples_want_a_model_with_attention():
    with pytest.raises(ValueError, match="with a model that has attention"):
        attention_figures.spread(pairs_of([1, 2], entropy=[1.0, None]))


def test_examples_show_snippet_attention_and_sound():
    snippets = random.random((3, 80, 100), np.float32)
    excerpts = random.random((3, 92, CONTEXT), np.float32)
    weights = attention_of([2, 6, 12])
    figure = attention_figures.examples(snippets, excerpts, weights, pairs_of([30, 10, 2]))
    top, middle, bottom = np.array(figure.axes).reshape(3, 3)
    for place in range(3):
        assert np.array_equal(image_of(top[place]), snippets[place])
        assert np.allclose(curve(middle[place])[1], weights[place] / weights[place].max())
        assert np.array_equal(image_of(bottom[place]), excerpts[place])
    assert top[1].get_title() == "(b) tune1\n10 onsets, entropy 2.00"


def test_names_are_short_lines():
    assert (
        figure_parts.short_title("BachJS__BWV779__bach-invention-08")
        == "BachJS BWV779 bach-\ninvention-08"
    )
    assert figure_parts.short_title("Trad__a_tune__a_tune") == "Trad a tune"
    assert figure_parts.short_title("word_" * 40).count("\n") == 3


# --- Figure 1 --------------------------------------------------------------------------------
def test_typical_query_is_of_median_score_among_the_found():
    better, scores = np.array([0, 4, 5, 1, 0]), np.array([0.9, 0.5, 0.65, 0.7, 0.6])
    assert example_figure.typical(better, scores) == 3
    assert example_figure.typical(better + 5, scores) == 0


def test_plane_is_that_of_the_principal_components():
    vectors = random.normal(size=(200, 32)) * np.linspace(2, 0.1, 32)
    sheet, audio, share = example_figure.plane(vectors[:100], vectors[100:])
    _, singular, axes = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    expected = (vectors - vectors.mean(axis=0)) @ axes[:2].T
    assert np.allclose(abs(np.concatenate([sheet, audio])), abs(expected))
    assert share == pytest.approx((singular[:2] ** 2).sum() / (singular**2).sum())


@pytest.mark.parametrize("weights", [None, attention_of([5])[0]])
def test_retrieval_marks_the_right_snippet_and_its_double(weights):
    sheet, audio = (random.normal(size=(50, 32)) for _ in range(2))
    snippets = random.random((3, 80, 100), np.float32)
    found = pd.DataFrame(
        {"piece_id": ["one", "two", "two"], "pair": [107, 112, 140], "snippet": [5, 6, 5]},
        index=[7, 12, 40],
    ).assign(score=[0.9, 0.8, 0.75])
    query = pd.Series({"piece_id": "two", "pair": 112, "snippet": 6}, name=12)
    found.loc[40, "snippet"] = 6
    excerpt = random.random((92, CONTEXT), np.float32)
    figure = example_figure.retrieval(excerpt, weights, snippets, found, query, 2, sheet, audio)
    rows = [axes for axes in figure.axes if axes.images and image_of(axes).shape == (80, 100)]
    for axes, snippet in zip(rows, snippets, strict=True):
        assert np.array_equal(image_of(axes), snippet)
    spines = [axes.spines["left"] for axes in rows]
    green = [to_hex(spine.get_edgecolor()) == plotting.GREEN for spine in spines]
    assert green == [False, True, True]
    assert [spine.get_linestyle() for spine in spines] == ["-", "-", "--"]
    assert [axes.texts[0].get_text() for axes in rows[:2]] == ["1   0.900\none", "2   0.800\ntwo"]
    flat, flat_audio, _ = example_figure.plane(sheet, audio)
    (axes,) = titled(figure, "two principal components")
    dots = {dots.get_label(): dots.get_offsets() for dots in axes.collections}
    assert np.allclose(dots["nearest"], flat[[7, 12, 40]])
    assert np.allclose(dots["the right one"], flat[[12]])
    assert np.allclose(dots["query"], flat_audio[[12]])
    assert len(dots["sheet"]) == len(dots["audio"]) == 50
    curves = [axes for axes in figure.axes if axes.get_ylabel() == "attention"]
    assert len(curves) == (weights is not None)


# --- files -----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Shards of three pieces, weights with and without attention, embeddings of their pairs."""
    folder = tmp_path_factory.mktemp("files")
    rows = [performance(f"tune{n}", split="test", seed=n) for n in range(3)]
    shard = write_shard(folder / "shard.parquet", rows)
    data = read_examples([shard])
    where = np.flatnonzero(data.inside(CONTEXT))
    torch.manual_seed(0)
    paths = {"shards": [shard]}
    for name in ("BL2-SC", "BL2-SC+AT"):
        module = network.Network(name, NARROW)
        weights_files.save(module, folder / f"{name}.safetensors")
        pairs = {
            "protocol": "fixed",
            "tempo_ratio": 1.0,
            "font": "grand",
            "pair": np.arange(len(where)),
            "piece_id": [data.pieces[piece] for piece in data.piece[where]],
            "note_id": data.note_id[where],
            "frame": data.frame[where],
            "x": data.x[where],
            "snippet": np.arange(len(where)),
            "onsets": data.onsets_within(where, CONTEXT),
            "entropy": random.random(len(where)) if module.attends else None,
            "sheet": list(random.normal(size=(len(where), 32))),
            "audio": list(random.normal(size=(len(where), 32))),
        }
        frame = pd.DataFrame(pairs)
        other = frame.assign(tempo_ratio=2.0, piece_id="not in the shards")
        published = frame.assign(protocol="2019", piece_id="not in the shards")
        table = pa.Table.from_pandas(pd.concat([other, published, frame]), EMBEDDINGS)
        pq.write_table(table, folder / f"{name}.parquet")
        paths[name] = {
            "weights": folder / f"{name}.safetensors",
            "embeddings": folder / f"{name}.parquet",
        }
    return paths


def test_attention_figures_are_drawn(files, tmp_path):
    attention_figures.attention(shards=files["shards"], out=tmp_path, **files["BL2-SC+AT"])
    names = ("attention_within_piece", "attention_examples", "attention_entropy")
    assert_drawn(tmp_path, *names)


def test_attention_figures_want_attention(files, tmp_path):
    with pytest.raises(ValueError, match="BL2-SC has no attention"):
        attention_figures.attention(shards=files["shards"], out=tmp_path, **files["BL2-SC"])


@pytest.mark.parametrize("model", ["BL2-SC", "BL2-SC+AT"])
def test_example_is_drawn(files, tmp_path, model):
    example_figure.example(shards=files["shards"], out=tmp_path, **files[model])
    assert_drawn(tmp_path, "retrieval_example")


def test_find_gives_the_examples_of_pairs(files):
    data = read_examples(files["shards"])
    pairs = pd.DataFrame({"piece_id": ["tune2", "tune0"], "note_id": [20, 3]})
    where = figure_parts.find_examples(data, pairs)
    assert [data.pieces[piece] for piece in data.piece[where]] == ["tune2", "tune0"]
    assert data.note_id[where].tolist() == [20, 3]
    with pytest.raises(ValueError, match="note 20 of air is 0 times in the shards"):
        figure_parts.find_examples(data, pairs.assign(piece_id="air"))


def test_find_wants_one_performance_a_piece(tmp_path):
    rows = [
        performance("tune", split="test", tempo_ratio=tempo_ratio) for tempo_ratio in (1.0, 2.0)
    ]
    data = read_examples([write_shard(tmp_path / "shard.parquet", rows)])
    pairs = pd.DataFrame({"piece_id": ["tune"], "note_id": [3]})
    with pytest.raises(ValueError, match="is 2 times in the shards; give those of one"):
        figure_parts.find_examples(data, pairs)


def test_varied_piece_is_the_one_whose_density_varies_most(tmp_path):
    even = performance("even", split="test", notes=75)
    steps = np.repeat([40, 12, 4], 25)  # frames; of 42 there are 1, 3 and 11 onsets within
    varied = performance("varied", split="test", notes=75, frame=60 + np.cumsum(steps))
    varied["spectrogram"] = np.zeros((1_600, RETRIEVAL.bins), np.float32).ravel()
    data = read_examples([write_shard(tmp_path / "shard.parquet", [even, varied])])
    places = attention_figures.varied(data, CONTEXT)
    assert {data.pieces[piece] for piece in data.piece[places]} == {"varied"}
    assert data.onsets_within(places, CONTEXT).tolist() == [1, 3, 11]
    assert np.diff(data.x[places]).min() >= 200


def test_pieces_too_short_for_three_places_are_told(tmp_path):
    row = performance("short", split="test", notes=12)
    data = read_examples([write_shard(tmp_path / "shard.parquet", [row])])
    with pytest.raises(ValueError, match="no piece has three onsets a snippet apart"):
        attention_figures.varied(data, CONTEXT)


def test_pairs_of_another_table_or_of_none_are_told(files, tmp_path):
    path = tmp_path / "pairs.parquet"
    pq.write_table(EMBEDDINGS.empty_table(), path)
    with pytest.raises(ValueError, match=r"pairs\.parquet holds no pairs; choose and embed some"):
        figure_parts.read_pairs(path)
    pd.DataFrame({"model": ["BL2-MC"]}).to_parquet(path)
    with pytest.raises(ValueError, match=r"pairs\.parquet"):
        figure_parts.read_pairs(path)


def test_pairs_are_fixed_ones_at_the_tempo_of_the_scores(files):
    pairs = figure_parts.read_pairs(files["BL2-SC"]["embeddings"])
    assert set(pairs.protocol) == {"fixed"}
    assert set(pairs.tempo_ratio) == {1.0}
    assert pairs.index.tolist() == pairs.pair.tolist()
