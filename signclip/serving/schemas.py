"""What clients send and get: the models behind the OpenAPI description.

Decision: unknown fields are refused, so that a misspelt option is an error. Limits that the command
line sets are checked by :class:`signclip.serving.engine.Engine`. Cost: none.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from signclip.core.errors import LanguageTagError
from signclip.text import sign_language as find_language
from signclip.text import sign_languages


def _known(tag: str) -> str:
    if tag:
        try:
            find_language(tag)
        except LanguageTagError as error:
            raise ValueError(str(error)) from None
    return tag


SignLanguage = Annotated[
    str,
    AfterValidator(_known),
    Field(
        max_length=16,
        json_schema_extra={"enum": ["", *sign_languages()]},
        description="Tag such as ase; empty: the prompt without one that the model knows, and "
        "signs of all languages.",
    ),
]
SpokenLanguage = Annotated[
    str, Field(pattern=r"^[A-Za-z-]{1,16}$", description="Language of the texts, as in prompts.")
]
Found = Annotated[int, Field(ge=1, le=100, description="Signs, and words, that are answered.")]
Vector = Annotated[list[float], Field(description="An embedding.")]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Texts(_Given):
    """Texts to embed."""

    texts: Annotated[list[str], Field(min_length=1, examples=[["house", "sun"]])]
    sign_language: SignLanguage = ""
    spoken_language: SpokenLanguage = "en"
    as_is: Annotated[
        bool, Field(strict=True, description="The texts are complete prompts, embedded as given.")
    ] = False


class SearchOptions(_Given):
    """Of a search by a clip."""

    k: Found = 10
    sign_language: SignLanguage = ""


class TextSearch(SearchOptions):
    """A search by a text."""

    text: Annotated[str, Field(examples=["house"])]
    spoken_language: SpokenLanguage = "en"
    as_is: Annotated[bool, Field(strict=True, description="The text is a complete prompt.")] = False


class Error(BaseModel):
    """Why a request failed."""

    error: Annotated[str, Field(examples=["clip.pose: the file is empty"])]


class TextEmbeddings(BaseModel):
    """Embeddings of texts, in their order."""

    model: Annotated[str, Field(description="Fingerprint of the model.")]
    dims: int
    prompts: Annotated[list[str], Field(description="What was embedded.")]
    embeddings: list[Vector]


class ClipEmbedding(BaseModel):
    """The embedding of a clip."""

    name: str
    frames: int
    cut: Annotated[bool, Field(description="Only the model's limit of frames was embedded.")]
    embedding: Vector


class ClipEmbeddings(BaseModel):
    """Embeddings of clips, in their order."""

    model: str
    dims: int
    clips: list[ClipEmbedding]


class FoundSign(BaseModel):
    """A sign of the index; ``row`` names its skeleton, /v1/signs/{row}/skeleton."""

    rank: int
    row: int
    id: str
    text: str
    sign_language: str
    score: Annotated[float, Field(description="As trained (text), or the cosine (clip).")]
    seconds: float


class FoundWord(BaseModel):
    """A text of the index."""

    rank: int
    text: str
    sign_language: str
    score: float


class FoundSigns(BaseModel):
    """The answer to a search, best first."""

    query: Annotated[str, Field(description="The prompt, or the name of the clip.")]
    signs: list[FoundSign]
    words: Annotated[list[FoundWord], Field(description="Of a search by a clip only.")]


class Skeleton(BaseModel):
    """A sign's points, to be drawn; see ``drawing`` of /healthz."""

    row: int
    id: str
    text: str
    sign_language: str
    fps: float
    cut: Annotated[bool, Field(description="Only its first frames are here.")]
    frames: Annotated[
        list[list[int]],
        Field(description="Of each frame x, y, x, y, ... in hundredths of a shoulder width."),
    ]


class IndexInfo(BaseModel):
    """The index."""

    signs: int
    words: int
    sign_languages: Annotated[list[dict[str, Any]], Field(description="tag, name and signs.")]


class Batches(BaseModel):
    """Forward passes so far, and the items in them."""

    batches: int
    items: int


class Health(BaseModel):
    """What is served."""

    status: Annotated[str, Field(examples=["ok"])]
    model: str
    dims: int
    prompt: Annotated[str, Field(description="Template of the model's texts.")]
    max_frames: int
    index: IndexInfo | None
    limits: dict[str, float]
    drawing: Annotated[dict[str, Any], Field(description="lines, dots and view of skeletons.")]
    texts: Batches
    clips: Batches
