"""How a simulated portal is set up. What the reference marks as unconfirmed is a switch here."""

from datetime import timedelta

from msgspec import Struct


class HubSpotSettings(Struct, frozen=True):
    """A portal's set-up; times in seconds."""

    portal_id: int = 1_512_050
    time_zone: str = "America/New_York"
    utc_offset: timedelta = timedelta(hours=-5)
    company_currency: str = "USD"
    additional_currencies: tuple[str, ...] = ("EUR", "GBP", "JPY")
    app_id: int = 26_892_217

    index_lag: tuple[float, float] = (1.0, 10.0)
    """How long a change stays invisible to search (2H "Index lag": seconds, sometimes minutes)."""
    touch_delay: tuple[float, float] = (0.2, 0.5)
    """When the modified date advances by itself after a write (1H)."""
    closedate_type: str = "datetime"
    """`date` on some portals (1H: read the type, do not assume)."""
    unique_on_quotes: bool = True
    """Whether quotes take `hasUniqueValue` (1H: unconfirmed)."""
    upsert_isolates: bool = True
    """Whether trace ids isolate items of update and upsert too (section 10.3: unconfirmed)."""
    merge_makes_new_id: bool = True
    """Whether a merge ends under a third id (1H: deals do, others may)."""

    ten_secondly: int = 190
    """Requests in any 10 s (section 5: Professional)."""
    daily: int = 625_000
    searches_per_second: int = 5
    token_seconds: float = 1800.0
    """How long an OAuth access token lives (section 5)."""
