"""Subscriptions, and deliveries as they would arrive: signed, doubled, out of order, forged.

Nothing is sent from here; whoever tests a receiver posts the deliveries itself.
Source: composio.md 1.10; composio-samples/webhook_samples.json.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from quotey.testing.simulators.clock import Clock
from quotey.testing.simulators.composio.documents import iso
from quotey.testing.simulators.composio.errors import GatewayError, answer
from quotey.testing.simulators.exchange import Doc, Response


class Delivery(Struct, frozen=True):
    """One POST to the subscriber."""

    headers: dict[str, str]
    body: bytes


class Webhooks:
    """What the project has subscribed to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.secret = "whsec_sim"  # noqa: S105 - signs simulated events only
        self.triggers: dict[str, Doc] = {}
        self._sent = 0

    def serve(self, doc: Doc, rest: tuple[str, ...]) -> Response:
        """Make a subscription, or upsert a trigger."""
        match rest:
            case ():
                url = doc.get("webhook_url")
                now = iso(self._clock.now())
                made = {"id": "whs_sim1", "webhook_url": url, "secret": self.secret}
                made |= {"version": doc.get("version", "V3"), "created_at": now, "updated_at": now}
                return answer(201, {**made, "enabled_events": doc.get("enabled_events", [])})
            case (slug, "upsert"):
                trigger_id = f"ti_sim{len(self.triggers) + 1}"
                self.triggers[trigger_id] = {"slug": slug, **doc}
                return answer(201, {"trigger_id": trigger_id})
            case _:
                raise GatewayError(404, "Not found", 404, "HTTP_NotFound")

    def deliver(self, event: Doc, *, forged: bool = False) -> Delivery:
        """One signed delivery of an event; a forged one has a signature that does not hold."""
        self._sent += 1
        body = msgspec.json.encode({"id": f"msg_sim{self._sent}", **event})
        stamp = str(int(self._clock.now().timestamp()))
        signature = signed(self.secret, f"msg_sim{self._sent}", stamp, body)
        headers = {
            "content-type": "application/json",
            "webhook-id": f"msg_sim{self._sent}",
            "webhook-timestamp": stamp,
            "webhook-signature": "v1,AAAA" if forged else signature,
        }
        return Delivery(headers, body)

    def storm(self, events: Sequence[Doc]) -> list[Delivery]:
        """The same events at least once, in no order: doubled, the last first."""
        once = [self.deliver(event) for event in events]
        return [*reversed(once), *once]


def signed(secret: str, message_id: str, stamp: str, body: bytes) -> str:
    """The signature header: HMAC over id, time and raw body with the secret's bytes as they are."""
    message = f"{message_id}.{stamp}.".encode() + body
    digest = hmac.new(secret.encode(), message, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()
