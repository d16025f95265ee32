"""The page of a piece, in a real browser: marks on the ink, sound from a head on, the cursor."""

import base64
import io
import os
import re
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
import soundfile
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from pipeline import tables
from pipeline.describing.inspect import find, inspect
from pipeline.replacing import UNFINISHED
from tests.support import collection, staves
from tests.support.browser import check_plays_from, click, content, mark, now, opened, press, wait
from tests.support.minuet import (
    ORNAMENT,
    ORNAMENT_AT,
    PIECE,
    PLAYED,
    QUARTER,
    RIGHT,
    SPACE,
    SYSTEMS,
    TITLE,
    frequency,
    score,
    sing,
    write_data,
)

ROUNDING = 0.002  # s, by which the browser's clock may fall short of an onset


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """The page, made on the command line from among all results."""
    folder = tmp_path_factory.mktemp("inspect")
    write_data(folder / "results/piano/data/piano")
    command = [sys.executable, "-m", "partimento", "inspect", PIECE, "--out", "page.html"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "page.html"


@pytest.fixture
def page(browser, html):
    """The page, loaded afresh, its sound ready; a test must leave no complaint behind."""
    yield from opened(browser, html)


CURSOR = """
    const audio = document.querySelector("audio"), cursor = document.querySelector(".cursor");
    draw();
    const page = cursor.ownerSVGElement;
    return [audio.currentTime, [...document.querySelectorAll(".page svg")].indexOf(page),
            +cursor.getAttribute("x") + cursor.getAttribute("width") / 2,
            +cursor.getAttribute("y"), +cursor.getAttribute("height"),
            [...document.querySelectorAll(".head.now")].map((head) => +head.dataset.head)];
"""


def expected(t: float) -> tuple[int, float]:
    """System and x of the cursor at a time: from head to head, and to the end of a line."""
    printed = [(q * QUARTER, one) for q, one in enumerate(PLAYED) if one]
    index = max(i for i, (onset, _) in enumerate(printed) if onset <= t + ROUNDING)
    onset, (system, x, *_) = printed[index]
    until, goal = len(PLAYED) * QUARTER, RIGHT
    if index + 1 < len(printed):
        until, (following, goal_x, *_) = printed[index + 1]
        if following == system:
            goal = max(goal_x, x)
    return system, x + (goal - x) * min((t - onset) / (until - onset), 1)


def check_cursor(page) -> float:
    """Assert that cursor and coloured heads are where they must be; gives the time."""
    t, image, x, top, tall, lit = page.execute_script(CURSOR)
    system, should = expected(t)
    assert image == SYSTEMS[system][0]
    assert x == pytest.approx(should, abs=2)
    tops = SYSTEMS[system][1]
    assert top < tops[0]
    assert top + tall > tops[1] + 4 * SPACE
    played = [*PLAYED, None, None, None][int((t + ROUNDING) / QUARTER)]  # at last the sound dies
    heads, _ = score()
    pitches = {heads[number]["pitch"] for number in lit}
    assert pitches == ({played[2], played[3]} - {None} if played else set())
    return t


def test_the_page_is_whole_and_its_text_harmless(page, html):
    text = html.read_text()
    assert not re.search(r"""(src|href)\s*=\s*["']?(?!data:)[a-z]+:""", text)
    fetched = "return performance.getEntriesByType('resource').map((one) => one.name)"
    assert [url for url in page.execute_script(fetched) if not url.startswith("data:")] == []
    assert page.title == TITLE
    assert page.find_element("tag name", "h1").text == TITLE
    facts = page.find_element("tag name", "header").text
    for fact in ("2 pages", "3 systems", "17 noteheads", "21 notes", "Public Domain", "sines"):
        assert fact in facts


def test_marks_stand_on_the_ink(page):
    """Seen on a screenshot: ink under the middle of each mark, paper to its left and right."""
    heads, _ = score()
    for image, svg in enumerate(page.find_elements("css selector", ".page svg")):
        page.execute_script("arguments[0].scrollIntoView({behavior: 'instant'})", svg)
        shot = Image.open(io.BytesIO(page.get_screenshot_as_png())).convert("L")
        for one in heads:
            if one["image"] != image:
                continue
            box = page.execute_script(
                "return arguments[0].getBoundingClientRect().toJSON()",
                mark(page, one["notehead_id"]),
            )
            x, y = box["left"] + box["width"] / 2, box["top"] + box["height"] / 2
            assert shot.getpixel((x, y)) < 150  # black, or coloured because it sounds
            if one["pitch"] % 2:  # between two lines
                assert shot.getpixel((x - 9, y)) > 200 < shot.getpixel((x + 9, y))
            frame = page.execute_script("return arguments[0].getBoundingClientRect().toJSON()", svg)
            assert x - frame["left"] == pytest.approx(one["x"], abs=0.1)
            assert y - frame["top"] == pytest.approx(one["y"], abs=0.1)


def test_the_sound_is_in_time_with_the_notes(html):
    """Just after each onset the tone of the note that begins is there, and was not before."""
    _, audio = content(html)["audio"].split(",")
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(audio)))
    assert len(samples) == len(sing([]))
    _, notes = score()
    for note in notes:
        at = round(note["onset_s"] * rate)
        wave = np.exp(-2j * np.pi * frequency(note["pitch"]) * np.arange(2205) / rate)
        after = abs((samples[at : at + 2205] * wave).mean())
        before = abs((samples[at - 2205 : at] * wave).mean()) if at else 0
        assert after > 0.06
        assert before < 0.02


def test_a_click_on_a_head_plays_from_its_note(page):
    heads, _ = score()
    for number in (5, 0, 13):
        click(page, number)
        check_plays_from(page, heads[number]["moment"] * QUARTER)
        check_cursor(page)


def test_a_head_that_sounds_twice_is_heard_in_turn(page):
    last = max(one["notehead_id"] for one in score()[0] if not one["tied"])
    for onset in (9 * QUARTER, 12 * QUARTER, 9 * QUARTER):
        click(page, last)
        check_plays_from(page, onset)


def test_a_tied_head_has_no_sound_of_its_own(page):
    tied = mark(page, len(score()[0]) - 1)
    tied.click()
    assert now(page) == 0
    assert "silent" in tied.get_attribute("class")


def test_the_cursor_runs_along(page):
    place = partial(
        page.execute_script, "return document.querySelector('.cursor').getAttribute('x')"
    )
    page.find_element("id", "play").click()
    for _ in range(3):
        before = place()
        wait(lambda before=before: place() != before)
    times = []
    while not times or times[-1] < 2.3:  # over a change of system
        times.append(check_cursor(page))
        time.sleep(0.05)
    assert times == sorted(times)


def test_the_cursor_is_right_at_every_moment(page):
    """Across pages, over the note without a notehead, back in the repeat, to the line's end."""
    for t in np.arange(0, len(PLAYED) * QUARTER, 0.13):
        page.execute_script("document.querySelector('audio').currentTime = arguments[0]", t)
        assert check_cursor(page) == pytest.approx(t, abs=1e-3)


def test_arrow_keys_step_from_onset_to_onset(page):
    for quarter in (1, 2, 3, 4):
        press(page, Keys.ARROW_RIGHT)
        assert now(page) == pytest.approx(quarter * QUARTER, abs=1e-3)
        check_cursor(page)
    for quarter in (3, 2):
        press(page, Keys.ARROW_LEFT)
        assert now(page) == pytest.approx(quarter * QUARTER, abs=1e-3)
    for _ in range(30):  # and no further than the ends
        press(page, Keys.ARROW_RIGHT)
    assert now(page) == pytest.approx((len(PLAYED) - 1) * QUARTER, abs=1e-3)


@pytest.mark.parametrize("focus", ["body", "#play"])
def test_the_space_bar_plays_and_pauses(page, focus):
    paused = partial(page.execute_script, "return document.querySelector('audio').paused")
    page.execute_script("document.querySelector(arguments[0]).focus()", focus)
    assert paused()
    press(page, Keys.SPACE)
    wait(lambda: now(page) > 0.2)
    assert not paused()
    press(page, Keys.SPACE)
    assert paused()
    assert page.execute_script("return scrollY") == 0


def test_the_page_scrolls_after_the_cursor(page):
    for _ in range(8):  # to the first onset of the second page
        press(page, Keys.ARROW_RIGHT)
    box = partial(
        page.execute_script,
        "return document.querySelector('.cursor').getBoundingClientRect().toJSON()",
    )
    wait(lambda: box()["top"] > 60 and box()["bottom"] < page.execute_script("return innerHeight"))
    assert page.execute_script("return scrollY") > 200


def test_a_note_without_a_head_is_listed_with_its_reason(page):
    loose = page.find_element("class name", "loose")
    assert "1 note without a notehead" in loose.text
    assert ORNAMENT in loose.text
    button = loose.find_element("tag name", "button")
    onset = ORNAMENT_AT * QUARTER
    assert f"{onset:.3f} s" in button.text
    button.send_keys(Keys.SPACE)  # a button answers to the space bar itself, and to a click
    check_plays_from(page, onset)


def test_hovering_tells_pitch_onset_and_staff(page):
    hint = page.find_element("id", "hint")
    last = max(one["notehead_id"] for one in score()[0] if not one["tied"])
    ActionChains(page).move_to_element(mark(page, last)).perform()
    wait(hint.is_displayed)
    for fact in ("B3", "onset 4.500, 6.000 s", "staff 2 of 2, system 3", "pitch 59"):
        assert fact in hint.text
        assert fact in mark(page, last).accessible_name
    ActionChains(page).move_to_element(page.find_element("tag name", "h1")).perform()
    wait(lambda: not hint.is_displayed())


def test_without_a_recording_the_notes_are_played_now(tmp_path):
    write_data(tmp_path, recording=False)
    inspect(PIECE, tmp_path, tmp_path / "page.html", tempo_ratio=2.0)
    found = content(tmp_path / "page.html")
    assert found["sound"] == "TimGM6mb, tempo ratio 2"
    assert found["duration_s"] == pytest.approx(len(PLAYED) * QUARTER / 2 + 1)
    assert found["notes"][-1]["onset_s"] == (len(PLAYED) - 1) * QUARTER / 2
    samples, _ = soundfile.read(io.BytesIO(base64.b64decode(found["audio"].split(",")[1])))
    assert np.abs(samples).max() > 0.01


def test_a_file_of_somebody_else_is_not_replaced(tmp_path, monkeypatch):
    write_data(tmp_path, recording=False)
    monkeypatch.chdir(tmp_path)
    other = tmp_path / f"{PIECE.replace('/', '__')}.html"
    other.write_text("<html>mine</html>")
    with pytest.raises(ValueError, match="is there already and is not a page of this program"):
        inspect(PIECE, tmp_path)
    assert other.read_text() == "<html>mine</html>"
    other.unlink()
    inspect(PIECE, tmp_path)
    inspect(PIECE, tmp_path, tempo_ratio=2.0)  # its own page is written anew
    assert content(other)["sound"] == "TimGM6mb, tempo ratio 2"


@pytest.mark.parametrize(
    "piece, said",
    [
        ("BachJS/minuett", "no piece 'BachJS/minuett' among the 3 .* did you mean BachJS/minuet"),
        ("silent", "piece 'silent' was left out in selection: no score"),
        ("broken", "piece 'broken' was not engraved: LilyPond: time limit"),
    ],
)
def test_a_piece_that_cannot_be_shown_says_why(tmp_path, piece, said):
    write_data(tmp_path, recording=False)
    with pytest.raises(ValueError, match=said):
        inspect(piece, tmp_path, tmp_path / "page.html")


def test_a_folder_in_place_of_the_page_is_refused_before_the_work(tmp_path, monkeypatch):
    write_data(tmp_path, recording=False)
    monkeypatch.setattr(
        "pipeline.describing.inspect._sound", lambda *_: pytest.fail("played all the same")
    )
    with pytest.raises(ValueError, match="is a folder; name a file to write"):
        inspect(PIECE, tmp_path, tmp_path)


def test_a_sound_font_file_plays_although_there_is_a_recording(tmp_path):
    write_data(tmp_path)
    inspect(PIECE, tmp_path, tmp_path / "page.html", font_file="pretty_midi:TimGM6mb.sf2")
    assert content(tmp_path / "page.html")["sound"] == "TimGM6mb, tempo ratio 1"


def test_a_truncated_recording_is_named(tmp_path):
    write_data(tmp_path)
    (recording,) = tmp_path.glob("audio/**/*.flac")
    recording.write_bytes(recording.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"\.flac: not readable as audio"):
        inspect(PIECE, tmp_path, tmp_path / "page.html")


def test_what_a_killed_job_left_is_passed_over(tmp_path):
    write_data(tmp_path)
    (table,) = tmp_path.glob("performances/*/*/*.parquet")
    half = table.parent / f".{table.name}.{UNFINISHED}x" / table.name
    half.parent.mkdir()
    half.write_bytes(table.read_bytes()[:40])
    inspect(PIECE, tmp_path, tmp_path / "page.html")


def test_a_font_that_was_not_kept_is_named(tmp_path):
    write_data(tmp_path)
    with pytest.raises(ValueError, match=r"with font grand was kept; name .*--font_file"):
        inspect(PIECE, tmp_path, tmp_path / "page.html", font="grand")


def test_a_piece_of_two_data_sets_asks_for_one(tmp_path, monkeypatch):
    for name in ("a", "b"):
        write_data(tmp_path / f"results/data/{name}", recording=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="results/data/a, results/data/b; choose with --data"):
        inspect(PIECE)


def test_chunks_of_an_earlier_run_with_more_of_them_are_passed_over(tmp_path):
    write_data(tmp_path / "piano", recording=False)
    collection.fewer_chunks(tmp_path / "piano")
    assert find(PIECE, tmp_path / "piano") == (tmp_path / "piano", "0")


def test_a_run_that_goes_on_may_have_more_chunks(tmp_path):
    write_data(tmp_path, recording=False)
    collection.describe(
        tmp_path, [staves.write_shard(tmp_path / "shards/test/a-1.0-0.parquet", [])]
    )
    tables.write([{"piece_id": "new"}], tables.PIECES, tmp_path / "pieces/1.parquet")
    later = (tmp_path / "croissant.json").stat().st_mtime + 1
    os.utime(tmp_path / "pieces/1.parquet", (later, later))
    assert find("new", tmp_path) == (tmp_path, "1")


def test_chunks_of_two_runs_are_told_while_the_last_goes_on(tmp_path):
    write_data(tmp_path, recording=False)
    collection.fewer_chunks(tmp_path)
    (tmp_path / "croissant.json").unlink()
    with pytest.raises(ValueError, match=r"/pieces: .* in several chunks, .* let the last run fin"):
        inspect(PIECE, tmp_path)
