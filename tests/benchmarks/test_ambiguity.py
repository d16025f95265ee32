"""What the best guess finds: worked out by hand."""

from benchmarks.ambiguity import best_guess

LENGTH = 40


def note(bucket: int, pitch: int) -> dict:
    """A note whose excerpt holds nothing else."""
    return {"bucket": bucket, LENGTH: ((pitch, 0),)}


def test_of_notes_that_sound_the_same_one_bucket_is_guessed():
    assert best_guess([note(3, 60), note(4, 60)], LENGTH) == (1, 2)  # neighbours
    assert best_guess([note(3, 60), note(9, 60)], LENGTH) == (1, 1)
    assert best_guess([note(3, 60), note(9, 60), note(9, 60)], LENGTH) == (2, 2)
    assert best_guess([note(3, 60), note(5, 60), note(9, 61)], LENGTH) == (2, 3)  # by bucket 4
