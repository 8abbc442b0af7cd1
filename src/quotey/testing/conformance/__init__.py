"""The conformance suite: an adapter is done when it is green.

    class TestMyCrm(AdapterConformance):
        def make_world(self, folder: Path) -> World:
            return MyWorld(folder)

It needs the extra `testing`; each test gets a world of its own in a folder of its own.
"""

from quotey.testing.conformance.capabilities import CapabilityConformance, confirm_capabilities
from quotey.testing.conformance.failures import FailureConformance
from quotey.testing.conformance.pages import PageConformance
from quotey.testing.conformance.quotes import QuoteConformance
from quotey.testing.conformance.reads import ReadConformance
from quotey.testing.conformance.surveys import SurveyConformance
from quotey.testing.conformance.sweeps import SweepConformance
from quotey.testing.conformance.values import FieldConformance
from quotey.testing.conformance.writes import WriteConformance

__all__ = ["AdapterConformance", "confirm_capabilities"]


class AdapterConformance(
    ReadConformance,
    PageConformance,
    SweepConformance,
    SurveyConformance,
    WriteConformance,
    QuoteConformance,
    FieldConformance,
    FailureConformance,
    CapabilityConformance,
):
    """Every promise of `CrmAdapter`, one test a sentence. Say how to make a world, and run it."""
