"""The simulated org: sessions, quota, routes, what others do, how faults look.

Source: crm-semantics.md; each rule is cited in the module that carries it out.
"""

from collections import deque
from datetime import datetime, timedelta
from urllib.parse import parse_qs

from msgspec import Struct

from quotey.testing.simulators.clock import Clock
from quotey.testing.simulators.exchange import Doc, Request, Response, html
from quotey.testing.simulators.faults import Fault
from quotey.testing.simulators.salesforce import changes, composite, many, query, rows
from quotey.testing.simulators.salesforce.body import answer, read_object, shaped
from quotey.testing.simulators.salesforce.errors import Fault as Entry
from quotey.testing.simulators.salesforce.errors import (
    SalesforceError,
    invalid_session,
    limit_exceeded,
    locked,
    not_found,
    refused,
)
from quotey.testing.simulators.salesforce.ids import normal
from quotey.testing.simulators.salesforce.outside import DrivenOrg
from quotey.testing.simulators.salesforce.saves import existing
from quotey.testing.simulators.salesforce.schema import Field
from quotey.testing.simulators.salesforce.settings import SalesforceSettings


class CustomField(Struct, frozen=True):
    """The metadata of a field to make."""

    type: str = "Text"
    length: int = 255
    scale: int = 0
    externalId: bool = False  # noqa: N815 - the vendor's spelling
    unique: bool = False
    caseSensitive: bool = False  # noqa: N815


class SalesforceCore(DrivenOrg):
    """One org over HTTP."""

    prefixes = ("/services/",)

    def __init__(
        self, clock: Clock, seed: int = 0, settings: SalesforceSettings | None = None
    ) -> None:
        super().__init__(clock, seed, settings)
        self.locators = query.Locators()
        self.sessions: dict[str, datetime | None] = {}
        self.refresh_tokens: set[str] = set()
        self._calls: deque[datetime] = deque()
        self._issued = 0

    # -- sessions

    def issue_token(self, *, seconds: float | None = 7200.0) -> str:
        """Open a session; None lets it live for ever."""
        self._issued += 1
        token = f"00Dsim!session{self._issued}"
        until = None if seconds is None else self.clock.now() + timedelta(seconds=seconds)
        self.sessions[token] = until
        return token

    # -- requests

    def settle(self) -> None:
        """Commit what long transactions held back."""
        self.org.settle()

    def handle(self, request: Request) -> Response:
        """Answer one request; each counts as one call, a composite too."""
        if request.segments[1:2] == ("oauth2",):
            return self._oauth(request)
        try:
            self._admit(request)
            self._spend()
        except SalesforceError as error:
            return error.response().with_headers(self._usage())
        return self._answer(request).with_headers(self._usage())

    def failure(self, fault: Fault) -> Response:
        """How this vendor shows a fault (4S)."""
        match fault.kind:
            case "rate_limited":
                return limit_exceeded(fault.policy or "TotalRequests").response()
            case "token_expired":
                return invalid_session().response()
            case _ if fault.code == "UNABLE_TO_LOCK_ROW":
                return locked(["0015g00000SIMLKAA4"]).response()
            case _ if fault.code:
                entry = Entry(fault.code, fault.policy or fault.code)
                return SalesforceError(fault.status or 400, entry).response()
            case _ if fault.status in {0, 503}:
                entry = Entry("SERVER_UNAVAILABLE", "Server unavailable, try again later")
                return SalesforceError(503, entry).response()
            case _:
                return html(fault.status, "Salesforce is unavailable")

    def _admit(self, request: Request) -> None:
        bearer = request.headers.get("authorization", "")
        token = bearer.removeprefix("Bearer ")
        until = self.sessions.get(token, self.clock.now())
        if until is not None and until <= self.clock.now():
            raise invalid_session()

    def _spend(self) -> None:
        # Section 5: any 24 hours, not a calendar day.
        now = self.clock.now()
        while self._calls and self._calls[0] <= now - timedelta(hours=24):
            self._calls.popleft()
        if len(self._calls) >= self.settings.api_limit:
            raise limit_exceeded()
        self._calls.append(now)

    def _usage(self) -> dict[str, str]:
        used = f"api-usage={len(self._calls)}/{self.settings.api_limit}"
        return {"sforce-limit-info": used}

    def _oauth(self, request: Request) -> Response:
        form = {k: v[0] for k, v in parse_qs(request.body.decode(errors="replace")).items()}
        if form.get("refresh_token") not in self.refresh_tokens:
            # 4S: an object, not an array.
            doc = {"error": "invalid_grant", "error_description": "expired access/refresh token"}
            return answer(400, doc)
        return answer(200, {"access_token": self.issue_token(), "token_type": "Bearer"})

    def _answer(self, request: Request) -> Response:
        try:
            return self._route(request)
        except SalesforceError as error:
            return error.response()

    def _route(self, request: Request) -> Response:  # noqa: C901, PLR0911 - a table of routes
        match request.segments[3:]:
            case () if len(request.segments) == 2:  # noqa: PLR2004 - /services/data
                version = self.settings.version
                url = f"/services/data/v{version}"
                return answer(200, [{"label": "Sim", "url": url, "version": version}])
            case ("query", cursor):
                return answer(200, query.more(self.org, self.locators, cursor))
            case ("query" | "queryAll" as which,):
                deleted = which == "queryAll"
                return answer(200, query.run(self.org, self.locators, request, deleted=deleted))
            case ("tooling", "query"):
                return answer(200, query.tooling(self.validations, request.one("q")))
            case ("tooling", "sobjects", "CustomField"):
                return self._custom_field(read_object(request))
            case ("limits",):
                left = self.settings.api_limit - len(self._calls)
                daily = {"Max": self.settings.api_limit, "Remaining": left}
                return answer(200, {"DailyApiRequests": daily})
            case ("limits", "recordCount"):
                return answer(200, self._counts(request.all("sObjects")))
            case ("composite", *rest):
                return self._composite(request, tuple(rest))
            case ("sobjects", *rest):
                return self._sobjects(request, tuple(rest))
            case _:
                raise not_found()

    def _composite(self, request: Request, rest: tuple[str, ...]) -> Response:
        match request.method, rest:
            case "POST", ():
                return composite.composite(self.org, self.effects, self._answer, request)
            case "POST", ("batch",):
                return composite.batch(self._answer, request)
            case _, ("sobjects",):
                return many.write(self.saver, self.effects, request)
            case "GET" | "POST", ("sobjects", sobject):
                return many.read(self.saver, request, self._known(sobject))
            case "PATCH", ("sobjects", sobject, field):
                known = self._known(sobject)
                return many.upsert(self.saver, self.effects, request, known, field)
            case _:
                raise not_found()

    def _sobjects(self, request: Request, rest: tuple[str, ...]) -> Response:  # noqa: C901, PLR0911 - a table of routes
        match request.method, rest:
            case "GET", ():
                listed = [{"name": name, "queryable": True} for name in self.org.objects]
                return answer(200, {"encoding": "UTF-8", "sobjects": listed})
            case "POST", (sobject,):
                return rows.create(self.saver, request, self._known(sobject))
            case "GET", (sobject, "describe"):
                return answer(200, self._describe(self._known(sobject)))
            case "GET", (sobject, "updated"):
                return answer(200, changes.updated(self.org, request, self._known(sobject)))
            case "GET", (sobject, "deleted"):
                return answer(200, changes.deleted(self.org, request, self._known(sobject)))
            case _, (sobject, key):
                return rows.by_id(self.saver, request, self._known(sobject), key)
            case _, (sobject, "Id" | "id", key):
                row = existing(self.org, self._known(sobject), normal(key))
                return rows.on_row(self.saver, request, row)
            case _, (sobject, field, value):
                return rows.by_key(self.saver, request, self._known(sobject), field, value)
            case _:
                raise not_found()

    def _known(self, sobject: str) -> str:
        if sobject not in self.org.objects:
            raise not_found()
        return sobject

    def _describe(self, sobject: str) -> Doc:
        # 1S: what is hidden from this user is absent.
        fields = [f.describe() for f in self.org.objects[sobject].values() if not f.hidden]
        prefix = self.org.prefixes.get(sobject, "")
        return {"name": sobject, "label": sobject, "keyPrefix": prefix, "fields": fields}

    def _counts(self, asked: list[str]) -> Doc:
        counts = [
            {"name": name, "count": sum(1 for row in table.values() if row.deleted_at is None)}
            for name, table in self.org.rows.items()
            if not asked or name in asked
        ]
        return {"sObjects": counts}

    def _custom_field(self, doc: Doc) -> Response:
        sobject, _, name = str(doc.get("FullName", "")).partition(".")
        meta = shaped(doc.get("Metadata") or {}, CustomField)
        if sobject not in self.org.objects or not name.endswith("__c"):
            raise refused("FIELD_INTEGRITY_EXCEPTION", "FullName must be Object.Field__c")
        made = Field(
            name,
            {"Text": "string", "Number": "double"}.get(meta.type, "string"),
            length=meta.length,
            scale=meta.scale,
            external_id=meta.externalId,
            unique=meta.unique,
            case_sensitive=meta.caseSensitive,
        )
        self.org.objects[sobject][name] = made
        return answer(201, {"id": "00N5g00000SIMFLD", "success": True, "errors": []})
