"""`docs/reference/http.md`, generated: routes, fields of a request, other servers' words, variants, headers, errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastapi import FastAPI

from cinelet import errors
from cinelet.gateway.archive import VARIANTS
from cinelet.gateway.door import MAX_KEY_CHARS
from cinelet.gateway.problems import row_of
from cinelet.gateway.request_schema import FIELDS
from cinelet.gateway.routes.submissions import MAX_PREFER_WAIT_S
from cinelet.gateway.vocabulary import ALIASES, NO_EFFECT, REFUSED

INTRODUCTION = """# HTTP

The videos API of a service, `http://127.0.0.1:8000/v1/videos` by default. A request is JSON, a form, or urlencoded; an account is told
by `Authorization: Bearer KEY`, unless the service was started without accounts. `/openapi.json` has the same for programs,
[clients](../guides/clients.md) what stock libraries do with it. Generated from `src/cinelet/gateway`."""
HEADERS = {
    "Idempotency-Key": f"1 to {MAX_KEY_CHARS} printable characters; repetitions within 24 hours are the same job, another body an error",
    "Prefer: wait=N": f"answer when the clip has ended, at the latest after N seconds, at most {MAX_PREFER_WAIT_S}",
    "X-Cinelet-Strict: true": "refuse a field that nobody knows, where it would be named in `warnings`",
    "X-Request-Id": "of every answer: the name of the call in the log, for a report of a fault",
    "Range, If-Range, If-None-Match": "for `/content`: a part of the file, or nothing where you have it",
}


def reference_page(app: FastAPI) -> str:
    """The page; a test holds the file against it."""
    parts = [
        [INTRODUCTION],
        ["## Routes", "", *_table(("route", "what it does"), _routes(app.openapi()))],
        ["## Fields of a request for a clip", "", "All but `prompt` may be left out; the model decides what is not said.", ""],
        _table(("field", "form", "meaning"), ((f"`{name}`", _form(schema), schema["description"]) for name, schema in FIELDS.items())),
        ["## Variants of `/content`", "", *_table(("`variant=`", "what"), _meanings(VARIANTS))],
        ["## Headers", "", *_table(("header", "meaning"), ((f"`{name}`", meaning) for name, meaning in HEADERS.items()))],
        ["## Errors", "", 'Every error is `{"error": {"message", "type", "param", "code"}}`; `message` names field, value and limit.', ""],
        _table(("`code`", "status", "meaning"), sorted(_codes())),
        ["## Words of other servers", "", "Taken for ours:", "", *_table(("word", "is"), _quoted(ALIASES))],
        ["Accepted without effect, named in `warnings`:", "", *_table(("field", "because"), _meanings(NO_EFFECT))],
        ["Refused, because their loss would give another clip than was asked for:", "", *_table(("field", "because"), _meanings(REFUSED))],
    ]
    return "\n".join("\n".join(part).rstrip("\n") + "\n" for part in parts)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in (heads, *rows)]
    return [lines[0], "|---" * len(heads) + "|", *lines[1:]]


def _quoted(words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((f"`{word}`", f"`{ours}`") for word, ours in words.items())


def _meanings(words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((f"`{word}`", reason) for word, reason in words.items())


def _routes(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            yield f"`{verb.upper()} {path}`", operation.get("description", operation["summary"]).split("\n")[0]


def _form(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    if "enum" in schema:
        return ", ".join(f"`{name}`" for name in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_form(each) for each in schema["anyOf"])
    low, above, high = schema.get("minimum"), schema.get("exclusiveMinimum"), schema.get("maximum")
    kind = {"string": "text", "integer": "whole number", "array": "list"}.get(schema["type"], schema["type"])
    bounds = [
        *([f"from {low:g}"] if low is not None else [f"above {above:g}"] if above is not None else []),
        *([f"to {high:,g}" if high < 2**53 else "to 2^63 − 1"] if high is not None else []),
        *([f"at most {schema['maxLength']:,} characters"] if "maxLength" in schema else []),
        *([f"at most {schema['maxItems']}"] if "maxItems" in schema else []),
        *([f"at most {schema['maxProperties']} entries"] if "maxProperties" in schema else []),
    ]
    return ", ".join([kind, " ".join(bounds)]) if bounds else kind


def _codes() -> Iterator[tuple[str, str, str]]:
    """What each error of the tree is answered with."""
    kinds = errors.CineletError.__subclasses__()
    for kind in kinds:
        kinds += kind.__subclasses__()
        if kind.__module__ == errors.__name__:
            row = row_of(kind)
            code = "invalid_FIELD" if kind is errors.InvalidValueError else row.code or kind.code
            yield f"`{code}`", str(row.status), (kind.__doc__ or "").split("\n")[0]
