"""The desk and adapters: which content a plan means is settled before there is a job."""

from __future__ import annotations

import asyncio
import json
import struct
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from cinelet.cli.house import make_pricers
from cinelet.errors import InvalidValueError
from cinelet.gateway.access import Caller
from cinelet.gateway.desk import Desk
from cinelet.gateway.fields import Parsed
from cinelet.jobs import Store, Tenant
from cinelet.models import Adapters, Catalogue
from cinelet.storage import open_blobs
from cinelet.telemetry import Metrics
from cinelet.video import LoraUse, VideoRequest

ANN = Caller(tenant=Tenant(id="ann"), how="open")


def asked(name: str) -> Parsed:
    return Parsed(request=VideoRequest(prompt="a red ball", seed=1, loras=(LoraUse(name, 0.5),)))


def write_weights(path: Path) -> None:
    header = json.dumps({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}).encode()
    path.parent.mkdir(parents=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"ink!")


def test_a_job_says_which_content_it_means_also_when_it_is_tried_again_and_an_unknown_adapter_makes_no_job(tmp_path: Path) -> None:
    write_weights(tmp_path / "loras/ink/ink.safetensors")
    adapters = Adapters(tmp_path / "loras")
    store = Store(str(tmp_path / "jobs.db"), lease_s=60.0)
    store.tenants.put(Tenant(id="ann"))

    async def work() -> None:
        catalogue = Catalogue(Path("nowhere"))
        desk = Desk(
            store,
            open_blobs("memory://"),
            catalogue,
            ["pocket"],
            pricers=make_pricers(catalogue, ["pocket"]),
            adapters=adapters,
            metrics=Metrics(CollectorRegistry(), version="0"),
        )
        try:
            made = await desk.create(ANN, asked("ink"))
            expected = (LoraUse("ink", 0.5, adapters.get("ink").digest),)
            assert made.job.plan.loras == expected
            assert "ink:0.5" in made.job.plan.shape
            await desk.archive.cancel(ANN, made.job.id)
            assert (await desk.retry(ANN, made.job.id)).job.plan.loras == expected
            with pytest.raises(InvalidValueError, match=r"did you mean ink\?") as caught:
                await desk.create(ANN, asked("inc"))
            assert caught.value.field == "loras"
            assert sum(store.register.load().waiting.values()) == 1
        finally:
            desk.close()

    try:
        asyncio.run(work())
    finally:
        store.close()
