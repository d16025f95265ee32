"""Score files as safe text: formats, encodings, compressed files, ids of notes, and refusals."""

import io
import zipfile
from xml.etree import ElementTree as ET

import pytest

from pipeline.reading import score_text
from tests.support import musicxml

SCORE = musicxml.score([musicxml.scale("C4 D4 E4 F4")])
CONTAINER = "META-INF/container.xml"
MEI = (
    '<mei xmlns="http://www.music-encoding.org/ns/mei"><music><body><mdiv><score><section>'
    '<measure><staff n="1"><layer><note pname="c" oct="4" dur="4"/></layer></staff></measure>'
    "</section></score></mdiv></body></music></mei>"
)
MOVEMENTS = MEI.replace("</mdiv>", "</mdiv><mdiv><score/></mdiv>")


def packed(files: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def container(*rootfiles: tuple[str, str]) -> str:
    listed = "".join(f'<rootfile full-path="{p}" media-type="{kind}"/>' for p, kind in rootfiles)
    return f"<container><rootfiles>{listed}</rootfiles></container>"


def ids(files: dict[str, str], attribute: str = "id") -> list[str]:
    (text,) = files.values()
    return [e.get(attribute) for e in ET.fromstring(text).iter() if e.tag.endswith("note")]


def test_every_note_gets_an_id_and_keeps_its_own_if_it_has_one_alone():
    text = SCORE.replace("<note>", '<note id="a">', 1).replace("<note>", '<note id="P1">', 1)
    found = ids(score_text.read(text.encode(), "s.musicxml"))
    assert found[0] == "a"
    assert len(set(found)) == 4 and "P1" not in found  # the part is named so
    assert None not in ids(score_text.read(MEI.encode(), "s.mei"), score_text.XML_ID)


def test_what_refers_to_a_note_of_mei_follows_its_new_id():
    """`é` cannot stay in an id, so the tie of two such notes is told their new ones."""
    tie = '<tie startid="#é1" endid="#é2" label="no.  # 3" color="#aa0000"/>'
    two = MEI.replace("<note pname", '<note xml:id="é1" pname').replace(
        "</layer></staff>", f'<note xml:id="é2" pname="c" oct="4" dur="4"/></layer></staff>{tie}'
    )
    files = score_text.read(two.encode(), "s.mei")
    (text,) = files.values()
    (found,) = (e for e in ET.fromstring(text).iter() if e.tag.endswith("tie"))
    assert [found.get("startid"), found.get("endid")] == [
        f"#{name}" for name in ids(files, score_text.XML_ID)
    ]
    assert [found.get("label"), found.get("color")] == ["no.  # 3", "#aa0000"]
    with pytest.raises(ValueError, match="several elements have the id é1"):
        score_text.read(two.replace('"é2"', '"é1"').encode(), "s.mei")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_a_text_is_read_whatever_its_encoding(encoding):
    text = SCORE.replace("Part 1", "Flöte")
    if encoding != "utf-16-le":  # which is declared as UTF-8, and has no byte order mark
        text = text.replace("UTF-8", encoding.removesuffix("-sig"))
    else:
        text = text.replace("UTF-8", "UTF-16")
    (read,) = score_text.read(text.encode(encoding), "s.xml").values()
    assert "Flöte" in read


def test_a_compressed_file_is_its_first_rootfile_that_is_musicxml():
    listed = container(("s.pdf", "application/pdf"), ("a b.xml", score_text.MUSICXML_TYPE + "+xml"))
    files = {"s.pdf": "%PDF", "other.xml": "<x/>", "a b.xml": SCORE, CONTAINER: listed}
    assert len(ids(score_text.read(packed(files), "s.mxl"))) == 4


def test_utf_16_within_a_compressed_file_is_read():
    content = SCORE.replace("UTF-8", "UTF-16").encode("utf-16")
    listed = container(("s.xml", ""))
    assert len(ids(score_text.read(packed({CONTAINER: listed, "s.xml": content}), "s.mxl"))) == 4


def test_a_timewise_score_is_read():
    bars = "".join(
        f'<measure number="{n}"><part id="P1">{musicxml.scale("C4 D4")}</part>'
        f'<part id="P2">{musicxml.scale("C3")}</part></measure>'
        for n in (1, 2)
    )
    text = f"<score-timewise><part-list/>{bars}</score-timewise>"
    (read,) = score_text.read(text.encode(), "s.xml").values()
    parts = ET.fromstring(read).findall("part")
    assert [len(part.findall("measure")) for part in parts] == [2, 2]
    assert [len(list(part.iter("note"))) for part in parts] == [4, 2]


def test_a_tuplet_without_a_stop_ends_with_its_last_note():
    third = "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes>"
    third += "</time-modification>"
    start = musicxml.note("C4", 0.5, extra=third).replace(
        "<notations>", '<notations><tuplet type="start"/>'
    )
    inside = musicxml.note("D4", 0.5, extra=third)
    bar = start + inside + inside + musicxml.scale("E4 F4 G4")
    (read,) = score_text.read(musicxml.score([bar]).encode(), "s.xml").values()
    notes = list(ET.fromstring(read).iter("note"))
    stops = [
        n for n, note in enumerate(notes) if note.find("notations/tuplet[@type='stop']") is not None
    ]
    assert stops == [2]


BOMB = (
    '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><score-partwise>&b;</score-partwise>'
)


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "s.xml", "the file is empty"),
        (b"<score-partwise>", "s.xml", "broken XML"),
        (b"<svg/>", "s.xml", "root element is <svg>"),
        (BOMB.encode(), "s.xml", "entities of its own"),
        (b"<score-partwise/>", "s.xml", "no notes in it"),
        (musicxml.score([musicxml.note("C4")] * 10_001).encode(), "s.xml", "10,001 bars"),
        (("<mei>" + 5_000 * "<a>" + 5_000 * "</a>" + "</mei>").encode(), "s.mei", "no notes"),
        (packed({"readme.txt": "no score"}), "s.mxl", "holds no MusicXML"),
        (b"PK\3\4 cut short", "s.mxl", "cannot be unpacked"),
        (b"hello", "s.krn", "no Humdrum"),
        (b"X:1\nT:no key\n", "s.abc", "no ABC"),
        (b"X:1\nK:C\nC\n\nX:2\nK:C\nD\n", "s.abc", "holds 2 tunes"),
        (MOVEMENTS.encode(), "s.mei", "holds 2 movements"),
    ],
)
def test_what_is_no_score_is_refused_with_a_reason(content, name, reason):
    with pytest.raises(ValueError, match=reason):
        score_text.read(content, name)


def test_a_member_that_unpacks_to_more_than_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(score_text, "MAX_BYTES", 1_000)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("s.xml", " " * 100_000)
    with pytest.raises(ValueError, match="when unpacked"):
        score_text.read(bomb.getvalue(), "s.mxl")


def test_humdrum_and_abc_pass_as_they_are():
    assert score_text.read(b"**kern\n4c\n*-\n", "a.krn") == {"score.krn": "**kern\n4c\n*-\n"}
    assert list(score_text.read(b"X:1\nK:C\nC\n", "a.abc")) == ["score.abc"]


def test_the_length_of_an_abc_chord_goes_to_its_notes():
    tune = "X:1\nT:[ab]2\nK:C\n[ce]2 [^f,A']/2 [c2e]2 [ac]3/2 [c] [V:1]\n"
    ((_, text),) = score_text.read(tune.encode(), "s.abc").items()
    assert text == "X:1\nT:[ab]2\nK:C\n[c2e2] [^f,/2A'/2] [c2e]2 [a3/2c3/2] [c] [V:1]\n"
