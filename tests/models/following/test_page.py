"""The page of a followed recording, in a real browser."""

import base64
import io
import re
import subprocess

import numpy as np
import pytest
import soundfile

from models.following import ffmpeg
from models.following.page import encoded, waveform, write_page
from tests.support.browser import check_plays_from, click, content, now, opened, press, wait
from tests.support.followed import (
    DURATION_S,
    PLAYED,
    PRINTED,
    RATE,
    UNSURE,
    alignment,
    onset_s,
    tone,
)

TITLE = "</title></script><b>Tune</b> & {{content}}"
SHOWN = """
    const cursor = document.querySelector(".cursor");
    go(arguments[0]);
    return [document.querySelector("#time").value, cursor.style.visibility,
            [...document.querySelectorAll(".page svg")].indexOf(cursor.ownerSVGElement),
            +cursor.getAttribute("x") + cursor.getAttribute("width") / 2,
            [...document.querySelectorAll(".head.now")].map((head) => +head.dataset.head)];
"""


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    folder = tmp_path_factory.mktemp("follow")
    write_page(alignment(folder, TITLE), folder / "page.html")
    return folder / "page.html"


@pytest.fixture
def page(browser, html):
    yield from opened(browser, html)


def resize(page, width: int, height: int) -> None:
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )


# --- without a browser -----------------------------------------------------------------------
def decoded(kind: str, sound: bytes, folder) -> np.ndarray:
    """Samples at RATE of what a page embeds."""
    if kind == "audio/ogg":
        return soundfile.read(io.BytesIO(sound))[0]
    (folder / "sound.m4a").write_bytes(sound)
    command = [ffmpeg.TOOL, "-v", "error", "-i", "sound.m4a", "-ar", str(RATE), "sound.wav"]
    subprocess.run(command, cwd=folder, check=True)
    return soundfile.read(folder / "sound.wav")[0]


@pytest.mark.parametrize("with_ffmpeg", [True, False])
def test_the_sound_is_in_time(tmp_path, monkeypatch, with_ffmpeg):
    """The tone of each note is there just after its onset, and not before."""
    followed = alignment(tmp_path)
    with monkeypatch.context() as patch:
        if not with_ffmpeg:
            patch.setenv("PATH", "")
        kind, sound = encoded(followed.recording, DURATION_S)
    assert kind == ("audio/mp4" if with_ffmpeg else "audio/ogg")
    samples = decoded(kind, sound, tmp_path)
    assert len(samples) == pytest.approx(DURATION_S * RATE, abs=0.05 * RATE)
    for number, head in enumerate(PLAYED):
        at = round(onset_s(number) * RATE)
        wave = tone(PRINTED[head][2], 0.06)
        after, before = (abs((samples[i : i + len(wave)] * wave).mean()) for i in (at, at - 1400))
        assert after > 0.04 > 0.02 > before


def test_sound_of_any_rate_is_embedded(tmp_path, monkeypatch):
    """libsndfile's Vorbis encoder takes no more than 200 kHz: it ends the process."""
    seconds = np.arange(384_000) / 384_000
    soundfile.write(tmp_path / "fast.wav", 0.5 * np.sin(2 * np.pi * 440 * seconds), 384_000)
    monkeypatch.setenv("PATH", "")
    _, sound = encoded(tmp_path / "fast.wav", 1.0)
    samples, rate = soundfile.read(io.BytesIO(sound))
    assert len(samples) == rate == 48_000
    assert np.abs(np.fft.rfft(samples)).argmax() == 440  # Hz, as there is one second


def test_the_waveform_shows_what_is_loud(tmp_path):
    found = np.array(waveform(alignment(tmp_path).recording, 70))  # ten a second
    assert len(found) == 70 and found.max() == 100
    assert not found[:10].any()
    assert (found[10:60:5] > 90).all()  # where notes begin
    assert (found[14:60:5] < 60).all()  # and just before


def test_nothing_is_requested_from_outside(html):
    text = html.read_text()
    assert "default-src 'none'" in text
    assert not re.search(r"""(src|href)\s*=\s*["']?(?!data:)[a-z]+:""", text)
    assert not list(html.parent.glob(".*"))
    assert base64.b64decode(content(html)["audio"].split(",")[1])[4:8] == b"ftyp"


# --- in the browser --------------------------------------------------------------------------
def test_a_hostile_title_is_text(page):
    assert page.title == TITLE
    assert page.find_element("tag name", "h1").text == TITLE
    facts = page.find_element("tag name", "header").text
    for fact in ("Nobody", "bars 1–2, 1–2, 3", "tune.wav", "silence 0:00–0:00", "applause or talk"):
        assert fact in facts


def test_cursor_noteheads_and_readout_follow_the_recording(page):
    for number, head in enumerate(PLAYED):
        said, seen, image, x, lit = page.execute_script(SHOWN, onset_s(number) + 0.01)
        again = ", second time" if 4 <= number < 8 else ", first time" if number < 4 else ""
        assert said == f"bar {1 + head // 2}{again} · 0:{int(onset_s(number) + 0.01):02d}"
        assert (image, lit) == (PRINTED[head][0], [head])
        assert x == pytest.approx(PRINTED[head][1], abs=4)
        assert seen == "visible"
    assert page.execute_script(SHOWN, 0.5)[:2] == ["not aligned: silence · 0:00", "hidden"]
    assert page.execute_script(SHOWN, 6.5)[:2] == ["not aligned: applause or talk · 0:06", "hidden"]


def test_a_click_on_a_notehead_plays_its_closest_pass_and_then_the_next(page):
    page.execute_script("go(arguments[0])", onset_s(5))
    click(page, 2)
    check_plays_from(page, onset_s(6))
    page.execute_script("go(arguments[0])", onset_s(6))
    click(page, 2)
    check_plays_from(page, onset_s(2))


def test_a_click_beside_the_noteheads_goes_there(page):
    """Right of the second note on the lower staff; the first pass is closer."""
    page.execute_script("""
        const svg = document.querySelector(".page svg"), box = svg.getBoundingClientRect();
        const scale = box.width / 420;
        const [clientX, clientY] = [box.left + 165 * scale, box.top + 190 * scale];
        svg.dispatchEvent(new MouseEvent("click", { clientX, clientY, bubbles: true }));
    """)
    wait(lambda: now(page) == pytest.approx(onset_s(1), abs=1e-3))


def test_slower_and_faster_keep_the_pitch(page):
    rate = "return [audio.playbackRate, audio.preservesPitch]"
    page.find_element("css selector", "[aria-label=Slower]").click()
    assert page.execute_script(rate) == [0.9, True]
    press(page, "-")
    press(page, "+")
    press(page, "+")
    press(page, "+")
    assert page.execute_script(rate) == [1.1, True]
    assert page.find_element("css selector", ".speed output").text == "110 %"


def test_full_stop_and_comma_step_from_bar_to_bar(page):
    for onset in (0, 2, 4):
        press(page, ".")
        assert now(page) == pytest.approx(onset_s(onset), abs=1e-3)
    press(page, ",")
    assert now(page) == pytest.approx(onset_s(2), abs=1e-3)


COLOURS = """
    const canvas = document.querySelector("canvas"), pen = canvas.getContext("2d");
    const step = canvas.width / Math.floor(canvas.clientWidth / 3);
    const row = pen.getImageData(0, canvas.height / 2, canvas.width, 1).data;
    return arguments[0].map((t) => {
        const at = 4 * Math.ceil(Math.floor(t / piece.duration_s * canvas.width / step) * step);
        return [...row.slice(at, at + 3)];
    });
"""


def test_the_strip_is_dark_if_sure_light_if_not_and_grey_if_not_aligned(page):
    times = [onset_s(1) + 0.1, onset_s(UNSURE[0]) + 0.1, 0.5, 6.5]
    sure, unsure, silence, applause = page.execute_script(COLOURS, times)
    assert sum(sure) < 350 < 450 < sum(unsure)
    assert unsure[0] > unsure[2] + 60  # not grey
    assert max(silence) - min(silence) < 20
    assert silence == applause
    labels = [span.text for span in page.find_elements("class name", "hole")]
    assert "applause or talk" in labels


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (375, 667)])
def test_pages_turn_at_any_width(page, width, height):
    resize(page, width, height)
    page.execute_script("go(arguments[0])", onset_s(3))
    page.execute_script("go(arguments[0])", onset_s(8))
    system = "return document.querySelector('.cursor').getBoundingClientRect().toJSON()"
    player = page.find_element("class name", "player").rect["height"]
    wait(lambda: player < page.execute_script(system)["top"])
    assert page.execute_script(system)["bottom"] < height
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
