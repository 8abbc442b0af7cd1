"""How a simulated org is set up. What the reference marks as inferred is a switch here."""

from msgspec import Struct


class SalesforceSettings(Struct, frozen=True):
    """An org's set-up."""

    version: str = "67.0"
    api_limit: int = 100_000
    """Calls in any 24 h (section 5)."""
    currencies: tuple[str, ...] = ()
    """Active ISO codes, the corporate one first; none means no multicurrency (1S)."""
    quotes: bool = True
    """Whether Quotes are enabled; else the object does not exist (1S)."""
    page: int = 2_000
    """Rows of one query page (2S)."""
    exponents: bool = True
    """Whether big numbers are written as 1.0E7 (1S: inferred)."""
    locator_hours: float = 48.0
    """How long a query locator lives (2S)."""
    restricted_stages: bool = True
    """Whether StageName refuses unknown values; an unrestricted picklist takes them (1S)."""
