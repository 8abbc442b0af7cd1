"""The simulated portal: routes requests, drives edits from outside, shows faults.

Source: crm-semantics.md; each rule is cited in the module that carries it out.
"""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from urllib.parse import parse_qs

from quotey.testing.simulators.clock import Clock
from quotey.testing.simulators.core import Core, Effect
from quotey.testing.simulators.exchange import Request, Response, answer
from quotey.testing.simulators.faults import Fault
from quotey.testing.simulators.hubspot import (
    associations,
    batch,
    metadata,
    objects,
)
from quotey.testing.simulators.hubspot.body import json_object
from quotey.testing.simulators.hubspot.errors import (
    HubSpotError,
    bad_json,
    bad_refresh_token,
    expired,
    not_found,
    rate_limited,
)
from quotey.testing.simulators.hubspot.limits import Gate, Token
from quotey.testing.simulators.hubspot.links import Links
from quotey.testing.simulators.hubspot.schema import ObjectType, Property, object_type
from quotey.testing.simulators.hubspot.search import search
from quotey.testing.simulators.hubspot.settings import HubSpotSettings
from quotey.testing.simulators.hubspot.store import Portal, Record
from quotey.testing.simulators.hubspot.values import stamp

# 1H "Versions": v3 and the dated versions serve the same objects.
_DATED = frozenset({"2026-03", "2026-09"})
_USER = ("CRM_UI", "userId:123")


class HubSpotCore(Core):
    """One portal. `portal` holds its records, `gate` its tokens and budgets."""

    name = "hubspot"
    prefixes = ("/crm/", "/account-info/", "/oauth/", "/integrations/")

    def __init__(
        self, clock: Clock, seed: int = 0, settings: HubSpotSettings | None = None
    ) -> None:
        super().__init__(clock, seed)
        self.settings = settings or HubSpotSettings()
        self.portal = Portal(clock, self.dice, self.settings, self._note)
        self.links = Links(self.portal)
        self.gate = Gate(clock, self.settings)
        self._issued = 0
        if self.settings.closedate_type != "datetime":
            close = Property("closedate", self.settings.closedate_type, label="Close Date")
            self.portal.properties["deals"]["closedate"] = close

    # -- tokens

    def issue_token(
        self, *, seconds: float | None = None, scopes: frozenset[str] | None = None
    ) -> str:
        """Make an access token; without `seconds` it lives as long as OAuth ones do."""
        self._issued += 1
        token = f"sim-hs-access-{self._issued}"
        life = self.settings.token_seconds if seconds is None else seconds
        until = self.clock.now() + timedelta(seconds=life)
        self.gate.tokens[token] = Token(until, scopes)
        return token

    def private_token(self, token: str = "sim-hs-private") -> str:  # noqa: S107 - opens a simulator only
        """Let a private app's token in, which never expires."""
        self.gate.tokens[token] = Token()
        return token

    # -- what others do to the portal

    def create(self, kind: str, values: Mapping[str, str], *, visible: bool = False) -> Record:
        """A person creates a record; `visible` puts it into the index at once."""
        with self.guard:
            record = self.portal.create(kind, values, _USER, settled=visible)
            self.portal.index.advance(self.clock.now())
            return record

    def edit(self, kind: str, record_id: int, values: Mapping[str, str]) -> None:
        """A person changes a record; blank clears."""
        with self.guard:
            self.portal.update(self._known(kind, record_id), values, _USER)

    def merge(self, kind: str, primary: int, loser: int) -> Record:
        """A person merges two records."""
        with self.guard:
            pair = self._known(kind, primary), self._known(kind, loser)
            return objects.merge_records(self.portal, self.links, *pair)

    def link(self, source: Record, target: Record, number: int) -> None:
        """A person links two records."""
        with self.guard:
            self.links.add(source, target, number)

    def define(self, kind: str, definition: Property) -> None:
        """An administrator adds or replaces a property."""
        with self.guard:
            self.portal.properties[kind][definition.name] = definition

    def _known(self, kind: str, record_id: int) -> Record:
        record = self.portal.find(kind, record_id)
        if record is None:
            raise KeyError(f"no {kind} record {record_id}")
        return record

    def _note(self, kind: str, record_type: str, record_id: str, fields: tuple[str, ...]) -> None:
        self.effects.append(Effect(self.clock.now(), kind, record_type, record_id, fields))

    # -- requests

    def settle(self) -> None:
        """Finish background work that is due."""
        self.portal.settle()

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            if request.segments[:1] == ("oauth",):
                return self._oauth(request)
            self.gate.admit(request.headers, _scope(request))
            searching = request.segments[-1:] == ("search",)
            budget = self.gate.spend(search=searching)
            return self._route(request).with_headers(budget)
        except HubSpotError as error:
            return error.response(self.dice.uuid())

    def failure(self, fault: Fault) -> Response:
        """How this vendor shows a fault (4H)."""
        return self._failure(fault).response(self.dice.uuid())

    def _failure(self, fault: Fault) -> HubSpotError:
        match fault.kind:
            case "rate_limited":
                policy = fault.policy or "TEN_SECONDLY_ROLLING"
                return rate_limited(policy, self.settings.portal_id, fault.retry_after)
            case "token_expired":
                return expired(stamp(self.clock.now()), 0)
            case _:
                retry = {} if fault.retry_after is None else {"retry-after": fault.retry_after}
                doc = {"message": fault.code or "internal error", "category": fault.policy}
                shown = {key: value for key, value in doc.items() if value}
                return HubSpotError(fault.status or 500, shown, retry)

    def _oauth(self, request: Request) -> Response:
        # Section 5: an access token lives 1,800 s; 4H: the refusal of a refresh token.
        form = {k: v[0] for k, v in parse_qs(request.body.decode(errors="replace")).items()}
        refresh = form.get("refresh_token", "")
        if form.get("grant_type") != "refresh_token" or refresh not in self.gate.refresh_tokens:
            return bad_refresh_token()
        token = self.issue_token()
        doc = {"access_token": token, "refresh_token": refresh, "token_type": "bearer"}
        return answer(200, {**doc, "expires_in": int(self.settings.token_seconds)})

    def _route(self, request: Request) -> Response:  # noqa: PLR0911 - a table of routes
        match _undated(request.segments):
            case ("crm", "v3", "objects", name, *rest):
                return self._objects(request, _kind(name), tuple(rest))
            case ("crm", "v3", "properties", name, *rest):
                return metadata.properties(self.portal, request, _kind(name), tuple(rest))
            case ("crm", "v3", "pipelines", name, *rest):
                return metadata.pipelines(self.portal, _kind(name), tuple(rest))
            case ("crm", "v3", "owners"):
                return metadata.owners()
            case ("crm", "v4", *rest):
                return self._links(request, tuple(rest))
            case ("account-info", _, "details"):
                return metadata.account(self.portal)
            case ("account-info", _, "api-usage", "daily", "private-apps"):
                used = {"name": "private-apps-api-calls-daily", "usageLimit": self.settings.daily}
                return answer(200, {"results": [{**used, "currentUsage": self.gate.used_today}]})
            case _:
                raise not_found()

    def _objects(  # noqa: C901, PLR0911 - a table of routes
        self, request: Request, kind: str, rest: tuple[str, ...]
    ) -> Response:
        portal, links = self.portal, self.links
        match request.method, rest:
            case "GET", ():
                return objects.list_page(portal, links, request, kind)
            case "POST", ():
                return objects.create(portal, links, request, kind)
            case "POST", ("search",):
                return search(portal, links, request, kind)
            case "POST", ("merge",):
                return objects.merge(portal, links, request, kind)
            case "POST", ("batch", "archive"):
                return batch.archive(portal, request, kind)
            case "POST", ("batch", action) if action in _BATCHES:
                return _BATCHES[action](portal, links, request, kind)
            case "GET", (key,):
                return objects.get(portal, links, request, kind, key)
            case "PATCH", (key,):
                return objects.update(portal, links, request, kind, key)
            case "DELETE", (key,):
                return objects.archive(portal, kind, key)
            case _:
                raise HubSpotError(405, {"message": "Method Not Allowed"})

    def _links(self, request: Request, rest: tuple[str, ...]) -> Response:
        portal, links = self.portal, self.links
        match request.method, rest:
            case "GET", ("objects", one, key, "associations", two):
                target = _kind(two)
                return associations.list_links(portal, links, request, _named(one), key, target)
            case "PUT", ("objects", one, key, "associations", "default", two, other):
                ends = (_named(one), key), (_named(two), other)
                return associations.put_default(portal, links, *ends)
            case "PUT", ("objects", one, key, "associations", two, other):
                ends = (_named(one), key), (_named(two), other)
                return associations.put_link(portal, links, _list_body(request), *ends)
            case "DELETE", ("objects", one, key, "associations", two, other):
                ends = (_named(one), key), (_named(two), other)
                return associations.delete_link(portal, links, *ends)
            case "GET", ("associations", one, two, "labels"):
                return associations.labels(_named(one), _named(two))
            case "POST", ("associations", one, two, "batch", *action):
                pair, doc = (_named(one), _named(two)), json_object(request)
                return associations.batch(portal, links, doc, *pair, "/".join(action))
            case _:
                raise not_found()


_BATCHES: dict[str, Callable[[Portal, Links, Request, str], Response]] = {
    "read": batch.read,
    "create": batch.create,
    "update": batch.update,
    "upsert": batch.upsert,
}


def _undated(segments: tuple[str, ...]) -> tuple[str, ...]:
    match segments:
        case ("crm", "objects", version, *rest) if version in _DATED:
            return ("crm", "v3", "objects", *rest)
        case _:
            return segments


def _named(name: str) -> ObjectType:
    kind = object_type(name)
    if kind is None:
        message = f"Unable to infer object type from: {name}"
        raise HubSpotError(400, {"message": message, "category": "VALIDATION_ERROR"})
    return kind


def _kind(name: str) -> str:
    return _named(name).plural


def _list_body(request: Request) -> object:
    try:
        return json.loads(request.body)
    except ValueError as error:
        raise bad_json(1, 1, str(error)) from error


_READS = frozenset({"search", "read"})


def _scope(request: Request) -> str:
    # 4H "403": the scope named after the object and what is done to it.
    match _undated(request.segments):
        case ("crm", "v3", "objects", name, *rest):
            kind = object_type(name)
            reading = request.method == "GET" or bool(_READS & set(rest))
            return f"crm.objects.{kind.plural}.{'read' if reading else 'write'}" if kind else ""
        case ("crm", "v3", "properties", name, *_):
            kind = object_type(name)
            access = "read" if request.method == "GET" else "write"
            return f"crm.schemas.{kind.plural}.{access}" if kind else ""
        case _:
            return ""
