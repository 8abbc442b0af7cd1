"""A simulated Composio gateway in front of provider cores."""

from quotey.testing.simulators.composio.accounts import Upstream
from quotey.testing.simulators.composio.core import ComposioCore
from quotey.testing.simulators.composio.settings import PERMISSIONS, ComposioSettings
from quotey.testing.simulators.composio.webhooks import Delivery, signed

__all__ = ["PERMISSIONS", "ComposioCore", "ComposioSettings", "Delivery", "Upstream", "signed"]
