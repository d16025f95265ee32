"""Following on page images with a network that knows tones: position, bar, pass, and refusals."""

import os
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from PIL import Image

from models.following import alignment, image, sheet_images, timeline
from models.following import recording as following_recording
from models.retrieval import weights
from pipeline import strips, tables
from pipeline.constants import RETRIEVAL
from tests.support.drawn_pages import drawn_page, scanned
from tests.support.tones import Knowing, level, played

TONES = [[2, 9, 16, 4, 20, 7, 13, 23], [11, 18, 6, 21, 1, 15, 8, 19]]  # two a bar, four bars


class Sharp(Knowing):
    """Tells tones apart as well as a network tells music."""

    def turned(self, share: torch.Tensor) -> torch.Tensor:
        return super().turned(4 * share)


@pytest.fixture
def knowing(monkeypatch):
    monkeypatch.setattr(weights, "load", lambda path: Sharp())


@pytest.fixture
def sheet(tmp_path, monkeypatch):
    """Two systems of a PDF; in their strip each half bar is grey as its tone sounds."""
    path = tmp_path / "score.pdf"
    Image.fromarray(drawn_page(2).page).save(path)
    found = sheet_images.read_pages(path)
    original = strips.strip

    def painted(pages, systems):
        strip, shifts = original(pages, systems)
        strip = strip.copy()
        for number, system in enumerate(systems):
            left, right = system["left"], system["right"]
            edges = np.linspace(left, right, len(TONES[number]) + 1)
            edges[0] += image.CLEF_PX - 8
            for tone, a, b in zip(TONES[number], edges, edges[1:], strict=False):
                shift = shifts[system["system"]]
                ink = 255 * (1 - level(np.array(tone)))
                strip[:, round(a + shift) : round(b + shift)] = int(ink)
        return strip, shifts

    monkeypatch.setattr(image.strips, "strip", painted)
    return found


def test_a_pdf_becomes_a_sheet_of_systems(sheet):
    systems = sheet.systems.to_pylist()
    assert [row["system"] for row in systems] == [0, 1] and len(sheet.pages) == 1
    assert [len(row["top"]) for row in systems] == [2, 2]
    assert sheet.noteheads.num_rows == sheet.notes.num_rows == 0 and sheet.title == "score"


def test_a_name_that_is_not_utf8_is_a_title_with_an_escape(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    Image.fromarray(drawn_page(1).page).save(path)
    assert sheet_images.read_pages(path).title == r"caf\udce9"


def expected(order: list[tuple[int, int]], seconds: np.ndarray):
    """System and its bar (from 1) of each moment, a second a tone; order: system and tone."""
    return [(s, tone // 2 + 1) for s, tone in (order[int(t)] for t in seconds)]


def test_each_moment_has_its_system_bar_and_position(tmp_path, sheet, knowing):
    order = [(s, tone) for s in range(2) for tone in range(8)]
    recording = played(tmp_path / "tones.wav", [TONES[s][t] for s, t in order])
    found = image.align(recording, sheet)
    assert found.about.route == "bars 1-8 (counted)" and found.about.fits
    rows = found.table.to_pandas()
    assert found.table.schema.equals(alignment.ALIGNMENT)
    assert rows.time.iloc[1] * RETRIEVAL.fps == pytest.approx(1.5)  # half a frame before frame 2
    inside = (rows.time % 1 > 0.2) & (rows.time % 1 < 0.8)
    true = expected(order, rows.time[inside])
    actual = list(zip(rows.system[inside], rows.system_bar[inside], strict=True))
    assert np.mean([a == t for a, t in zip(actual, true, strict=True)]) > 0.9
    first = rows[rows.system == 0]
    assert (np.diff(first.x) >= 0).all() and first.x.iloc[-1] > 700
    assert (rows["pass"] == 1).all() and rows.sureness.between(0, 1).all()
    assert rows.bar.isna().all()  # a picture does not tell the numbers: the first may be a pickup
    stops = timeline.stops(found)
    assert stops[0].label == "page 1, system 1, bar 1"
    assert stops[-1].label == "page 1, system 2, bar 4"


def test_numbers_of_bars_are_those_of_the_noteheads(tmp_path, sheet, knowing):
    """The first bar of the second system holds a notehead of bar 12; the next ones count on."""
    second = sheet.systems.to_pylist()[1]
    head = {"notehead_id": 0, "system": 1, "x": second["left"] + image.CLEF_PX, "bar": "12"}
    heads = pa.Table.from_pylist([head], tables.without_piece(tables.NOTEHEADS))
    recording = played(tmp_path / "tones.wav", [tone for part in TONES for tone in part])
    found = image.align(recording, replace(sheet, noteheads=heads))
    assert found.about.route == "bars 1-15"
    second = found.table.filter(pc.field("system") == 1)
    assert set(second["bar"].to_pylist()) == {"12", "13", "14", "15"}
    assert found.table["system_bar"].null_count == found.table.num_rows


def test_a_repeat_is_heard_as_a_second_pass(tmp_path, sheet, knowing):
    once = [tone for part in TONES for tone in part]
    found = image.align(played(tmp_path / "tones.wav", once + once), sheet)
    assert found.about.route == "bars 1-8, 1-8 (counted)"
    rows = found.table.to_pandas()
    second = rows[rows.time > 16.5]
    assert (second["pass"] == 2).all() and (second.system[second.time < 23.5] == 0).all()


def test_silence_after_the_music_is_not_aligned(tmp_path, sheet, knowing):
    import soundfile

    recording = played(tmp_path / "tones.wav", [tone for part in TONES for tone in part])
    samples, rate = soundfile.read(recording)
    soundfile.write(recording, np.concatenate([samples, np.zeros(10 * rate)]), rate)
    found = image.align(recording, sheet)
    (span,) = found.about.unaligned
    assert span.what == "silence" and span.end - span.start == pytest.approx(10, abs=0.8)


def test_a_steady_sound_is_not_aligned(tmp_path, sheet, knowing):
    """Though some window is like it: here the last one. By itself it is no recording of pages."""
    music = [tone for part in TONES for tone in part]
    found = image.align(played(tmp_path / "tones.wav", music + 30 * music[-1:]), sheet)
    (span,) = found.about.unaligned
    assert span.what == "not in the score" and span.end == pytest.approx(46, abs=0.2)
    assert span.start == pytest.approx(16, abs=image.AROUND_S + 1)
    alone = image.align(played(tmp_path / "hum.wav", 30 * music[-1:]), sheet)
    assert not alone.about.fits and alone.about.route == "no bars"


def test_another_piece_does_not_fit(tmp_path, sheet, knowing, monkeypatch):
    monkeypatch.setattr(image, "LEAST_FIT", 0.97)  # the right one reaches 0.99
    recording = played(tmp_path / "tones.wav", [3, 22, 0, 17, 5, 12, 10, 14])
    found = image.align(recording, sheet)
    assert not found.about.fits and "does not seem to be a recording of these pages" in (
        found.about.verdict
    )


def test_a_recording_that_is_too_long_is_refused(tmp_path, sheet, monkeypatch):
    monkeypatch.setattr(following_recording, "LONGEST_S", 3.0)
    monkeypatch.setattr(image, "read_print", lambda sheet: pytest.fail("read all the same"))
    with pytest.raises(ValueError, match=r"tones.wav: .* minutes are more than the 0 that"):
        image.align(played(tmp_path / "tones.wav", TONES[0]), sheet)


def test_pages_without_staves_are_refused(tmp_path):
    Image.new("L", (400, 600), 255).save(tmp_path / "empty.png")
    with pytest.raises(ValueError, match=r"empty\.png: no staff lines are found on the page"):
        sheet_images.read_pages(tmp_path / "empty.png")


def test_a_bad_scan_has_the_same_systems(tmp_path):
    drawn = drawn_page(2)
    Image.fromarray(scanned(drawn.page, zoom=2)).save(tmp_path / "scan.jpg", quality=70)
    found = sheet_images.read_pages(tmp_path / "scan.jpg").systems.to_pylist()
    assert [len(row["top"]) for row in found] == [2, 2]
    heights = [b - t for row in found for t, b in zip(row["top"], row["bottom"], strict=True)]
    assert heights == pytest.approx(4 * [4 * sheet_images.SPACE_PX], abs=0.5)
