"""A small recurrent network (Hochreiter and Schmidhuber 1997), for comparison with what is simpler. The one file here that names torch.

It reads the last buckets with the time of day and says all buckets ahead at once. Seeded, on one CPU thread's worth of numbers: equal
histories give equal forecasts on one machine and one version of torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinelet.capacity.forecast.forecaster import Values
from cinelet.extras import extra

WINDOW = 48
"""Buckets it reads: eight hours of ten minutes, or two days of one hour."""
WIDTH = 32
NUM_UPDATES = 300
BATCH = 64
LEARNING_RATE = 5e-3
SEED = 0


class Lstm:
    """One layer of `WIDTH` cells. Needs two periods of `period` buckets. Raises `RequestError` where torch is not installed."""

    def __init__(self, period: int) -> None:
        self._torch = _torch()
        self._period = period
        self._net: Any = None
        self._centre, self._scale, self._num_ahead = 0.0, 1.0, 1

    def fit(self, history: Values, num_ahead: int) -> None:
        """Train from fresh weights."""
        torch = self._torch
        self._centre, self._scale, self._num_ahead = float(history.mean()), float(history.std()), num_ahead
        if self._scale < 1e-9 * (1 + self._centre):
            self._net = None  # a constant needs no network
            return
        inputs = self._inputs(history)
        window = min(WINDOW, len(history) - num_ahead - 1)
        origins = np.arange(window, len(history) - num_ahead + 1)
        scaled = (history - self._centre) / self._scale
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            self._net = _network(torch, num_ahead)
            optimizer = torch.optim.Adam(self._net.parameters(), lr=LEARNING_RATE)
            rng = np.random.default_rng(SEED)
            for _ in range(NUM_UPDATES):
                chosen = rng.choice(origins, BATCH)
                seen = torch.from_numpy(np.stack([inputs[at - window : at] for at in chosen]))
                targets = torch.from_numpy(np.stack([scaled[at : at + num_ahead] for at in chosen]).astype(np.float32))
                loss = (self._net(seen) - targets).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    def forecast(self, history: Values, num_ahead: int) -> Values:
        """What the network says, from 0."""
        if self._net is None:
            return np.full(num_ahead, self._centre)
        with self._torch.no_grad():
            seen = self._torch.from_numpy(self._inputs(history)[None, -WINDOW:])
            scaled = self._net(seen)[0, :num_ahead].numpy().astype(np.float64)
        return np.asarray(np.maximum(self._centre + self._scale * scaled, 0.0))

    def _inputs(self, history: Values) -> NDArray[np.float32]:
        """One row a bucket: the value, standardised, and the time of day as an angle."""
        angle = 2 * np.pi * np.arange(len(history)) / self._period
        return np.stack([(history - self._centre) / self._scale, np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)


def _network(torch: Any, num_ahead: int) -> Any:
    """Three inputs a bucket, one output a bucket ahead."""

    class Net(torch.nn.Module):  # type: ignore[misc]  # torch is a value here, so that nothing loads it before it is wanted
        def __init__(self) -> None:
            super().__init__()
            self.cells = torch.nn.LSTM(3, WIDTH, batch_first=True)
            self.head = torch.nn.Linear(WIDTH, num_ahead)

        def forward(self, seen: Any) -> Any:
            return self.head(self.cells(seen)[0][:, -1])

    return Net()


def _torch() -> Any:
    with extra("lstm"):
        import torch  # noqa: PLC0415 - three seconds that no other method needs
    return torch
