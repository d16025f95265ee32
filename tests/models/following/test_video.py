"""The video of a followed recording, decoded again by ffmpeg."""

import io
import json
import subprocess

import numpy as np
import pytest
from PIL import Image

from models.following import video
from models.following.picture import HEIGHT, LINE_PX, WIDTH, spreads
from tests.support.followed import HEIGHT as PAGE_HEIGHT
from tests.support.followed import PRINTED, RIGHT, SPACE, TOPS, alignment, onset_s

PLAYED = 2  # few notes: encoding takes time


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("video")
    video.write_video(alignment(folder, played=PLAYED), folder / "tune.mp4")
    return folder / "tune.mp4"


def frame(path, second: float) -> np.ndarray:
    """A frame as (HEIGHT, WIDTH, 3)."""
    command = ["ffmpeg", "-v", "error", "-ss", str(second), "-i", str(path), "-frames:v", "1"]
    done = subprocess.run([*command, "-f", "image2pipe", "-c:v", "png", "-"], stdout=-1, check=True)
    return np.asarray(Image.open(io.BytesIO(done.stdout)).convert("RGB")).astype(int)


def orange(picture: np.ndarray) -> np.ndarray:
    return picture[..., 0] - picture[..., 2] > 90


def test_any_player_takes_it(encoded):
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", encoded]
    said = json.loads(subprocess.run(command, stdout=-1, check=True).stdout)
    picture, sound = said["streams"]
    assert (picture["codec_name"], picture["pix_fmt"]) == ("h264", "yuv420p")
    assert (picture["width"], picture["height"], picture["avg_frame_rate"]) == (1920, 1080, "25/1")
    assert sound["codec_name"] == "aac"
    assert float(said["format"]["duration"]) == pytest.approx(3.0, abs=0.05)
    assert said["format"]["tags"]["title"] == "A tune"
    start = encoded.read_bytes()
    assert start.index(b"moov") < start.index(b"mdat")  # plays before all of it is there


def test_cursor_and_noteheads_are_where_the_music_is(encoded):
    scale = (HEIGHT - LINE_PX - 24) / PAGE_HEIGHT
    left = (WIDTH - 2 * round(420 * scale) - 12) // 2
    goals = (PRINTED[1][1], RIGHT)  # to the next notehead, and at last to the end of the line
    for number in range(PLAYED):
        shown = np.ceil(video.FPS * (onset_s(number) + 0.08)) / video.FPS
        seen = frame(encoded, shown)
        x = left + scale * PRINTED[number][1]
        below = int(12 + scale * (TOPS[1] + 2 * SPACE))  # on the lower staff, where no notehead is
        (columns,) = np.nonzero(orange(seen[below]))
        gliding = (shown - onset_s(number)) / 0.5 * (goals[number] - PRINTED[number][1])
        assert columns.mean() == pytest.approx(x + scale * gliding, abs=6)
        y = int(12 + scale * (TOPS[0] + SPACE))
        assert orange(seen[y, int(x) - 2 : int(x) + 3]).all()
        other = left + scale * PRINTED[1 - number][1]
        assert not orange(seen[y, int(other) - 2 : int(other) + 3]).any()


def test_in_silence_and_applause_nothing_is_coloured(encoded):
    for second in (0.2, 2.5):
        assert not orange(frame(encoded, second)).any()


def test_pages_lie_side_by_side_and_turn(tmp_path):
    page = alignment(tmp_path).pages[0]
    papers, places = spreads([page] * 3)
    assert [place.spread for place in places] == [0, 0, 1]
    assert places[0].left < WIDTH / 2 < places[1].left
    assert places[2].left + 210 * places[2].scale == pytest.approx(WIDTH / 2, abs=1)
    assert all(paper.shape == (HEIGHT, WIDTH) for paper in papers)


def test_without_ffmpeg_the_remedy_is_named(tmp_path, monkeypatch):
    followed = alignment(tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match=r"tune.mp4: .* ffmpeg, .* sudo apt-get install ffmpeg"):
        video.write_video(followed, tmp_path / "tune.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["tune.wav"]


def test_sound_that_cannot_be_read_leaves_nothing_behind(tmp_path):
    followed = alignment(tmp_path, played=1)
    followed.recording.write_text("no sound")
    with pytest.raises(ValueError, match=r"tune.mp4: ffmpeg cannot encode .*tune.wav"):
        video.write_video(followed, tmp_path / "tune.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["tune.wav"]
