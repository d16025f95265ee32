"""Licences in the words of scores, as the hub names them, and whether they let others have it."""

import pytest

from pipeline.reading.licences import forbidden, identifier


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Public Domain", "other"),
        ("The composer has not seen it; CC BY-SA 4.0", "cc-by-sa-4.0"),
        ("public domain (printed 1883); transcription distributed with music21", "other"),
        ("CC0 1.0", "cc0-1.0"),
        ("Creative Commons Attribution-ShareAlike 4.0", "cc-by-sa-4.0"),
        ("Creative Commons Attribution 2.5", "cc-by-2.5"),
        ("CC BY-NC-SA 4.0", "cc-by-nc-sa-4.0"),
        ("Creative Commons Attribution-ShareAlike 2.5", "cc"),  # the hub has no name for it
        ("https://creativecommons.org/licenses/by-nc/3.0/", "cc-by-nc-3.0"),
        ("http://fsf.org/licenses/gpl.html", "gpl"),
        ("MIT", "mit"),
        ("The MIT License", "mit"),
        ("Copyright: Public Domain", "other"),
    ],
)
def test_a_known_licence_has_its_name_on_the_hub_and_may_be_handed_on(words, name):
    assert identifier(words) == name
    assert forbidden(words) is None


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (None, "no licence stated"),
        ("", "no licence stated"),
        ("none stated in its header", "no licence stated"),
        ("(c) 2001 X. All rights reserved.", "all rights reserved"),
        ("CC BY-ND 4.0", "forbids derivatives: CC BY-ND 4.0"),
        ("Creative Commons Attribution-No Derivative Works 3.0", "forbids derivatives"),
        ("Creative Commons Attribution-NoDerivs 4.0", "forbids derivatives"),
        ("Kopieren nur mit Genehmigung des Verlags", "not known to allow redistribution"),
        ("royalty-free article", "not known to allow redistribution"),
        ("public domain music, this edition copyright 2003 X", "not known to allow"),
        ("Copyright 1998 A. Composer", "not known to allow redistribution: Copyright"),
        ("not in the public domain", "no licence stated"),
        ("This is not public domain", "not known to allow redistribution"),
        ("This edition is not released under CC BY 4.0", "not known to allow redistribution"),
        ("No longer under the GPL", "not known to allow redistribution"),
        ("as music21 states it", "not known to allow redistribution"),
    ],
)
def test_what_must_not_be_handed_on_has_its_reason(words, reason):
    assert forbidden(words).startswith(reason)


def test_somebody_may_judge_a_licence():
    assert forbidden("ask my aunt", ["ask my aunt"]) is None
