"""Two readings of a score compared: what counts as a difference."""

from pipeline.engraving import comparison, second_reader


def test_a_tie_that_only_one_reader_follows_is_no_difference():
    reading = second_reader.Reading([0.0, 4.0], [(0.0, 60, False), (2.0, 60, False)])
    found = comparison.compare([(0.0, 60, False)], [(2.0, 60)], [], reading, [0])
    assert found.different == 0
    found = comparison.compare([(0.0, 60, False)], [], [], reading, [0])
    assert (found.different, found.first_bar) == (1, 1)
