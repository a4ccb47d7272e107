"""Poses of videos that strangers send, extracted by a child process.

Decisions
* Decoders and MediaPipe are large C++ libraries. They run in a process of their own, which a
  hostile video may crash, and which is killed when its request has taken too long.
* One video is extracted at a time; others wait, within their own time.
* The video lies in a new temporary folder under a name of ours; the folder goes with the request.

Cost: 2 s to start the child, then 55 ms of one core a frame.
"""

from __future__ import annotations

import asyncio
import io
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from signclip.core.errors import SampleError, VideoError

_REFUSED = 3  # exit status of the child: its reason is on stdout


class Videos:
    """Extracts poses, one at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def pose(self, name: str, data: bytes, frames: int) -> bytes:
        """The content of the ``.pose`` file of a video.

        Args:
            name: of the video, for messages; its suffix says the container.
            frames: most that it may have.

        Raises:
            VideoError: it cannot be used, or crashes what reads it.
        """
        async with self._turn:
            with TemporaryDirectory(prefix="signclip-serve-") as folder:
                video = Path(folder) / f"video{Path(name).suffix.lower()}"
                pose = Path(folder) / "video.pose"
                await asyncio.to_thread(video.write_bytes, data)
                status, said = await _run(str(video), str(pose), str(frames))
                if status == _REFUSED:
                    raise VideoError(name, said)
                if status:
                    raise VideoError(name, f"the process that read it ended with status {status}")
                return await asyncio.to_thread(pose.read_bytes)


async def _run(*arguments: str) -> tuple[int, str]:
    """Exit status and output of the child; it is killed if the request is cancelled."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "signclip.serving.videos", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the server, which lets its requests finish
    )
    try:
        out, _ = await child.communicate()
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    assert child.returncode is not None
    return child.returncode, out.decode("utf-8", "replace").strip()


def main(video: str, pose: str, frames: str) -> int:
    """The child: write the pose of a video, or print why there is none."""
    from signclip.extraction import holistic
    from signclip.extraction.video import Limits

    try:
        found = holistic.pose_of(video, Limits(frames=int(frames)))
    except SampleError as error:
        print(error.reason)
        return _REFUSED
    content = io.BytesIO()
    found.write(content)
    Path(pose).write_bytes(content.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
