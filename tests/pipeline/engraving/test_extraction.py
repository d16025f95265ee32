"""Rows are extracted within the walls; what a score wrote costs only its own piece."""

import json

import pytest

from pipeline.engraving import compilation, extract_worker, extraction
from pipeline.reading import melody, midi
from tests.support import scores

VERSION = '\\version "2.24.0"\n'
PIECE = "\\score { { c'4 d' e' f' } \\layout { } \\midi { } }\n"


@pytest.fixture(scope="module")
def extractor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pieces")
    with extraction.start(folder) as started:
        yield started


def extracted(extractor, text: str, name: str = "x.ly", **includes: str):
    """What is extracted of a score of pages."""
    folder = extractor.folder / str(len(list(extractor.folder.iterdir())))
    folder.mkdir()
    score = [{"name": name, "text": VERSION + text}]
    score += [{"name": include, "text": content} for include, content in includes.items()]
    assert compilation.compile_score(score, folder)[0] is None
    return extraction.extract(
        extractor, piece_id="p", layout="pages", folder=folder.name, score=score
    )


def written(name: str, content: str) -> str:
    """Scheme that has a score write a file as it ends, over LilyPond's own."""
    return (
        f'#(set! exit (let ((old exit)) (lambda rest (call-with-output-file "{name}"'
        f" (lambda (port) (display {json.dumps(content)} port))) (apply old rest))))\n"
    )


def test_rows_and_counts_come_back(extractor):
    tables, counts = extracted(extractor, PIECE)
    assert tables["notes"]["pitch"].to_pylist() == [60, 62, 64, 65]
    assert tables["images"].schema.equals(extraction.SCHEMAS["images"])
    assert counts["linked"] == 4


@pytest.mark.parametrize(
    "name",
    ["R&B.ly", "Sonata [1].ly", "-dash.ly", "a<b.ly", 'dou"ble.ly', "sub dir/it's.ly", "100%41.ly",
     "Präludium.ly", "tab\t.ly", "line\nbreak.ly", "a*?.ly", "{x}.ly", "n" * 250 + ".ly", ".ly",
     "$(touch x).ly", "--help", "x.LY"],
)  # fmt: skip
def test_a_good_piece_is_kept_whatever_its_name(extractor, name):
    tables, counts = extracted(extractor, PIECE, name)
    assert counts["linked"] == tables["notes"].num_rows == 4


def test_an_include_may_have_any_name_too(extractor):
    include = 'R&B <1> "%41.ily'.replace('"', "'")
    _, counts = extracted(
        extractor, f'\\include "{include}"\n', "x & y.ly", **{include: PIECE, "score.ly": ""}
    )
    assert counts["linked"] == 4 and counts["off_accidental"] == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (written("x.log", "score\t0\t0\nnote\t1e400000000\t0\t1\t1/4\t60\tx.ly:1:1\t\t\n"),
         "'1e400000000', which is no number"),
        (written("x.log", "score\t0\t0\nnote\t0\t0\t1\t-1/4\t60\tx.ly:1:1\t\t\n"),
         "a note of -1 quarter notes"),
        (written("x.log", "score\t0\t0\ntempo\t0\t0\t0\n"), "a tempo of 0 quarter notes a minute"),
        (written("x.log", "note"), "what it wrote cannot be read"),
        (written("x-7.svg", "<svg xmlns='http://www.w3.org/2000/svg' width='1mm' height='1mm' "
                 "viewBox='0 0 1 1'><image href='/etc/passwd'/></svg>"), "<image>"),
        ('#(mkdir "x-2.svg")', None),
    ],
    ids=["exponent", "negative", "tempo", "fields", "picture", "folder"],
)  # fmt: skip
def test_what_a_score_writes_itself_is_refused_with_a_reason(extractor, text, reason):
    found = extracted(extractor, text + PIECE)
    assert reason in found if reason else found[1]["linked"] == 4


def test_a_row_that_does_not_fit_its_column_has_a_reason(tmp_path):
    tune = midi.read_melody(scores.midi(scores.scale(8)))
    assert compilation.compile_all({"t": melody.lilypond(tune)}, tmp_path) == {}
    notes = [{**n, "onset": float(n["onset"]), "duration": float(n["duration"])}
             for n in melody.sounding_notes(tune)]  # fmt: skip
    request = {"piece_id": "p", "layout": "staves", "name": "t", "melody": notes}

    def odd(*arguments):
        found = extract_worker.rows(*arguments)
        found["noteheads"][0]["pitch"] = 2**20
        return found

    assert "counts" in extract_worker.answer(request, tmp_path, extract_worker.rows)[0]
    assert "1048576" in extract_worker.answer(request, tmp_path, odd)[0]["reason"]


class Liar:
    """A worker that has been taken over, and answers what it likes."""

    def __init__(self, folder, answer):
        self.folder, self.answer = folder, answer

    def ask(self, question, frames):
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [
        [b"no json"] + 4 * [b""],
        [b"{}"] + 4 * [b""],
        [b'{"counts": {}}'] + 4 * [b"no arrow"],
        [b'{"counts": {"linked": "many"}}'] + 4 * [b""],
    ],
)
def test_an_answer_that_is_none_is_a_reason(tmp_path, answer):
    found = extraction.extract(Liar(tmp_path, answer), piece_id="p", layout="pages", folder="x")
    assert found.startswith("what it wrote cannot be read")
