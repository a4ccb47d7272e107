"""The errors that a user can cause; each names the sample and the reason.

Decision: one small hierarchy below :class:`SignCLIPError`. The command line prints such an error as
one line and exits with 2; any other exception is a bug and keeps its traceback. Cost: none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SignCLIPError(Exception):
    """Base of every error that bad input, bad configuration or a damaged file can cause.

    Attributes:
        of_one_process: only one of several processes that train together met the error, so that
            process has to print it.
    """

    of_one_process = False


class SampleError(SignCLIPError):
    """Something is wrong with one sample.

    Args:
        sample: the clip's id or path, as the user knows it.
        reason: what is wrong; it goes into the table of dropped clips.
    """

    def __init__(self, sample: str | Path, reason: str):
        super().__init__(f"{sample}: {reason}")
        self.sample = str(sample)
        self.reason = reason

    def __reduce__(self) -> tuple:  # pickled when it comes from another process
        return type(self), (self.sample, self.reason)


class PoseError(SampleError):
    """A pose, from a file or in memory, cannot be used."""


class VideoError(SampleError):
    """A video cannot be turned into a pose: it is damaged, too large, or shows nobody."""


class ManifestError(SampleError):
    """A manifest, or the CSV that it is made from, violates the schema."""


class LanguageTagError(SignCLIPError):
    """A sign-language tag is not in the registry."""


class StoreError(SignCLIPError):
    """A feature store is missing, damaged, or not the one that its reader expects."""


class SignIndexError(SignCLIPError):
    """An index of signs is missing, damaged, or of another model."""


class RunError(SignCLIPError):
    """A training run is missing, unfinished, or does not fit its use."""


class CheckpointError(SignCLIPError):
    """A checkpoint cannot be read safely, or its keys or shapes are not SignCLIP's."""


class ConfigError(SignCLIPError):
    """A parameter, experiment or split does not exist, or contradicts another."""


class FetchError(SignCLIPError):
    """A download failed, or the downloaded file cannot be used.

    Args:
        source: the address or the archive.
        reason: what is wrong.
        by_hand: what the user can do instead.
    """

    def __init__(self, source: str | Path, reason: str, by_hand: str):
        super().__init__(f"{source}: {reason}. By hand: {by_hand}")


class BusyError(SignCLIPError):
    """Another process is writing the same output."""


@contextmanager
def names_explained() -> Iterator[None]:
    """Where file names are not UTF-8, a text that cannot be one is an error of the setting.

    Raises:
        ConfigError: naming the text.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        encoding = sys.getfilesystemencoding()
        if encoding == "utf-8":
            raise
        raise ConfigError(
            f"{error.object[:200]!a}: cannot be a file name in {encoding}; set PYTHONUTF8=1"
        ) from None
