"""One intake behind every door: HTTP and gRPC both come here. Request to plan to accepted job; what becomes of it the archive knows.

Knows no torch, no worker, no transport.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cinelet.cache import result_digest
from cinelet.errors import (
    CineletError,
    InvalidValueError,
    ModelNotFoundError,
    PermissionDeniedError,
    UnavailableError,
    show,
)
from cinelet.gateway.access import Caller
from cinelet.gateway.archive import Archive, View
from cinelet.gateway.fields import Parsed
from cinelet.gateway.quoter import Quote, Quoter, candidate_of
from cinelet.gateway.recent import Recent
from cinelet.gateway.reception import Admission, Reception
from cinelet.gateway.rewriter import Rewriter, Rewriting
from cinelet.gateway.start_image import KeptImage, StartImages
from cinelet.gateway.turnstile import Turnstile
from cinelet.jobs import Accepted, Job, Store, Submission, Tenant, Tier, new_id
from cinelet.models import AdapterFiles, Adapters, Catalogue, ModelCard, pin, plan, revision
from cinelet.models.adapters import no_adapters
from cinelet.scheduling import RANKS, Pricer, policy_named
from cinelet.scheduling.degrade import ladder
from cinelet.storage import BlobStore
from cinelet.telemetry import Metrics
from cinelet.video import Plan, VideoRequest

MAX_POPULAR = 4096
"""Digests whose clips are known to be finished."""
MAX_DIGESTED = 1024
"""Plans whose digests are known."""


class Desk:
    """Makes jobs; `archive` has those that it made. `models` are offered, the first one by default; `region` stands in new ids.

    Make it inside a running event loop and `close` it.
    """

    def __init__(
        self,
        store: Store,
        blobs: BlobStore,
        catalogue: Catalogue,
        models: Sequence[str],
        *,
        region: str = "local",
        precision: str = "auto",
        pricers: Mapping[str, Pricer],
        adapters: Adapters | None = None,
        rewriter: Rewriter | None = None,
        policy: str = "cinelet",
        max_wait_s: float = 600.0,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.models = list(models)
        self.quoter = Quoter(store, pricers, policy=policy_named(policy))
        self.archive = Archive(store, blobs, self.quoter, metrics=metrics, clock=clock)
        self._reception = Reception(self.quoter, max_wait_s=max_wait_s)
        self._catalogue = catalogue
        self._adapters = adapters
        self._rewriter = rewriter
        self._region = region
        self._precision = precision
        self._clock = clock
        self._revisions: dict[str, str] = {}
        self._images = StartImages(blobs)
        self._metrics = metrics
        self._popular: Recent[None] = Recent(MAX_POPULAR)
        self._digests: Recent[str] = Recent(MAX_DIGESTED)
        self._turnstile = Turnstile(store.intake.accept, on_batch=metrics.accept_batch_size.observe)

    def close(self) -> None:
        """End the threads, the archive's too."""
        self.quoter.close()
        self._images.close()
        self.archive.close()

    def card(self, name: str | None) -> ModelCard:
        """The card of an offered model, None: of the default. Raises `ModelNotFoundError`."""
        if name is None:
            name = self.models[0]
        if name not in self.models:
            raise ModelNotFoundError(f"model: {show(name)} is not served here; {', '.join(self.models)} are")
        return self._catalogue.get(name)

    async def adapters_for(self, card: ModelCard) -> Sequence[AdapterFiles]:
        """Those that clips of `card` may name, but for what other models are made with; of a bucket, those that were asked for here."""
        if self._adapters is None:
            return ()
        merged = {name for other in self._catalogue.list() for name in other.loras}
        found = await self.archive.in_thread(functools.partial(self._adapters.fitting, card))
        return [files for files in found if files.name not in merged]

    async def create(
        self,
        caller: Caller,
        asked: Parsed,
        *,
        body_digest: str | None = None,
        idempotency_key: str | None = None,
        is_repeat: bool = False,
        remixed_from: str | None = None,
        image: KeptImage | None = None,
    ) -> View:
        """Accept a request: durable when this returns. Equal finished work answers at once, equal running work is followed.

        `image` is the start image of an earlier job that this one repeats.
        """
        if asked.deadline_s is not None and asked.deadline_s <= 0:
            raise InvalidValueError("deadline_s", asked.deadline_s, "must lie in the future")
        asked, image = await self._with_image(await self._rewritten(asked), image)
        now, name = self._clock(), f"{caller.tenant.id} {idempotency_key or body_digest or ''}"
        admission = await self._admission(caller, asked, name, now)
        job = self._job(caller, asked, admission, now, body_digest=body_digest, remixed_from=remixed_from)
        submission = Submission(
            job=job,
            idempotency_key=idempotency_key,
            is_repeat=is_repeat,
            may_reuse=asked.request.seed is not None,
            max_waiting=caller.tenant.max_waiting,
            refusal=admission.refusal,
        )
        try:
            accepted = await self._stand_in_line(submission, image)
        except CineletError as error:
            if error is admission.refusal:
                self._reception.keep_room(name, admission, now)
                self._metrics.overload_refusals_total.add(tier=job.tier)
            raise
        self._count(submission, accepted)
        if accepted.kind != "new":
            return await self.archive.view(accepted.job)
        told = self.quoter.quote(candidate_of(job), self._clock())
        return View(job=accepted.job, num_ahead=told.num_ahead, eta_s=told.eta_s, warnings=asked.warnings)

    async def remix(
        self,
        caller: Caller,
        video_id: str,
        asked: Parsed,
        *,
        body_digest: str | None = None,
        idempotency_key: str | None = None,
        is_repeat: bool = False,
    ) -> View:
        """The settings and seed of an earlier video with the prompt of `asked`."""
        original = await self.archive.get_job(caller, video_id)
        request = replace(_request_of(original), prompt=asked.request.prompt, seed=original.plan.seed)
        again = replace(asked, request=request, input_reference=None)
        image = await self.archive.in_thread(lambda: self._images.find(original))
        marks = {"body_digest": body_digest, "idempotency_key": idempotency_key}
        return await self.create(caller, again, is_repeat=is_repeat, remixed_from=original.id, image=image, **marks)

    async def retry(self, caller: Caller, video_id: str) -> View:
        """The same request and seed once more, as a new job: an ended job never changes."""
        original = await self.archive.get_job(caller, video_id)
        if not original.is_final:
            return await self.archive.view(original)
        image = await self.archive.in_thread(lambda: self._images.find(original))
        again = Parsed(request=replace(_request_of(original), seed=original.plan.seed), rewriting=_rewriting_of(original))
        return await self.create(caller, again, image=image)

    async def estimate(self, caller: Caller, asked: Parsed) -> tuple[Plan, Quote]:
        """What a request would become and cost; nothing is accepted."""
        asked, _ = await self._with_image(asked, None)
        now = self._clock()
        admission = await self._admission(caller, asked, "", now)
        return admission.plan, self.quoter.quote(admission.work, now)

    async def _admission(self, caller: Caller, asked: Parsed, name: str, now: float) -> Admission:
        """The verdict on a request, by a glance at the line."""
        outlook = self.quoter.glance()
        if outlook is None:
            outlook = await self.archive.in_thread(self.quoter.look)
        plans, tier = await self._plans(asked), _tier(caller, asked)
        return self._reception.receive(plans, outlook, tier=tier, tenant=caller.tenant.id, name=name, deadline_s=asked.deadline_s, now=now)

    def _job(
        self, caller: Caller, asked: Parsed, admission: Admission, now: float, *, body_digest: str | None, remixed_from: str | None
    ) -> Job:
        """The job as it will be where the request is new work."""
        request = self._request_row(asked, admission)
        work_s = admission.cost.solo_s + request.get("draft_steps", 0) * admission.cost.step_s
        return Job(
            id=new_id(self._region, now),
            tenant=caller.tenant.id,
            tier=admission.work.tier,
            state="available",
            plan=admission.plan,
            request=request,
            digest=self._digest(admission.plan, asked.request, caller.tenant),
            work_s=work_s,
            left_s=work_s,
            created_at=now,
            available_at=now,
            deadline_at=None if asked.deadline_s is None else now + asked.deadline_s,
            due_at=admission.work.due_at,
            callback_url=asked.callback_url,
            body_digest=body_digest,
            remixed_from=remixed_from,
            reserved_s=0.0 if caller.tenant.quota_s is None else work_s,
        )

    async def _stand_in_line(self, submission: Submission, image: KeptImage | None) -> Accepted:
        """Submit it; while it is written others stand behind it. Who asks for what was finished a moment ago joins no line: standing there
        for as long as a hit is written costs more than it tells others."""
        work, digest = candidate_of(submission.job), submission.job.digest
        if submission.refusal is None and digest not in self._popular:
            self.quoter.expect(work)
        accepted: Accepted | None = None
        try:
            accepted = await self._submit(submission, image)
        finally:
            self.quoter.settle(work, is_there=accepted is not None and accepted.kind == "new")
        if digest is not None:
            self._popular.keep(digest, None) if accepted.kind == "hit" else self._popular.discard(digest)
        return accepted

    async def _rewritten(self, asked: Parsed) -> Parsed:
        """The request with its prompt rewritten, where it asks for that; what the rewriter raises is raised."""
        if not asked.rewrite_prompt:
            return asked
        if self._rewriter is None:
            raise InvalidValueError("rewrite_prompt", True, "prompts are not rewritten here; leave it out")
        rewriting = await self._rewriter.rewrite(asked.request.prompt)
        return replace(asked, request=replace(asked.request, prompt=rewriting.prompt), rewriting=rewriting)

    async def _with_image(self, asked: Parsed, image: KeptImage | None) -> tuple[Parsed, KeptImage | None]:
        """The request naming the image that came with it, or the given one."""
        if asked.input_reference is None and image is None and asked.request.image is None:
            return asked, None
        if asked.input_reference is not None:
            planned = plan(asked.request, self.card(asked.request.model), seed=0)
            image = await self._images.read(asked.input_reference, planned.width, planned.height)
        return replace(asked, request=replace(asked.request, image=None if image is None else image.digest)), image

    async def _submit(self, submission: Submission, image: KeptImage | None) -> Accepted:
        """Through the turnstile, the start image first: what is accepted can be made. Where nothing was accepted it goes again."""
        if image is None:
            return await self._turnstile.pass_through(submission)
        job_id = submission.job.id
        await self.archive.in_thread(lambda: self._images.keep(job_id, image))
        try:
            accepted = await self._turnstile.pass_through(submission)
        except UnavailableError:
            raise  # whether it was accepted is not known
        except CineletError:
            await self.archive.in_thread(lambda: self._images.drop(job_id, image))
            raise
        if accepted.job.id != job_id:
            await self.archive.in_thread(lambda: self._images.drop(job_id, image))
        return accepted

    async def _plans(self, asked: Parsed) -> Sequence[Plan]:
        """What was asked for, then what may be served instead."""
        card = self.card(asked.request.model)
        planned = plan(asked.request, card)
        if planned.loras:
            get = no_adapters if self._adapters is None else self._adapters.get
            planned = await self.archive.in_thread(functools.partial(pin, planned, card, get))
        if not asked.allow_degrade:
            return [planned]
        return [planned, *ladder(planned, draft_steps=card.steps["draft"], size_multiple=card.size_multiple)]

    def _count(self, submission: Submission, accepted: Accepted) -> None:
        if accepted.kind == "hit":
            self._metrics.jobs_total.add(status="completed", reason="cached")
            self._metrics.cache_hits_total.add(cache="exact")
        elif accepted.kind == "follower":
            self._metrics.cache_hits_total.add(cache="follower")
        elif accepted.kind == "new" and submission.may_reuse:
            self._metrics.cache_misses_total.add(cache="exact")
        if accepted.kind == "new" and "degraded_from" in submission.job.request:
            self._metrics.degraded_total.add(tier=submission.job.tier)

    def _request_row(self, asked: Parsed, admission: Admission) -> Mapping[str, Any]:
        """What is kept of the request beside its plan."""
        given = {name: value for name, value in vars(asked.request).items() if value is not None}
        draft_steps = min(self.card(admission.plan.model).steps["draft"], admission.plan.num_inference_steps // 2)
        extras = {
            "user": asked.user,
            "metadata": asked.metadata,
            "warnings": asked.warnings,
            "allow_degrade": asked.allow_degrade,
            "degraded_from": admission.degraded_from,
            "draft_steps": draft_steps if asked.draft_first else None,
            "original_prompt": None if asked.rewriting is None else asked.rewriting.original,
            "rewriter": None if asked.rewriting is None else asked.rewriting.rewriter,
        }
        return {"request": given, **{name: value for name, value in extras.items() if value}}

    def _digest(self, planned: Plan, request: VideoRequest, tenant: Tenant) -> str | None:
        """None where the seed was drawn: nobody can ask for that clip again by accident."""
        if request.seed is None:
            return None
        if planned.model not in self._revisions:
            self._revisions[planned.model] = f"{revision(*self._catalogue.get(planned.model).folders)} {self._precision}"
        name = (planned, tenant.id)
        digest = self._digests.get(name)
        if digest is None:
            digest = result_digest(planned, revision=self._revisions[planned.model], tenant=tenant.id)
        self._digests.keep(name, digest)
        return digest


def _tier(caller: Caller, asked: Parsed) -> Tier:
    """The tier that was asked for, or the account's own. Raises `PermissionDeniedError` for a better one."""
    if asked.tier is None:
        return caller.tenant.tier
    if RANKS[asked.tier] < RANKS[caller.best_tier]:
        raise PermissionDeniedError(f"tier: {asked.tier} is not yours; your account's best tier is {caller.best_tier}")
    return asked.tier


def _request_of(job: Job) -> VideoRequest:
    return VideoRequest(**job.request["request"])


def _rewriting_of(job: Job) -> Rewriting | None:
    """What became of the prompt of an earlier job; its plan has the rewritten one."""
    if "rewriter" not in job.request:
        return None
    return Rewriting(prompt=job.plan.prompt, original=job.request["original_prompt"], rewriter=job.request["rewriter"])
