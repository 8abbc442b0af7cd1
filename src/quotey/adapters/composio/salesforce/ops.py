"""The requests that are made of an org, each as its own HTTP and as a tool slug.

Everything is read by SOQL: it answers from the database itself, never from a search index, and
`queryAll` also shows what is in the recycle bin, with its survivor.
Source: crm-semantics 2S, 3S; composio-tools/salesforce_tools_20260915_00.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

from quotey.adapters.composio.ops import Op, Tool
from quotey.adapters.composio.salesforce.soql import Select, moment, quoted
from quotey.adapters.composio.settings import SalesforceSettings


class Ops:
    """Makes the requests, in the API version that is set."""

    def __init__(self, settings: SalesforceSettings) -> None:
        self._root = f"/services/data/{settings.api_version}"

    def limits(self) -> Op:
        """Ask what is left of the quota; it also brings the server's own time."""
        tool = Tool("SALESFORCE_GET_ORG_LIMITS", {})
        path = f"{self._root}/limits"
        return Op(name="Looking at the org's limits", method="GET", path=path, tool=tool)

    def versions(self) -> Op:
        """Ask which versions of its API the org offers, oldest first; no tool does."""
        return Op(name="Listing the API's versions", method="GET", path="/services/data")

    def describe(self, sobject: str) -> Op:
        """Ask which fields an object has; those hidden from this user are not among them (1S)."""
        return Op(
            name=f"Describing {sobject}",
            method="GET",
            path=f"{self._root}/sobjects/{sobject}/describe",
            tool=Tool("SALESFORCE_GET_ALL_FIELDS_FOR_OBJECT", {"object_name": sobject}),
        )

    def rules(self, sobject: str) -> Op:
        """Ask for an object's validation rules; no tool does, and not every user may (3S)."""
        select = Select(
            fields=("ValidationName", "Active", "ErrorMessage"),
            of="ValidationRule",
            where=(f"EntityDefinition.QualifiedApiName = {quoted(sobject)}",),
        )
        return Op(
            name=f"Reading the validation rules of {sobject}",
            method="GET",
            path=f"{self._root}/tooling/query",
            query=(("q", select.text()),),
        )

    def query(self, select: Select, *, deleted: bool = False, interactive: bool = False) -> Op:
        """Query records; `deleted` also looks into the recycle bin."""
        text = select.text()
        slug = "SALESFORCE_QUERY_ALL" if deleted else "SALESFORCE_RUN_SOQL_QUERY"
        return Op(
            name=f"Reading {select.of}",
            method="GET",
            path=f"{self._root}/{'queryAll' if deleted else 'query'}",
            query=(("q", text),),
            tool=Tool(slug, {"query": text}),
            interactive=interactive,
        )

    def deleted(self, sobject: str, start: datetime, end: datetime) -> Op:
        """Ask for what was deleted in a stretch of time, emptied bins included; no tool does."""
        return Op(
            name=f"Reading what was deleted of {sobject}",
            method="GET",
            path=f"{self._root}/sobjects/{sobject}/deleted/",
            query=(("start", moment(start)), ("end", moment(end))),
        )

    def upsert(self, sobject: str, field: str, key: str, values: Mapping[str, object]) -> Op:
        """Create one record under a unique key, or write it over: safe any number of times (3S).

        The key stands in the path only; in the body it is refused.
        """
        arguments = {"sobject": sobject, "field_name": field, "field_value": key, "fields": values}
        return Op(
            name=f"Creating {sobject} under key {key}",
            method="PATCH",
            path=f"{self._root}/sobjects/{sobject}/{field}/{in_path(key)}",
            body=values,
            tool=Tool("SALESFORCE_UPSERT_SOBJECT_BY_EXTERNAL_ID", arguments),
            writes=True,
        )

    def update(
        self,
        sobject: str,
        ref: str,
        values: Mapping[str, object],
        *,
        unmodified_since: datetime | None = None,
    ) -> Op:
        """Write these fields of one record, all in one request; 412 when it changed since (3S)."""
        since = unmodified_since
        arguments = {"sobject_api_name": sobject, "record_id": ref, "fields": values}
        return Op(
            name=f"Updating {sobject} {ref}",
            method="PATCH",
            path=f"{self._root}/sobjects/{sobject}/{in_path(ref)}",
            headers=()
            if since is None
            else (("If-Unmodified-Since", format_datetime(since, usegmt=True)),),
            body=values,
            # A tool takes no header, so it cannot carry the condition.
            tool=Tool("SALESFORCE_SOBJECT_ROWS_UPDATE", arguments) if since is None else None,
            writes=True,
        )


def in_path(text: str) -> str:
    """Encode a text as one part of a path, dots and slashes too.

    >>> in_path("some/other'type value.")
    'some%2Fother%27type%20value%2E'
    """
    return quote(text, safe="").replace(".", "%2E")
