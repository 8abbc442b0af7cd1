"""Tokens and request budgets of a portal, by the virtual clock.

Source: crm-semantics.md section 5 and 4H.
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from quotey.testing.simulators.clock import Clock
from quotey.testing.simulators.hubspot.errors import (
    expired,
    missing_scopes,
    no_credentials,
    rate_limited,
)
from quotey.testing.simulators.hubspot.settings import HubSpotSettings
from quotey.testing.simulators.hubspot.values import stamp


class Token(Struct, frozen=True):
    """An access token: until when it is good (None: for ever) and for what (None: everything)."""

    expires_at: datetime | None = None
    scopes: frozenset[str] | None = None


class Gate:
    """Who may come in, and how often."""

    def __init__(self, clock: Clock, settings: HubSpotSettings) -> None:
        self._clock = clock
        self._settings = settings
        self.tokens: dict[str, Token] = {}
        self.refresh_tokens: set[str] = set()
        self.enforced = True
        """Whether the budgets hold; set False to load or to measure."""
        self._recent: deque[datetime] = deque()
        self._searches: deque[datetime] = deque()
        self._day = ""
        self.used_today = 0

    def admit(self, headers: Mapping[str, str], scope: str) -> None:
        """Let a request in by its token.

        Raises:
            HubSpotError: 401 for an unknown or expired token, 403 for a missing scope.
        """
        bearer = headers.get("authorization", "")
        token = self.tokens.get(bearer.removeprefix("Bearer "))
        if token is None or not bearer.startswith("Bearer "):
            raise no_credentials()
        now = self._clock.now()
        if token.expires_at is not None and token.expires_at <= now:
            late = int((now - token.expires_at).total_seconds())
            raise expired(stamp(token.expires_at), late)
        if token.scopes is not None and scope and scope not in token.scopes:
            raise missing_scopes([scope])

    def spend(self, *, search: bool) -> dict[str, str]:
        """Count a request; answers the headers that tell of the budget.

        Raises:
            HubSpotError: 429 with the policy that was broken.
        """
        now = self._clock.now()
        self._new_day(now)
        _forget(self._recent, now - timedelta(seconds=10))
        _forget(self._searches, now - timedelta(seconds=1))
        broken = self._broken(search=search)
        if broken and self.enforced:
            raise rate_limited(broken, self._settings.portal_id)
        self.used_today += 1
        self._recent.append(now)
        if search:
            # Search answers carry no rate headers (2H).
            self._searches.append(now)
            return {}
        return self._headers()

    def _broken(self, *, search: bool) -> str:
        if self.used_today >= self._settings.daily:
            return "DAILY"
        if len(self._recent) >= self._settings.ten_secondly:
            return "TEN_SECONDLY_ROLLING"
        full = len(self._searches) >= self._settings.searches_per_second
        return "SECONDLY" if search and full else ""

    def _headers(self) -> dict[str, str]:
        most = self._settings.ten_secondly
        return {
            "x-hubspot-ratelimit-max": str(most),
            "x-hubspot-ratelimit-remaining": str(max(0, most - len(self._recent))),
            "x-hubspot-ratelimit-interval-milliseconds": "10000",
            "x-hubspot-ratelimit-daily": str(self._settings.daily),
            "x-hubspot-ratelimit-daily-remaining": str(self._settings.daily - self.used_today),
        }

    def _new_day(self, now: datetime) -> None:
        # Section 5: the daily pool is full again at midnight in the account's zone.
        day = (now + self._settings.utc_offset).date().isoformat()
        if day != self._day:
            self._day, self.used_today = day, 0


def _forget(moments: deque[datetime], before: datetime) -> None:
    while moments and moments[0] <= before:
        moments.popleft()
