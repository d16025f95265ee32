"""Embedded pairs against the network run on one snippet and one excerpt at a time."""

import hashlib
import io
import weakref

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from lightning.fabric import Fabric
from PIL import Image
from scipy.stats import entropy

from models.retrieval import embed, inference
from models.retrieval import weights as weights_files
from models.retrieval.inference import run_batches
from models.retrieval.network import MODELS, Network
from models.retrieval.pairs import EVERY_CONTEXT, PAIRS
from models.retrieval.reading import read_examples
from pipeline import tables
from pipeline.constants import CONTEXTS, EMBEDDING
from pipeline.planning.learning_files import SHIPPED_CONTEXT
from pipeline.strips import snippet
from tests.support.performances import performance
from tests.support.staves import write_shard

MODEL = "BL2-SC+AT"
RHOS = (0.5, 1.0)
NARROW = (2, 2, 2, 2)


@pytest.fixture
def weights(tmp_path):
    def write(model: str = MODEL):
        """Weights of an untrained network whose batch normalisation has seen something."""
        torch.manual_seed(3)
        module = Network(model, NARROW)
        for layer in module.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.running_mean.normal_(std=0.1)
                layer.running_var.uniform_(0.5, 2)
        weights_files.save(module, tmp_path / f"{model}.safetensors")
        return tmp_path / f"{model}.safetensors"

    return write


@pytest.fixture
def files(tmp_path):
    """Shards of three pieces at two tempi; tune2 is printed as tune0 and performed otherwise."""
    same = {"images": performance("tune0", seed=0)["images"], "x": performance("", seed=0)["x"]}
    found = {}
    for tempo_ratio in RHOS:
        rows = [
            performance(f"tune{n}", tempo_ratio=tempo_ratio, seed=n, split="test") for n in range(2)
        ]
        rows.append(performance("tune2", tempo_ratio=tempo_ratio, seed=5, split="test", **same))
        found[str(tempo_ratio)] = [write_shard(tmp_path / f"{tempo_ratio}.parquet", rows)]
    return found


def choose(files, path, notes=(12, 20, 21), **changes):
    """A table of pairs: these notes of every piece at every tempo, the last piece first.

    `notes` may be those of each tempo, by its name.
    """
    rows = []
    for tempo_ratio, paths in files.items():
        held = pq.ParquetFile(paths[0]).read().to_pylist()
        of_tempo = notes[tempo_ratio] if isinstance(notes, dict) else notes
        chosen = [(row, note) for row in reversed(held) for note in of_tempo]
        for number, (row, note) in enumerate(chosen):
            one = {name: row[name] for name in ("piece_id", "font")}
            one |= {name: row[name][note] for name in ("note_id", "frame", "x")}
            one |= {
                "protocol": "fixed",
                "context": EVERY_CONTEXT,
                "tempo_ratio": float(tempo_ratio),
            }
            rows.append(one | {"pair": number} | changes)
    tables.write(rows, PAIRS, path)
    return path


def run(weights, files, pairs, tmp_path):
    out = tmp_path / "embeddings.parquet"
    shards = [path for paths in files.values() for path in paths]
    embed.embed(weights, shards, pairs, out, precision="32-true")
    return tables.read(out, embed.EMBEDDINGS).to_pandas()


def test_shipped_weights_are_named_so(weights, files, tmp_path, monkeypatch):
    monkeypatch.setattr(inference, "DEFAULT_WEIGHTS", weights())
    pairs = choose(files, tmp_path / "pairs")
    shipped = run("shipped", files, pairs, tmp_path)
    named = pq.read_schema(tmp_path / "embeddings.parquet").metadata[b"model"]
    assert named.decode() == f"{MODEL}, shipped"
    pd.testing.assert_frame_equal(shipped, run(weights(), files, pairs, tmp_path))


def test_the_shipped_network_hears_what_the_rules_choose_pairs_for():
    _, network = inference.load_network()
    assert network.context == CONTEXTS[SHIPPED_CONTEXT]


@pytest.mark.parametrize("model", ["BL1-SC", "BL2-MC", "BL2-LC+AT"])
def test_every_pair_is_embedded_as_one_by_one(model, weights, files, tmp_path, monkeypatch):
    monkeypatch.setattr(embed, "BATCH", 4)
    notes = {"0.5": (12, 20, 21), "1.0": (11, 20, 25)}  # one snippet in three is known already
    found = run(weights(model), files, choose(files, tmp_path / "pairs", notes), tmp_path)
    module, context = weights_files.load(weights(model)), MODELS[model].context
    assert len(found) == 2 * 3 * 3
    assert found.pair.tolist() == 2 * list(range(9))
    assert found.piece_id.tolist() == 2 * (3 * ["tune2"] + 3 * ["tune1"] + 3 * ["tune0"])
    held = [pq.ParquetFile(path).read().to_pylist() for (path,) in files.values()]
    performed = {(row["tempo_ratio"], row["piece_id"]): row for rows in held for row in rows}
    for pair in found.itertuples():
        row = performed[pair.tempo_ratio, pair.piece_id]
        assert (pair.frame, pair.x) == (row["frame"][pair.note_id], row["x"][pair.note_id])
        strip = np.array(Image.open(io.BytesIO(row["images"][0])))
        halved = snippet(strip, pair.x).reshape(80, 2, 100, 2).mean(axis=(1, 3)) / 255
        spectrogram = np.reshape(row["spectrogram"], (-1, 92)).astype(np.float16)
        padded = np.pad(spectrogram, ((context, context), (0, 0)))
        first = pair.frame - context // 2 + context
        excerpt = torch.from_numpy(padded[first : first + context].T[None, None].astype(np.float32))
        with torch.inference_mode():
            sheet = module.sheet(torch.from_numpy(halved[None, None].astype(np.float32)))[0]
            audio = module.audio(excerpt)[0]
            attention = module.attention(excerpt)[0] if module.attends else None
        np.testing.assert_allclose(pair.sheet, sheet, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(pair.audio, audio, rtol=1e-4, atol=1e-5)
        if module.attends:
            assert pair.entropy == pytest.approx(entropy(attention), rel=1e-4)
        else:
            assert np.isnan(pair.entropy)
        frames = np.array(row["frame"])
        assert pair.onsets == (np.abs(frames - pair.frame) <= context // 2).sum()
    assert len(found.onsets.unique()) > 1


def test_entropy_is_that_of_the_weights():
    even, certain = torch.full((1, 42), 1 / 42), torch.eye(42)[:1]
    mixed = torch.rand(5, 42)
    mixed /= mixed.sum(dim=1, keepdim=True)
    assert embed.attention_entropy(even).item() == pytest.approx(np.log(42), rel=1e-5)
    assert embed.attention_entropy(certain).item() == pytest.approx(0, abs=1e-6)
    assert embed.attention_entropy(mixed).tolist() == pytest.approx(entropy(mixed, axis=1))


def test_equal_snippets_are_embedded_once_and_get_the_very_same_vector(
    weights, files, tmp_path, monkeypatch
):
    """tune2 looks like tune0, and both look the same at every tempo; precision is the default."""
    passed = []
    sheet = Network.sheet
    monkeypatch.setattr(embed, "BATCH", 4)
    monkeypatch.setattr(
        Network, "sheet", lambda self, images: passed.append(len(images)) or sheet(self, images)
    )
    out, pairs = tmp_path / "embeddings", choose(files, tmp_path / "pairs")
    embed.embed(weights(), [path for paths in files.values() for path in paths], pairs, out)
    found = pq.read_table(out).to_pandas()
    assert sum(passed) == 2 * 3
    for _, same in found.groupby("snippet"):
        assert len(set(map(bytes, same.sheet))) == 1
        assert len(set(map(bytes, same.audio))) == len(same)
    per_piece = found[found.tempo_ratio == 1].groupby("piece_id").snippet.apply(list)
    assert per_piece["tune0"] == per_piece["tune2"]
    assert not set(per_piece["tune0"]) & set(per_piece["tune1"])


def test_the_hash_of_a_snippet_is_the_same_in_every_run():
    image = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    other = image.copy()
    other[0, 1, 2] = np.nextafter(other[0, 1, 2], 9)
    digest = hashlib.blake2b(image.tobytes(), digest_size=8).digest()
    found = embed.snippet_hash(np.stack([image, other, image]))
    assert found.dtype == np.int64
    assert found[0] == found[2] == int.from_bytes(digest, "little", signed=True)
    assert found[0] != found[1]
    assert embed.snippet_hash(np.asfortranarray(image)[None])[0] == found[0]


def test_each_protocol_has_its_cropping(weights, files, tmp_path):
    """Of 2019, all notes of the first 400 px share the snippet about x = 400."""
    pairs = choose(files, tmp_path / "pairs", notes=(3, 5, 7), protocol="2019", context=42)
    old = run(weights(), files, pairs, tmp_path)
    assert (old.x < 400).all()
    assert set(old.protocol) == {"2019"}
    assert old.groupby("piece_id").snippet.nunique().tolist() == [1, 1, 1]
    new = run(weights(), files, choose(files, tmp_path / "pairs", notes=(3, 5, 7)), tmp_path)
    assert new.groupby("piece_id").snippet.nunique().tolist() == [3, 3, 3]


def test_only_pairs_of_the_own_context_are_taken(weights, files, tmp_path):
    parts = [
        tables.read(choose(files, tmp_path / "part", notes=[12 + n], context=context), PAIRS)
        for n, context in enumerate((EVERY_CONTEXT, 42, 84))
    ]
    rows = [row for part in parts for row in part.to_pylist()]
    tables.write(rows, PAIRS, tmp_path / "pairs")
    for model, notes in (("BL2-SC", {12, 13}), ("BL2-MC", {12, 14}), ("BL2-LC", {12})):
        found = run(weights(model), files, tmp_path / "pairs", tmp_path)
        assert set(found.note_id) == notes
        assert len(found) == len(notes) * 3 * 2


def test_the_table_says_which_weights_it_is_of(weights, files, tmp_path):
    path = weights()
    run(path, files, choose(files, tmp_path / "pairs"), tmp_path)
    metadata = pq.read_schema(tmp_path / "embeddings.parquet").metadata
    assert metadata[b"model"].decode() == MODEL
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert metadata[b"weights"].decode() == expected


def test_one_tempo_is_in_memory_at_a_time(weights, files, tmp_path, monkeypatch):
    held = []

    def watched(paths):
        assert all(data() is None for data in held), "the tempo before is still in memory"
        data = read_examples(paths)
        held.append(weakref.ref(data))
        return data

    monkeypatch.setattr(embed, "read_examples", watched)
    run(weights(), files, choose(files, tmp_path / "pairs"), tmp_path)
    assert len(held) == 2


def test_vectors_without_batches_are_none():
    assert run_batches(torch.nn.Identity(), [], Fabric(accelerator="cpu")).shape == (0, EMBEDDING)


# --- what does not fit --------------------------------------------------------------------------
def test_pairs_that_the_shards_lack_are_named(weights, files, tmp_path):
    for change in ({"font": "upright"}, {"piece_id": "ballad"}, {"frame": 3}, {"note_id": 99}):
        pairs = choose(files, tmp_path / "pairs", **change)
        name, value = next(iter(change.items()))
        said = {"frame": "frame 3", "note_id": "note 99"}.get(name, f"'{value}'")
        with pytest.raises(ValueError, match=rf"pairs, tempo 0.5: the shards lack 9.*{said}"):
            run(weights(), files, pairs, tmp_path)
    assert not (tmp_path / "embeddings.parquet").exists()


def test_tempi_that_do_not_fit_are_refused(weights, files, tmp_path):
    pairs = choose(files, tmp_path / "pairs")
    with pytest.raises(ValueError, match=r"pairs of tempo 1, and shards are given for 0.5"):
        run(weights(), {"0.5": files["0.5"]}, pairs, tmp_path)
    (path,) = files["1.0"]
    rows = [row | {"tempo_ratio": 2.0} for row in pq.ParquetFile(path).read().to_pylist()]
    write_shard(path, rows)  # the same frames under another tempo
    with pytest.raises(ValueError, match=r"pairs of tempo 1, and shards are given for 0.5, 2"):
        run(weights(), files, pairs, tmp_path)


def test_pairs_of_another_context_or_protocol_are_refused(weights, files, tmp_path):
    pairs = choose(files, tmp_path / "pairs", context=84)
    with pytest.raises(ValueError, match=r"pairs: no pairs for the 42 frames of BL2-SC\+AT"):
        run(weights(), files, pairs, tmp_path)
    pairs = choose(files, tmp_path / "pairs", protocol="2020")
    with pytest.raises(ValueError, match=r"pairs: protocol '2020'; there are fixed, 2019"):
        run(weights(), files, pairs, tmp_path)


def test_weights_that_are_no_numbers_are_refused(weights, files, tmp_path):
    module = weights_files.load(weights())
    torch.nn.init.constant_(module.audio_branch[1].dense.weight, torch.nan)
    weights_files.save(module, tmp_path / "broken")
    with pytest.raises(FloatingPointError, match=r"broken, tempo 0.5: .* not finite"):
        run(tmp_path / "broken", files, choose(files, tmp_path / "pairs"), tmp_path)
    assert not (tmp_path / "embeddings.parquet").exists()
