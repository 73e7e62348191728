"""The OpenCPS kind keeps the contract of connectors, against the simulated system over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import stamina

from connectors.base import Connector, Surroundings
from connectors.opencps import OpencpsConnector, OpencpsOptions
from connectors.testing import Conformance
from tthc_monitor.simulator.opencps_api import FAKE_MARKS
from tthc_monitor.simulator.server import SimulatedServer
from tthc_monitor.simulator.world import World

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
PASSWORD = "mat-khau-thu-77"


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture(scope="module")
def running() -> Iterator[SimulatedServer]:
    with SimulatedServer(World(7, NOW, dossiers=120), clock=lambda: NOW, password=PASSWORD) as server:
        yield server


@pytest.fixture
def server(running: SimulatedServer) -> SimulatedServer:
    running.faults.clear()
    return running


class _AgainstTheSimulator(Conformance):
    poison = FAKE_MARKS
    secrets = (PASSWORD,)
    told_only_when_there = frozenset({"stop_requested_at"})

    @pytest.fixture(autouse=True)
    def _served(self, server: SimulatedServer) -> None:
        self.server = server

    def made(self, **changes: Any) -> Connector:
        options: dict[str, Any] = {
            "url": self.server.url,
            "group_id": self.server.group_id,
            "username": self.server.username,
            "password": PASSWORD,
            "page_size": 40,
            **changes,
        }
        return OpencpsConnector("thu", OpencpsOptions(**options), Surroundings(lambda: NOW, Path(), b"khoa-thu"))

    def broken(self) -> Iterator[Connector]:
        yield self.made(url="http://127.0.0.1:9/o")
        yield self.made(password="sai-mat-khau")
        self.server.faults.truncated = 50
        yield self.made()


class TestWithHistories(_AgainstTheSimulator):
    def connector(self) -> Connector:
        return self.made()


class TestRowsAlone(_AgainstTheSimulator):
    def connector(self) -> Connector:
        return self.made(fetch_history=False)
