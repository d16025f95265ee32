"""Performances by people whose every onset is known, as the benchmarks of following take them.

From (n)ASAP and Vienna 4x22: MusicXML scores, and match files that say when every note is played;
as sound, played with the piano of FluidR3. The archives come from the mirror.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa

from pipeline import performing, rendering, rooms, tables
from pipeline.constants import AUDIO_RATE_HZ, SPECTROGRAM_RATE_HZ
from pipeline.engraving import playing
from pipeline.engraving.extract_worker import number_passes
from pipeline.reading import match_files, musicxml_notes, score_text, unfolding
from pipeline.reading.archives import members
from pipeline.reading.fetching import MIRROR

FONT = "soundfonts/FluidR3_GM.sf3"
ARCHIVES = {
    "vienna4x22-decce45.tar.xz": [
        ("Chopin_op10_no3", "p03"),
        ("Chopin_op38", "p03"),
        ("Mozart_K331_1st-mov", "p03"),
        ("Schubert_D783_no15", "p03"),
    ],
    "asap-dataset-4097b45.tar.xz": [
        ("Bach/Prelude/bwv_860", "Ko04M"),
        ("Bach/Prelude/bwv_858", "Zhang01M"),
        ("Bach/Prelude/bwv_857", "Bult-ItoS02M"),
        ("Bach/Fugue/bwv_884", "LiA01M"),
        ("Bach/Fugue/bwv_889", "Giesbrecht01M"),
        ("Beethoven/Piano_Sonatas/9-2_no_trio", "Tysman05"),
        ("Chopin/Etudes_op_25/12", "Atzinger03"),
        ("Chopin/Etudes_op_10/2", "JeonH02M"),
    ],
}
ROOM = rooms.Room(rt60_s=0.6, distance_m=3.0, noise_db=-40.0, band_hz=(80.0, 12_000.0))


def mirror(archives: Iterable[str] = ARCHIVES) -> Path | None:
    """The folder with some archives; None, which is told, if it lacks one of them."""
    folder = os.environ.get(MIRROR)
    if folder and all(Path(folder, name).is_file() for name in archives):
        return Path(folder)
    print(f"left out: set {MIRROR} to a folder with {' and '.join(archives)}")
    return None


def sources(folder: Path, archives: Iterable[str] = ARCHIVES) -> list[tuple[str, str, str]]:
    """Name, MusicXML and match file of each performance in some archives of a folder."""
    found = []
    for archive in archives:
        named = ARCHIVES[archive]
        wanted: dict[str, tuple[str, str]] = {}
        for piece, who in named:
            vienna = "/" not in piece
            xml = f"musicxml/{piece}.musicxml" if vienna else f"{piece}/xml_score.musicxml"
            match = f"match/{piece}_{who}.match" if vienna else f"{piece}/{who}.match"
            wanted[f"{piece} {who}"] = (xml, match)
        names = {name for pair in wanted.values() for name in pair}
        texts = {
            name.partition("/")[2]: content
            for name, content in members(folder / archive)
            if name.partition("/")[2] in names
        }
        for name, (xml, match) in wanted.items():
            (text,) = score_text.read(texts[xml], xml).values()
            found.append((name, text, match_files.text(texts[match])))
    return found


def tables_of(text: str) -> tuple[pa.Table, pa.Table]:
    """Noteheads, without their places, and notes of a MusicXML score."""
    written = musicxml_notes.read(ElementTree.fromstring(text))
    order = written.order or unfolding.play_order(written.bars)
    heads = [
        {
            "piece_id": "", "notehead_id": number, "image": 0, "system": 0, "staff": 0,
            "pitch": note.pitch, "moment": float(note.begin), "grace": note.grace is not None,
            "bar": written.bars[note.bar].number or None,
            "beat": float(note.begin - written.begins[note.bar]), "source_id": note.name,
        }
        for number, note in enumerate(
            note for note in written.notes if note.left_out is None and note.pitch is not None
        )
    ]  # fmt: skip
    number_of = {head["source_id"]: head["notehead_id"] for head in heads}
    notes = [
        {
            "piece_id": "", "note_id": number, "onset": float(note.onset),
            "onset_s": note.onset_s, "duration": float(note.end - note.onset),
            "duration_s": note.end_s - note.onset_s, "pitch": note.pitch,
            "notehead_id": number_of.get(note.note),
        }
        for number, note in enumerate(playing.play(written, order))
    ]  # fmt: skip
    number_passes(notes)
    return (
        pa.Table.from_pylist(heads, tables.NOTEHEADS),
        pa.Table.from_pylist(notes, tables.NOTES),
    )


def truth(match: str, heads: pa.Table) -> list[dict]:
    """The notes that were played as the score has them."""
    linked = performing.link(match_files.read(match), heads.to_pylist())
    return [row for row in linked if row.get("notehead_id") is not None and "onset_s" in row]


def recorded(match: str, font: rendering.Instrument) -> np.ndarray:
    """A performance as sound: (n,) float32, 44.1 kHz."""
    played = match_files.read(match)
    notes = [
        performing.Note(n.onset_s, n.duration_s, n.pitch, velocity=n.velocity) for n in played.notes
    ]
    return rendering.render(notes, font, pedals=played.pedals)


def halved(samples: np.ndarray) -> np.ndarray:
    """44.1 kHz as 22.05 kHz."""
    assert AUDIO_RATE_HZ == 2 * SPECTROGRAM_RATE_HZ
    spectrum = np.fft.rfft(samples[: len(samples) // 2 * 2])
    return (np.fft.irfft(spectrum[: len(spectrum) // 2 + 1]) / 2).astype(np.float32)
