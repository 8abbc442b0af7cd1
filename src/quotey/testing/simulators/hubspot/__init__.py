"""A simulated HubSpot portal: objects, search, batches, associations, definitions, limits."""

from quotey.testing.simulators.hubspot.core import HubSpotCore
from quotey.testing.simulators.hubspot.limits import Token
from quotey.testing.simulators.hubspot.schema import Pipeline, Property, Stage
from quotey.testing.simulators.hubspot.settings import HubSpotSettings
from quotey.testing.simulators.hubspot.store import Record

__all__ = [
    "HubSpotCore",
    "HubSpotSettings",
    "Pipeline",
    "Property",
    "Record",
    "Stage",
    "Token",
]
