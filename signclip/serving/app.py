"""The routes: what is answered where, and how errors are answered.

Decisions
* Every error is JSON, ``{"error": "..."}``, with one line that names the reason: 4xx where the
  request is at fault, 500 for a fault here, whose traceback goes to the log and not to the client.
* A clip is the body of a request, or the files of a form. So these routes read their body
  themselves, and describe it to OpenAPI by hand.
* The page is one file without anything from outside, and its content policy says so. FastAPI's own
  pages of documentation load scripts from the network; they are switched off.

Cost: FastAPI takes half a second to import.
"""

# no postponed annotations: FastAPI looks at those of its routes
from dataclasses import asdict
from importlib import resources
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.params import Path as PathParameter
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from signclip.core.errors import SignCLIPError, SignIndexError
from signclip.search import skeletons
from signclip.serving import schemas, uploads
from signclip.serving.engine import Engine
from signclip.serving.limits import HEALTH, Guard, JSONAnswer, Refused, error
from signclip.text import sign_languages

DESCRIPTION = """Embeddings of sign-language clips and texts, and search in an index of signs.

A clip is a pose file: `.pose`, or a sequence of Kaggle's asl-signs (`.parquet`) or of Sem-Lex
(`.npy`); or a video, whose pose is extracted first, one video at a time.
Every error is answered with `{"error": "..."}`."""
_REASONS = {
    400: "The body is not what its type says.",
    404: "There is no such thing.",
    405: "The route has other methods.",
    408: "It took too long.",
    413: "It is over a limit.",
    415: "A body of another type, or a video where none are taken.",
    421: "The server has other names.",
    422: "A value, a text or a clip cannot be used.",
    429: "Too many requests at a time.",
    500: "A fault of the server.",
}
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.Error, "description": text} for status, text in _REASONS.items()
}
_CLIP = {"type": "string", "format": "binary"}
_FORM = {
    "type": "object",
    "properties": {"clip": {"type": "array", "items": _CLIP, "minItems": 1}},
    "required": ["clip"],
}
_NAME = {
    "name": "name",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "default": "clip.pose"},
    "description": "Name of a clip that is the body; its suffix says the format.",
}
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def create_app(engine: Engine, hosts: frozenset[str] | None = None) -> FastAPI:
    """The application.

    Args:
        hosts: names that it answers to (see :mod:`signclip.serving.limits`); None: any.
    """
    app = FastAPI(
        title="SignCLIP",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lambda app: engine.running(),
        responses=_ERRORS,
        default_response_class=JSONAnswer,
        separate_input_output_schemas=False,
    )
    _add_errors(app)
    _add_embeddings(app, engine)
    _add_search(app, engine)
    _add_state(app, engine)
    app.add_middleware(Guard, limits=engine.limits, hosts=hosts)
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(request: Request, problem: Refused) -> Response:
        return error(problem.status, problem.reason)

    @app.exception_handler(SignCLIPError)
    async def unusable(request: Request, problem: SignCLIPError) -> Response:
        return error(500 if isinstance(problem, SignIndexError) else 422, str(problem))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, problem: RequestValidationError) -> Response:
        return error(422, _reasons(problem.errors()))

    @app.exception_handler(HTTPException)
    async def http(request: Request, problem: HTTPException) -> Response:
        reasons = {404: f"no route {request.url.path}", 405: f"no method {request.method} here"}
        generic = problem.detail in ("Not Found", "Method Not Allowed")
        text = reasons[problem.status_code] if generic else problem.detail
        return error(problem.status_code, text, dict(problem.headers or {}))

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, problem: ClientDisconnect) -> Response:
        return error(400, "the client closed the connection")

    @app.exception_handler(Exception)
    async def fault(request: Request, problem: Exception) -> Response:
        # the server closes the connection: no client should send its next request on it
        return error(500, "a fault of the server; its log says more", {"Connection": "close"})


def _reasons(problems: Any) -> str:
    """Errors of pydantic in one line."""
    parts = []
    for one in list(problems)[:5]:
        place = ".".join(str(part) for part in one["loc"] if part != "body")
        parts.append(": ".join(filter(None, (place, one["msg"]))))
    return "; ".join(parts)[:1000]


def _upload(*, with_name: bool = True) -> dict[str, Any]:
    """A body that holds clips, as OpenAPI describes it."""
    content = {uploads.RAW: {"schema": _CLIP}, uploads.FORM: {"schema": _FORM}}
    found: dict[str, Any] = {"requestBody": {"required": True, "content": content}}
    return found | ({"parameters": [_NAME]} if with_name else {})


def _rows(vectors: Any) -> list[list[float]]:
    rows: list[list[float]] = vectors.tolist()
    return rows


def _answer(model: BaseModel) -> JSONAnswer:
    return JSONAnswer(model.model_dump())


def _add_embeddings(app: FastAPI, engine: Engine) -> None:
    @app.post("/v1/embed/text", tags=["embed"], response_model=schemas.TextEmbeddings)
    async def embed_text(given: schemas.Texts) -> Response:
        """Embed texts as the model's prompts, or complete prompts."""
        filled = engine.prompts(
            given.texts, given.sign_language, given.spoken_language, given.as_is
        )
        found = await engine.embed_texts(filled)
        about: dict[str, Any] = dict(
            model=engine.fingerprint, dims=engine.model.dims, prompts=filled
        )
        return _answer(schemas.TextEmbeddings(**about, embeddings=_rows(found)))

    @app.post(
        "/v1/embed/pose",
        tags=["embed"],
        response_model=schemas.ClipEmbeddings,
        openapi_extra=_upload(),
    )
    async def embed_pose(request: Request) -> Response:
        """Embed clips: one as the body, or several as files of a form."""
        given, _ = await uploads.read(request, engine.limits)
        clips, vectors = await engine.embed_clips(given)
        rows = [
            schemas.ClipEmbedding(name=c.name, frames=c.frames, cut=c.cut, embedding=row)
            for c, row in zip(clips, _rows(vectors), strict=True)
        ]
        about: dict[str, Any] = dict(model=engine.fingerprint, dims=engine.model.dims)
        return _answer(schemas.ClipEmbeddings(**about, clips=rows))


def _add_search(app: FastAPI, engine: Engine) -> None:
    @app.post(
        "/v1/search",
        tags=["search"],
        response_model=schemas.FoundSigns,
        openapi_extra=_search_request(),
    )
    async def search(request: Request) -> Response:
        """Find signs by a text (JSON), or signs and words by a clip (its bytes, or a form).

        The options of a search by a clip are in the query or in the form's fields.
        """
        engine.require_index()
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind == "application/json":
            if request.query_params:
                raise Refused(
                    422, "a search by a text has its options in the JSON, not in the query"
                )
            text = _validated(schemas.TextSearch, await request.body())
            return await _by_text(engine, text)
        given, fields = await uploads.read(request, engine.limits)
        if len(given) != 1:
            raise Refused(422, f"{len(given)} clips; a search takes one")
        query = {name: value for name, value in request.query_params.items() if name != "name"}
        return await _by_clip(
            engine, given[0], _validated(schemas.SearchOptions, {**query, **fields})
        )

    @app.get("/v1/signs/{row}/skeleton", tags=["search"], response_model=schemas.Skeleton)
    async def skeleton(
        row: Annotated[int, PathParameter(ge=0, le=2**53, description="Of a found sign.")],
    ) -> Response:
        """The points of a sign of the index, to be drawn."""
        hit, drawn = await engine.skeleton(row)
        about: dict[str, Any] = dict(
            row=row, id=hit.id, text=hit.text, sign_language=hit.sign_language
        )
        return _answer(schemas.Skeleton(**about, **drawn))


def _search_request() -> dict[str, Any]:
    found = _upload()
    schema = schemas.TextSearch.model_json_schema()
    found["requestBody"]["content"]["application/json"] = {"schema": schema}
    options = schemas.SearchOptions.model_json_schema()["properties"]
    for name, about in options.items():
        text = f"Of a search by a clip. {about['description']}"
        found["parameters"].append(
            {"name": name, "in": "query", "required": False, "schema": about, "description": text}
        )
    return found


def _validated(model: type[Any], given: Any) -> Any:
    """An instance of a model, from JSON or a mapping.

    Raises:
        Refused: it does not fit.
    """
    try:
        if isinstance(given, bytes):
            return model.model_validate_json(given)
        return model.model_validate(given)
    except ValidationError as problem:
        raise Refused(422, _reasons(problem.errors())) from None


async def _by_text(engine: Engine, given: schemas.TextSearch) -> Response:
    filled = engine.prompts([given.text], given.sign_language, given.spoken_language, given.as_is)
    (vector,) = await engine.embed_texts(filled)
    hits = await engine.search(vector, given.k, given.sign_language, cosine=False)
    return _answer(schemas.FoundSigns(query=filled[0], signs=_signs(hits), words=[]))


async def _by_clip(
    engine: Engine, given: uploads.Upload, options: schemas.SearchOptions
) -> Response:
    (clip,), (vector,) = await engine.embed_clips([given])
    hits = await engine.search(vector, options.k, options.sign_language, cosine=True)
    assert engine.words is not None
    best = engine.words.best(vector, options.k, options.sign_language)
    words = [
        schemas.FoundWord(rank=rank, text=word.text, sign_language=word.sign_language, score=score)
        for rank, (word, score) in enumerate(best, start=1)
    ]
    return _answer(schemas.FoundSigns(query=clip.name, signs=_signs(hits), words=words))


def _signs(hits: list[Any]) -> list[schemas.FoundSign]:
    return [
        schemas.FoundSign(
            rank=rank,
            seconds=round(hit.frames / hit.fps, 3),
            **{
                name: getattr(hit, name) for name in ("row", "id", "text", "sign_language", "score")
            },
        )
        for rank, hit in enumerate(hits, start=1)
    ]


def _add_state(app: FastAPI, engine: Engine) -> None:
    page = resources.files("signclip.serving").joinpath("page.html").read_text("utf-8")
    page = page.replace("/*PLAYER*/", skeletons.player())
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}

    @app.get("/", include_in_schema=False)
    async def show() -> Response:
        return HTMLResponse(page, headers=headers)

    @app.get(HEALTH, tags=["state"], response_model=schemas.Health)
    async def health() -> Response:
        """What is served, with which limits; answered also when the server is full."""
        counts = {
            name: schemas.Batches(batches=batcher.batches, items=batcher.items)
            for name, batcher in (("texts", engine.texts), ("clips", engine.clips))
        }
        return _answer(
            schemas.Health(
                status="ok",
                model=engine.fingerprint,
                dims=engine.model.dims,
                prompt=engine.model.prompt,
                max_frames=engine.model.model.config.max_frames,
                index=_index(engine),
                limits=asdict(engine.limits),
                drawing=skeletons.drawing(),
                **counts,
            )
        )


def _index(engine: Engine) -> schemas.IndexInfo | None:
    if engine.index is None or engine.words is None:
        return None
    known = sign_languages()
    languages = [
        {"tag": tag, "name": known[tag].name if tag in known else tag, "signs": count}
        for tag, count in engine.index.languages.items()
    ]
    return schemas.IndexInfo(
        signs=len(engine.index), words=len(engine.words.words), sign_languages=languages
    )
