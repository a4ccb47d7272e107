"""The errors a user can cause, each naming the sample and the reason.

Decision: one small tree under :class:`SignCLIPError`. The command line prints such an error as one
line and exits with 2; anything else is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

from pathlib import Path


class SignCLIPError(Exception):
    """Base of every error that bad input, bad configuration or a damaged file can cause.

    Attributes:
        of_one_process: of several that train together, only one has met it, and must tell it.
    """

    of_one_process = False


class SampleError(SignCLIPError):
    """Something is wrong with one sample.

    Args:
        sample: the clip's id or path, as the user knows it.
        reason: what is wrong, in words; it becomes a row of the dropped-clips table.
    """

    def __init__(self, sample: str | Path, reason: str):
        super().__init__(f"{sample}: {reason}")
        self.sample = str(sample)
        self.reason = reason

    def __reduce__(self) -> tuple:  # out of another process
        return type(self), (self.sample, self.reason)


class PoseError(SampleError):
    """A ``.pose`` file, or a pose in memory, cannot be used."""


class VideoError(SampleError):
    """A video cannot be turned into a pose: it is damaged, too large, or shows nobody."""


class ManifestError(SampleError):
    """A manifest (or the CSV it is made from) breaks its schema."""


class LanguageTagError(SignCLIPError):
    """A sign-language tag is not in the registry."""


class StoreError(SignCLIPError):
    """A feature store is missing, damaged, or made otherwise than its reader expects."""


class RunError(SignCLIPError):
    """A training run is missing, unfinished, or does not fit what is asked of it."""


class CheckpointError(SignCLIPError):
    """A checkpoint cannot be read safely, or its keys and shapes are not those of SignCLIP."""


class ConfigError(SignCLIPError):
    """A parameter, an experiment or a split does not exist or contradicts another."""


class FetchError(SignCLIPError):
    """A download failed, or what came cannot be used.

    Args:
        source: the address, or the archive.
        reason: what is wrong, in words.
        by_hand: what the user can do instead.
    """

    def __init__(self, source: str | Path, reason: str, by_hand: str):
        super().__init__(f"{source}: {reason}. By hand: {by_hand}")


class BusyError(SignCLIPError):
    """Another process is writing the same output."""
