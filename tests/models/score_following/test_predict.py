"""Predictions of the network and the baselines against cases worked out by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from models.score_following import predict
from models.score_following.reading import read_examples
from models.score_following.weights import load, save
from pipeline.constants import BUCKET_PX
from tests.support.staves import narrow, narrow_matching


@pytest.mark.parametrize("make", [narrow, narrow_matching])
def test_every_example_is_predicted_as_one_by_one(predicted, shards, weights, monkeypatch, make):
    save(make(), weights)
    monkeypatch.setattr(predict, "STAVES_PER_BATCH", 2)
    monkeypatch.setattr(predict, "NOTES_PER_BATCH", 7)
    found = predicted()
    network = load(weights)
    for split, paths in shards.items():
        part, data = found[found.split == split], read_examples(paths)
        assert part.note_id.tolist() == data.note_id.tolist()
        assert part.x.tolist() == pytest.approx(data.x.tolist())
        for example in (0, len(data) // 2, len(data) - 1):
            with torch.no_grad():
                logits = network(
                    torch.from_numpy(data.image_batch(data.staff[[example]])),
                    torch.from_numpy(data.excerpt_batch(np.array([example]))),
                    torch.zeros(1, dtype=torch.long),
                )
            expected = logits.softmax(dim=1)[0].numpy()
            np.testing.assert_allclose(part.probabilities.iloc[example], expected, rtol=1e-4)
            assert part.x_max.iloc[example] == (expected.argmax() + 0.5) * BUCKET_PX


def test_training_examples_can_be_capped(predicted):
    found = predicted(train_samples=10)
    assert found.split.value_counts()["train"] == 10
    assert set(found[found.split == "train"].font) == {"grand", "upright"}


def test_baselines(predicted, shards):
    found = predicted()
    buckets = pd.Series(np.floor(found.x[found.split == "train"] / BUCKET_PX))
    assert found.x_frequent.unique().tolist() == [(buckets.mode().min() + 0.5) * BUCKET_PX]
    staff = found[(found.split == "test") & (found.image == 1)]
    ends = staff.x_timed.iloc[[0, -1]].tolist()
    assert ends == pytest.approx([7.0, 382.0])  # the ends of the staff lines
    steps = np.diff(staff.x_timed)  # the notes are as long as each other
    assert steps == pytest.approx(np.full(len(steps), steps[0]), rel=1e-4)


def test_the_line_through_the_recording_runs_over_all_staves(predicted):
    """Two staves of equal length: the first half of the recording lies on the first staff."""
    found = predicted()
    one = found[(found.split == "test") & (found.piece_id == found.piece_id.iloc[-1])]
    along = one.x_linear - 7.0 + one.image * 375.0  # on the joined staves
    inside = (one.x_linear > 7.5) & (one.x_linear < 381.5)
    assert inside.sum() > len(one) / 2
    slopes = np.diff(along[inside]) / np.diff(one.frame[inside])
    assert slopes == pytest.approx(np.full(len(slopes), slopes[0]), rel=1e-3)


def test_shards_of_another_split_are_refused(predicted, shards):
    shards["valid"] = shards["test"]
    with pytest.raises(ValueError, match="given for 'valid', but of split 'test'"):
        predicted()
