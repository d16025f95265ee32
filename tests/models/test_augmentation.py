"""Varied sound is what the spectrogram of an amplified recording would be."""

import pytest
import torch

from models.augmentation import vary_sound


@pytest.fixture
def excerpts():
    torch.manual_seed(0)
    return torch.log10(1 + 3 * torch.rand(50, 1, 136, 40, dtype=torch.float64))


def gains(excerpts, varied):
    """By what every magnitude was multiplied, in dB."""
    return 20 * torch.log10((10**varied - 1) / (10**excerpts - 1))


def test_a_level_multiplies_all_magnitudes_of_an_excerpt_alike(excerpts):
    found = gains(excerpts, vary_sound(excerpts, level_db=6, equaliser_db=0))
    torch.testing.assert_close(found, found[..., :1, :1].expand_as(found))
    levels = found[:, 0, 0, 0]
    assert levels.abs().max() <= 6
    assert levels.min() < -4 and levels.max() > 4


def test_an_equaliser_is_smooth_over_frequency_and_constant_in_time(excerpts):
    found = gains(excerpts, vary_sound(excerpts, level_db=0, equaliser_db=3))
    torch.testing.assert_close(found, found[..., :1].expand_as(found))
    curves = found[:, 0, :, 0]
    assert 2 < curves.std() < 4
    assert curves.diff(dim=1).abs().max() < 1  # dB from one bin to the next


def test_silence_stays_silent_and_no_variation_changes_nothing(excerpts):
    assert not vary_sound(torch.zeros(3, 1, 136, 40), 6, 3).any()
    torch.testing.assert_close(vary_sound(excerpts, 0, 0), excerpts)


def test_variation_follows_the_seed(excerpts):
    torch.manual_seed(1)
    one = vary_sound(excerpts, 6, 3)
    assert not torch.equal(one, vary_sound(excerpts, 6, 3))
    torch.manual_seed(1)
    assert torch.equal(one, vary_sound(excerpts, 6, 3))
