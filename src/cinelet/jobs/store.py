"""The durable truth of jobs, opened as one thing: database, bell, and who may do what with them."""

from __future__ import annotations

import time
from collections.abc import Callable

from cinelet.jobs.bell import Bell, LocalBell, PostgresBell
from cinelet.jobs.database import Database
from cinelet.jobs.endpoints import Endpoints
from cinelet.jobs.history import History
from cinelet.jobs.intake import Intake
from cinelet.jobs.janitor import Janitor
from cinelet.jobs.leases import Leases
from cinelet.jobs.migrate import upgrade
from cinelet.jobs.outbox import Outbox
from cinelet.jobs.register import Register
from cinelet.jobs.roster import Roster
from cinelet.jobs.tenants import Tenants


class Store:
    """Opens `url`, brings its schema up to date and holds the parts: gateways use `intake`, `register`, `history`, `tenants`, `endpoints`
    and `outbox`; workers `leases` and `roster`; whoever has time the `janitor`. Safe for many threads. `lease_s` bounds a worker's
    silence, `retention_s` is how long results are kept, `history_s` how long rows are.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], float] = time.time,
        lease_s: float = 30.0,
        retention_s: float = 7 * 86400.0,
        history_s: float = 30 * 86400.0,
    ) -> None:
        self.database = Database(url, clock=clock)
        try:
            upgrade(self.database)
            self.bell: Bell = LocalBell() if self.database.is_sqlite else PostgresBell(self.database.url)
        except BaseException:
            self.database.close()
            raise
        self.intake = Intake(self.database, self.bell)
        self.register = Register(self.database, self.bell, lease_s=lease_s)
        self.history = History(self.database)
        self.roster = Roster(self.database)
        self.leases = Leases(self.database, self.bell, lease_s=lease_s, retention_s=retention_s)
        self.outbox = Outbox(self.database)
        self.tenants = Tenants(self.database)
        self.endpoints = Endpoints(self.database)
        self.janitor = Janitor(self.database, self.bell, retention_s=history_s)

    def close(self) -> None:
        """Let go of connections, threads and locks."""
        self.bell.close()
        self.database.close()
