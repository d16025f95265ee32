"""Verovio within the walls: a score that ends its process is a reason, and the batch goes on."""

from pipeline import tables
from pipeline.engraving import verovio_runs
from pipeline.engraving.looks import Look
from pipeline.reading import score_text
from tests.support.musicxml import note, scale, score

GOOD = score([scale("C4 D4 E4 F4"), note("G4", 4)])
DEADLY = GOOD.replace("<beat-type>4", "<beat-type>0")  # Verovio divides by it


def test_a_batch_goes_on_after_a_score_that_kills_verovio(tmp_path):
    with verovio_runs.start(tmp_path) as engraver:
        found = {}
        for name, text in (("deadly", DEADLY), ("good", GOOD)):
            ((file, safe),) = score_text.read(text.encode(), "s.xml").items()
            score_file = {"name": file, "text": safe}
            found[name] = verovio_runs.engrave(engraver, name, score_file, "unfold", Look(), "all")
    assert found["deadly"] == "Verovio, or a second reader: crashed (SIGFPE)"
    rows, counts = found["good"]
    assert rows["notes"]["pitch"].to_pylist() == [60, 62, 64, 65, 67]
    assert rows["notes"]["pass"].to_pylist() == [1] * 5
    assert counts["linked"] == 5
    assert {name: table.schema for name, table in rows.items()} == {
        name: getattr(tables, name.upper()) for name in rows
    }
