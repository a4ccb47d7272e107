"""Videos: whole and upright, or refused with the reason."""

import itertools
import os
import wave
from fractions import Fraction

import av
import numpy as np
import pytest

from signclip.core.errors import VideoError
from signclip.extraction.video import Limits, open_video

FRAMES, FPS, HEIGHT, WIDTH = 12, 25, 48, 64


def picture(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Noise, so that a file has a size that can be cut, with one corner that tells directions."""
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    rgb[: height // 4, : width // 4] = (255, 0, 0)
    return rgb


PICTURES = [picture(seed) for seed in range(FRAMES)]


@pytest.fixture
def film(tmp_path, encode):
    """Writes :data:`PICTURES` under a name; returns the path."""

    def write(name: str = "film.mp4", **kwargs):
        return encode(tmp_path / name, PICTURES, fps=FPS, **kwargs)

    return write


def read(path, limits=None):
    """(frames, fps, width, height) of a whole video."""
    with open_video(path, limits or Limits()) as video:
        frames = list(video.frames())
        return frames, video.fps, video.width, video.height


def reason(path, limits=None) -> str:
    with pytest.raises(VideoError) as raised:
        read(path, limits)
    assert str(path) in str(raised.value)
    return raised.value.reason


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.webm", "film.avi", "film.ts"])
def test_a_whole_video_gives_its_frames_size_and_rate(film, name):
    frames, fps, width, height = read(film(name))
    assert len(frames) == FRAMES
    assert (width, height) == (WIDTH, HEIGHT)
    assert fps == FPS
    assert all(frame.shape == (HEIGHT, WIDTH, 3) for frame in frames)
    assert all(frame.flags.c_contiguous for frame in frames)


def test_the_rate_is_that_of_the_frames_where_another_is_stated(tmp_path):
    """Browsers record WebM with the resolution of their clock as its rate."""
    path = tmp_path / "jitter.mkv"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1000)
        stream.width, stream.height = WIDTH, HEIGHT
        for number, content in enumerate(PICTURES):
            frame = av.VideoFrame.from_ndarray(content, format="rgb24")
            frame.pts = 40 * number + int(rng.integers(-5, 6)) * (0 < number < FRAMES - 1)
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert read(path)[1] == pytest.approx(25)


@pytest.mark.parametrize(("name", "fps"), [("file_jitter.webm", 23.83), ("sparse_2min.webm", 0.2)])
def test_the_rates_of_public_recordings(shared, name, fps):
    frames, found, *_ = read(shared(f"faults/public/{name}"))
    assert len(frames) == 24
    assert found == pytest.approx(fps, rel=0.02)


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path):
    path = tmp_path / "film.mp4"
    os.mkfifo(path)
    assert "not a regular file" in reason(path)


def test_pixels_are_those_that_were_written(film):
    frames = read(film("film.mkv", codec="ffv1", pixels="bgr0"))[0]
    assert np.array_equal(frames, PICTURES)


def test_a_rate_that_is_no_whole_number_is_kept(tmp_path, encode):
    path = encode(tmp_path / "film.mp4", PICTURES, fps="30000/1001")
    assert read(path)[1] == pytest.approx(30000 / 1001, abs=1e-9)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_rotation_of_the_container_is_carried_out(film, degrees):
    plain = read(film())[0]
    frames, _, width, height = read(film("turned.mp4", rotation=degrees))
    assert (width, height) == ((WIDTH, HEIGHT) if degrees == 180 else (HEIGHT, WIDTH))
    assert np.array_equal(frames, [np.rot90(frame, degrees // 90) for frame in plain])


def test_a_rotation_is_carried_out_as_pose_format_does(film):
    from simple_video_utils.frames import read_frames_exact

    path = film(rotation=90)
    assert np.array_equal(read(path)[0], list(read_frames_exact(str(path))))


def test_slanted_and_mirrored_pictures_are_refused(film):
    assert "rotation by" in reason(film("slanted.mp4", rotation=45))
    assert "mirrored" in reason(film("mirrored.mp4", mirrored=True))


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.webm", "film.avi", "film.mov"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_a_video_cut_short_is_refused(film, name, share):
    path = film(name)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "bytes are missing" in reason(path)


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.webm", "film.avi"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.8])
def test_a_video_whose_end_is_empty_is_refused(film, name, share):
    """As of a download that reserved its space: the file is as long as it says."""
    # an index in front, as for the web: an MP4 without it cannot even be opened
    path = film(name, options={"movflags": "faststart"} if name.endswith("mp4") else {})
    content = path.read_bytes()
    kept = int(len(content) * share)
    path.write_bytes(content[:kept] + bytes(len(content) - kept))
    assert any(word in reason(path) for word in ("cut short", "damaged", "cannot be decoded"))


def test_fewer_frames_than_stated_are_told(film):
    path = film(options={"movflags": "faststart"})
    content = bytearray(path.read_bytes())
    at = content.index(b"mdat") + 4
    with av.open(str(path)) as container:
        last = [packet.pos for packet in container.demux() if packet.size][-1]
    assert last > at
    whole = bytes(content)
    path.write_bytes(whole[:last] + bytes(len(whole) - last))
    assert any(word in reason(path) for word in ("11 of 12 frames", "damaged", "cannot be"))


def test_bytes_behind_the_last_element_are_no_cut(film):
    for name in ("film.mp4", "film.mkv"):
        path = film(name)
        path.write_bytes(path.read_bytes() + b"TAG of some player" * 3)
        assert len(read(path)[0]) == FRAMES


def test_damage_in_the_middle_is_refused(film):
    path = film()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    path.write_bytes(content)
    assert "damaged" in reason(path) or "cannot be decoded" in reason(path)


def test_what_is_no_video_is_refused(tmp_path):
    for name, content in (("text.mp4", b"not a video\n" * 100), ("empty.mp4", b"")):
        (tmp_path / name).write_bytes(content)
        assert "cannot be opened as a video" in reason(tmp_path / name)
    assert "No such file" in reason(tmp_path / "gone.mp4")
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    assert reason(tmp_path / "sound.wav") == "no video in this file"


def test_the_cover_of_a_song_is_no_video(tmp_path):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        song = container.add_stream("aac", rate=8000, layout="mono")
        cover = container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.start_encoding()
        image = av.VideoFrame.from_ndarray(PICTURES[0], format="rgb24")
        container.mux([*cover.encode(image), *cover.encode()])
        silence = np.zeros((1, 8000), np.float32)
        silence = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        silence.sample_rate, silence.pts = 8000, 0
        container.mux([*song.encode(silence), *song.encode()])
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1
    assert reason(path) == "no video in this file"


@pytest.mark.parametrize("name", ["film.mp4", "film.avi", "film.webm"])
def test_a_video_without_frames_is_refused(tmp_path, encode, name):
    path = encode(tmp_path / name, [], size=(WIDTH, HEIGHT))
    assert any(word in reason(path) for word in ("no frame", "no video", "cannot be opened"))


def test_too_large_videos_are_refused_before_any_frame_is_decoded(film, monkeypatch):
    monkeypatch.setattr(
        "signclip.extraction.video.Video._decode", lambda self: pytest.fail("something was decoded")
    )
    for name in ("film.mp4", "film.webm"):
        path = film(name)
        pixels = Limits(pixels=WIDTH * HEIGHT - 1)
        assert reason(path, pixels) == f"frames of {WIDTH} x {HEIGHT} pixels; the limit is 3,071"
        assert reason(path, Limits(frames=FRAMES - 1)).startswith("12 frames")


def test_limits_are_inclusive_and_hold_where_the_container_states_nothing(film):
    assert len(read(film(), Limits(pixels=WIDTH * HEIGHT, frames=FRAMES))[0]) == FRAMES
    path = film("film.mkv", options={"live": "1"})
    with open_video(path, Limits()) as video:
        assert video.expected is None
    assert "the limit is 11" in reason(path, Limits(frames=FRAMES - 1))


def test_a_picture_that_changes_its_size_is_refused(tmp_path, encode):
    parts = [
        encode(tmp_path / f"{width}.h264", [picture(width=width)] * 3, fps=FPS).read_bytes()
        for width in (WIDTH, 2 * WIDTH)
    ]
    (tmp_path / "film.h264").write_bytes(b"".join(parts))
    assert "size changes in frame 3" in reason(tmp_path / "film.h264")


def test_frames_hidden_by_an_edit_list_are_not_missing(shared):
    """A real recording: 241 frames are stored, and an edit list hides 4 of them."""
    path = shared("data/signing-videos/example_2.mp4")
    with open_video(path, Limits()) as video:
        assert video.expected == 241
        assert sum(1 for _ in video.frames()) == 237


def test_sound_that_outlasts_the_picture_is_no_cut(tmp_path, encode):
    path = encode(tmp_path / "film.mkv", PICTURES, fps=FPS, sound=2.0)
    with av.open(str(path)) as container:
        assert container.duration > 1.9 * av.time_base
    assert len(read(path)[0]) == FRAMES


def test_frames_come_one_by_one(film):
    with open_video(film(), Limits()) as video:
        assert len(list(itertools.islice(video.frames(), 3))) == 3
