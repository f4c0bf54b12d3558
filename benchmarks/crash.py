"""Random `kill -9` of serves, workers, gateways and PostgreSQL under load, then the oracle: what went in must have come out, once.

    python -m benchmarks.crash --store sqlite --kills 350
    python -m benchmarks.crash --store postgresql --kills 300 --gateway-kills 50 --freezes 20 --database-kills 10

On SQLite one process is gateway and worker, so every kill hits both. PostgreSQL is a server of this run's own, with fsync. Workers
draw with the fake engine, so that a kill costs milliseconds; each is a real process with real connections. The faults come in
rounds, each on an empty store with its own seed and its own verdict; the same command started again goes on after the last round
that ended. Writes results/crash_<database>.json when all have.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
from tqdm import tqdm

from benchmarks.record import ROOT, origin, write
from tests.support.chaos import Herd, Submitter, Verdict, drain, free_port, judge
from tests.support.postgres import Postgres
from tests.support.zygote import Zygote

LEASE_S = 1.0
NUM_SUBMITTERS = 3
NUM_WORKERS = 3
ROUND_FAULTS = 40
"""About how many come to a round: enough to meet each other, few enough to be run again."""
MAX_OUTAGE_S = 1.0
UNFINISHED = ROOT / "build"
"""Where the rounds of a run wait for the others."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is broken: kills of each kind, and freezes longer than a lease."""

    serve_kills: int = 0
    worker_kills: int = 0
    gateway_kills: int = 0
    database_kills: int = 0
    freezes: int = 0
    seed: int = 0

    @property
    def num_faults(self) -> int:
        """All of them."""
        return sum(self.counts().values())

    def counts(self) -> dict[str, int]:
        """By kind."""
        return {name: count for name, count in dataclasses.asdict(self).items() if name != "seed"}

    def rounds(self) -> list[Plan]:
        """The same faults, dealt out evenly; seeds count up from this plan's."""
        count = max(1, round(self.num_faults / ROUND_FAULTS))
        shares = [{name: total // count + (number < total % count) for name, total in self.counts().items()} for number in range(count)]
        return [Plan(**share, seed=self.seed + number) for number, share in enumerate(shares)]


def run_crashes(store: str, folder: Path, plan: Plan, *, server: Postgres | None = None, quiet: bool = True) -> Verdict:
    """Break things by `plan` under load, let what is left drain, stop everything, judge. `server` is the one that database kills hit."""
    rng = random.Random(plan.seed)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    blobs = str(folder / "blobs")
    shared = {"store": store, "blobs": blobs, "secret": "x" * 40, "lease_s": LEASE_S, "engine": "fake", "fake_step_s": 0.01, "grace_s": 0.5}
    making = {"checkpoint_every_s": 0.02, "preview_every_s": 5.0, "slots": 2}
    serving = {"port": port}
    with Zygote() as zygote:
        serves = Herd(zygote, "serve", folder / "serve.log", {**shared, **making, **serving})
        gateways = Herd(zygote, "gateway", folder / "gateway.log", {**shared, **serving})
        workers = Herd(zygote, "worker", folder / "worker.log", {**shared, **making})
        serves.grow(1 if plan.serve_kills else 0)
        gateways.grow(0 if plan.serve_kills else 1)
        workers.grow(0 if plan.serve_kills else NUM_WORKERS)
        wait_listening(port)
        submitters = [Submitter(url, f"client{i}", pause_s=0.05) for i in range(NUM_SUBMITTERS)]
        for submitter in submitters:
            submitter.start()
        deeds = [kind.split("_", maxsplit=1)[0] for kind, count in plan.counts().items() for _ in range(count)]
        rng.shuffle(deeds)
        for deed in tqdm(deeds, unit="fault", disable=quiet):
            if deed in {"serve", "gateway", "database"}:
                wait_listening(port)
            time.sleep(rng.uniform(0.02, 0.25))
            match deed:
                case "serve":
                    serves.kill(rng)
                case "gateway":
                    gateways.kill(rng)
                case "worker":
                    workers.kill(rng)
                case "database":
                    restart(server, rng)
                case "freezes":
                    workers.freeze(rng, 2.5 * LEASE_S)
        for submitter in submitters:
            submitter.finish()
        drain(url, {job_id for submitter in submitters for job_id in submitter.acknowledged.values()})
        for herd in (workers, gateways, serves):
            herd.stop()
    return judge(store, blobs, submitters)


def restart(server: Postgres | None, rng: random.Random) -> None:
    """Kill the database and start it again after a while in which all others have to do without."""
    if server is None:
        raise ValueError("database kills need a server of one's own")
    server.kill()
    time.sleep(rng.uniform(0.0, MAX_OUTAGE_S))
    server.start()


def wait_listening(port: int) -> None:
    """Until the gateway of the moment takes requests: a process that is killed while it starts proves little."""
    while True:
        try:
            httpx2.get(f"http://127.0.0.1:{port}/livez", timeout=5.0, trust_env=False)
        except httpx2.HTTPError:
            time.sleep(0.01)
        else:
            return


class Log:
    """The rounds of a plan that have ended, in a file until all have. Rounds of another plan or commit are none of this one's."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self._path = path
        self._mark = {"plan": dataclasses.asdict(plan), "commit": origin()["commit"].removesuffix("+changes")}
        kept = json.loads(path.read_text()) if path.exists() else {}
        self.rounds: list[dict[str, Any]] = kept["rounds"] if kept.get("mark") == self._mark else []

    def add(self, plan: Plan, verdict: Verdict, seconds: float) -> None:
        """One more."""
        self.rounds.append({"plan": dataclasses.asdict(plan), "seconds": round(seconds, 1), **dataclasses.asdict(verdict)})
        self._path.parent.mkdir(exist_ok=True)
        draft = self._path.with_suffix(".part")
        draft.write_text(json.dumps({"mark": self._mark, "rounds": self.rounds}))
        draft.replace(self._path)

    def close(self) -> None:
        """All have ended and are written down elsewhere."""
        self._path.unlink()


def run_rounds(kind: str, plan: Plan, log: Log) -> None:
    """Every round that has not ended before, each on an empty store."""
    rounds = plan.rounds()
    with ExitStack() as house:
        server = None if kind == "sqlite" else house.enter_context(Postgres(is_on_disk=True))
        for number, part in enumerate(rounds[len(log.rounds) :], len(log.rounds) + 1):
            with tempfile.TemporaryDirectory(prefix="cinelet-crash-") as name:
                store = str(Path(name) / "cinelet.db") if server is None else server.url_of(server.create())
                began = time.monotonic()
                verdict = run_crashes(store, Path(name), part, server=server, quiet=False)
                log.add(part, verdict, time.monotonic() - began)
            print(f"round {number} of {len(rounds)}: {verdict}", flush=True)


def summed(rounds: Sequence[dict[str, Any]]) -> Verdict:
    """One verdict on all rounds."""

    def total(name: str) -> int:
        return sum(one[name] for one in rounds)

    states = sum((Counter(one["states"]) for one in rounds), Counter[str]())
    attempts = sum((Counter({int(number): count for number, count in one["attempts"].items()}) for one in rounds), Counter[int]())
    return Verdict(
        acknowledged=total("acknowledged"),
        states=dict(states),
        attempts=dict(sorted(attempts.items())),
        lost=total("lost"),
        ghosts=total("ghosts"),
        doubled=total("doubled"),
        broken_files=total("broken_files"),
        conflicts=total("conflicts"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--kills", type=int, default=300, help="of workers; on SQLite of the one process")
    parser.add_argument("--gateway-kills", type=int, default=50, help="PostgreSQL only")
    parser.add_argument("--freezes", type=int, default=20, help="PostgreSQL only: SIGSTOP for longer than a lease")
    parser.add_argument("--database-kills", type=int, default=10, help="PostgreSQL only: of its own server")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    others = {"gateway_kills": args.gateway_kills, "freezes": args.freezes, "database_kills": args.database_kills}
    plan = (
        Plan(serve_kills=args.kills, seed=args.seed) if args.store == "sqlite" else Plan(worker_kills=args.kills, **others, seed=args.seed)
    )
    log = Log(UNFINISHED / f"crash_{args.store}.json", plan)
    run_rounds(args.store, plan, log)
    verdict = summed(log.rounds)
    seconds = round(sum(one["seconds"] for one in log.rounds), 1)
    figures = {"plan": dataclasses.asdict(plan), "seconds": seconds, **dataclasses.asdict(verdict), "rounds": log.rounds}
    write(f"crash_{args.store}", figures)
    log.close()
    print(verdict)
    raise SystemExit(0 if verdict.is_clean else 1)


if __name__ == "__main__":
    main()
