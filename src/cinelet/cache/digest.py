"""The digest of a clip: equal exactly where the frames would be, and where one caller may see the other's.

It covers every field of the plan, the model's revision and the tenant. The prompt counts in its normal form (NFC, runs of space as
one), which is what the text encoder sees of it too.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata

from cinelet.video import Plan

VERSION = 1
"""Raise it when the meaning of a plan's field changes: old results then match nothing."""


def result_digest(plan: Plan, *, revision: str, tenant: str) -> str:
    """Sixty-four hexadecimal digits."""
    fields = {**vars(plan), "prompt": normal(plan.prompt), "negative_prompt": normal(plan.negative_prompt)}
    document = json.dumps([VERSION, tenant, revision, fields], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(document.encode()).hexdigest()


def normal(prompt: str) -> str:
    """The prompt without what cannot matter."""
    return " ".join(unicodedata.normalize("NFC", prompt).split())
