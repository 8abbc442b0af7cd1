"""What the test kit has by the names of providers; importing this costs nothing."""

from __future__ import annotations

from typing import Literal, get_args

Simulated = Literal["hubspot", "salesforce"]
"""Providers whose vendor has a simulator."""

Certified = Literal["stub", "hubspot", "salesforce"]
"""Providers that the conformance suite has a world for."""

SIMULATED: tuple[Simulated, ...] = get_args(Simulated)
CERTIFIED: tuple[Certified, ...] = get_args(Certified)
