"""What can be set of a connection through Composio, in `[connections.<name>]` of quotey.toml.

What the vendors' pages leave unconfirmed is a setting here. The key comes from the environment
(`QUOTEY_CONNECTIONS__<NAME>__API_KEY`) or a secret file (`api_key_file`), never from the file.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from quotey.contract.secret import Secret

Positive = Annotated[float, msgspec.Meta(gt=0, le=1_000_000)]
Share = Annotated[float, msgspec.Meta(ge=0, le=0.9)]
Hours = Annotated[float, msgspec.Meta(ge=0, le=8760)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=86_400)]
Version = Annotated[str, msgspec.Meta(pattern="^[0-9]{8}_[0-9]{2}$")]
"""A dated version of a toolkit: "latest" would change under us what an answer looks like."""


class ComposioSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every CRM behind Composio needs.

    `connected_account_id` is kept by `quotey crm connect`; name one here only when it was connected
    elsewhere. `user_id` is whose account it is, for the service. `auth_config_id` chooses among
    several ways to authorise, as your own app of the vendor.

    `transport`: "proxy" sends the provider's own requests, which needs the key's permission "Proxy
    execute"; "tools" uses tool slugs, for keys without it. `toolkit_version` is pinned by its
    date. `base_url` and `api_path` name the service; `loopback` lets both be this machine, for
    simulators.

    `requests_per_minute` is what we allow ourselves of the organisation's limit;
    `interactive_share` of it is kept for look-ups that a person waits for. A request waits at most
    `patience` seconds for its turn, then it is refused as rate-limited without being sent.
    `edge_wait` is the wait after a 429 that names none (composio.md 3.2).

    `safety_seconds` and `overlap_seconds` bound the window of inbound reading; `gone_every_hours`
    is how often the recycle bin is read (0: in every run), `full_every_hours` how often everything
    is read again, to find what the windows missed (0: never; crm-semantics 2H).
    """

    api_key: Secret
    connected_account_id: str = ""
    user_id: str = "quotey"
    auth_config_id: str = ""
    toolkit_version: Version = "20260915_00"
    transport: Literal["proxy", "tools"] = "proxy"
    base_url: str = "https://backend.composio.dev"
    api_path: str = "/api/v3.1"
    loopback: bool = False
    requests_per_minute: Positive = 1_800
    interactive_share: Share = 0.2
    patience: Annotated[float, msgspec.Meta(ge=0, le=30)] = 3.0
    edge_wait: Seconds = 20
    default_currency: str | None = None
    time_zone: str = "UTC"
    safety_seconds: Seconds = 60
    overlap_seconds: Seconds = 900
    gone_every_hours: Hours = 24
    full_every_hours: Hours = 168


class HubSpotSettings(ComposioSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A HubSpot portal.

    `objects_path` and its like may name a dated version. The budgets
    are below the vendor's: 5 searches a second for the whole account, 100 other requests in ten
    seconds. `time_zone` is the portal's, by which its daily quota ends. `page_size` is 100 at most,
    because a batch read takes no more.
    """

    provider_url: str = "https://api.hubapi.com"
    objects_path: str = "/crm/v3/objects"
    associations_path: str = "/crm/v4/associations"
    properties_path: str = "/crm/v3/properties"
    pipelines_path: str = "/crm/v3/pipelines"
    page_size: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100
    searches_per_second: Positive = 4
    requests_per_ten_seconds: Positive = 90


class SalesforceSettings(ComposioSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Salesforce org.

    `instance_url` is the org's own address (https://<mydomain>.my.salesforce.com). `conditional`
    says that writes carry If-Unmodified-Since, which the proxy has to pass on (composio.md 6 e);
    tool slugs cannot. `guard_rules` says that the org has the validation rules by which a stale
    version is refused inside the save; only then is a conditional write promised.
    `default_close_days`: the close date of a deal that is created without one, counted from today.
    `read_share`: inbound reading stops once this share of the 24-hour quota is spent, so that
    writes keep a reserve (crm-semantics 5).
    """

    instance_url: str
    api_version: str = "v67.0"
    page_size: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 200
    conditional: bool = True
    guard_rules: bool = False
    default_close_days: Annotated[int, msgspec.Meta(ge=0, le=3650)] | None = None
    requests_per_ten_seconds: Positive = 50
    read_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8

    @property
    def sends_conditions(self) -> bool:
        """Whether writes carry a condition; a tool slug takes no header."""
        return self.conditional and self.transport == "proxy"
