"""The table of sources and downloads."""

from pipeline.reading import catalogue


def test_every_row_of_the_table_is_complete():
    for name, row in catalogue.catalogue().items():
        assert row["title"] and row["licence"], name
        assert {"works", "piano", "scores", "file"} & row.keys(), name
        if "file" in row:
            assert len(row["digest"]) == 64 and "://" in row["url"], name
        for part in row.get("scores", {}).values():
            assert "file" in catalogue.catalogue()[part], name
