"""The requests that are made of a portal, each as its own HTTP and as a tool slug.

Source: crm-semantics 1H, 2H, 3H; composio-tools/hubspot_tools_20260915_00.json.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec

from quotey.adapters.composio.ops import Op, Tool
from quotey.adapters.composio.settings import HubSpotSettings

SEARCH = "search"
ASSOCIATIONS = "associations"

# association_type_ids.json: the primary company of a record, and deal to company without a label.
PRIMARY = {"deals": 5, "contacts": 1}
DEAL_PRIMARY = PRIMARY["deals"]

_LIST_TOOL = {
    "companies": "HUBSPOT_LIST_COMPANIES",
    "contacts": "HUBSPOT_LIST_CONTACTS",
    "deals": "HUBSPOT_LIST_DEALS",
}


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched for: groups of filters, or words; sorted by id where `by_id`."""

    groups: Sequence[Sequence[Mapping[str, str]]] = ()
    query: str = ""
    by_id: bool = False
    properties: Sequence[str] = ()
    limit: int = 20

    def body(self) -> dict[str, object]:
        """Give the body; it must stay below 3,000 characters (2H)."""
        body: dict[str, object] = {"properties": list(self.properties), "limit": self.limit}
        if self.groups:
            body["filterGroups"] = [{"filters": list(group)} for group in self.groups]
        if self.query:
            body["query"] = self.query
        if self.by_id:
            body["sorts"] = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
        return body


class Ops:
    """Makes the requests, by the paths that are set."""

    def __init__(self, settings: HubSpotSettings) -> None:
        self._objects = settings.objects_path.rstrip("/")
        self._associations = settings.associations_path.rstrip("/")
        self._properties = settings.properties_path.rstrip("/")
        self._pipelines = settings.pipelines_path.rstrip("/")

    def portal(self) -> Op:
        """Ask who the portal is; the cheapest request, for the server's own time."""
        tool = Tool("HUBSPOT_GET_ACCOUNT_INFO", {})
        path = "/account-info/v3/details"
        return Op(name="Looking at the portal", method="GET", path=path, tool=tool)

    def properties(self, kind: str) -> Op:
        """Ask how the properties of a type are defined."""
        return Op(
            name=f"Reading the properties of {kind}",
            method="GET",
            path=f"{self._properties}/{kind}",
            tool=Tool("HUBSPOT_READ_ALL_PROPERTIES_FOR_OBJECT_TYPE", {"objectType": kind}),
        )

    def define(self, kind: str, definition: Mapping[str, object]) -> Op:
        """Make a property."""
        arguments = {"objectType": kind, **definition}
        return Op(
            name=f"Making the property {definition['name']} of {kind}",
            method="POST",
            path=f"{self._properties}/{kind}",
            body=definition,
            tool=Tool("HUBSPOT_CREATE_PROPERTY_FOR_SPECIFIED_OBJECT_TYPE", arguments),
            writes=True,
        )

    def pipelines(self, kind: str) -> Op:
        """Ask for a type's pipelines with their stages."""
        return Op(
            name=f"Reading the pipelines of {kind}",
            method="GET",
            path=f"{self._pipelines}/{kind}",
            tool=Tool(
                "HUBSPOT_RETRIEVE_ALL_PIPELINES_FOR_SPECIFIED_OBJECT_TYPE", {"objectType": kind}
            ),
        )

    def search(self, kind: str, what: Search, *, interactive: bool = False) -> Op:
        """Search a type of record. At most five a second for the whole account (2H)."""
        body = what.body()
        arguments = {"objectType": kind, **body}
        return Op(
            name=f"Searching {kind}",
            method="POST",
            path=f"{self._objects}/{kind}/search",
            body=body,
            tool=Tool("HUBSPOT_SEARCH_CRM_OBJECTS_BY_CRITERIA", arguments),
            family=SEARCH,
            interactive=interactive,
        )

    def page(
        self, kind: str, properties: Sequence[str], after: str, limit: int, *, archived: bool
    ) -> Op:
        """List a type of record; not from the search index, and without its cap (2H)."""
        query = [("limit", str(limit)), ("archived", str(archived).lower())]
        query += [("properties", ",".join(properties))]
        arguments: dict[str, object] = {
            "limit": limit,
            "archived": archived,
            "properties": list(properties),
        }
        if after:
            query.append(("after", after))
            arguments["after"] = after
        return Op(
            name=f"Listing {kind}",
            method="GET",
            path=f"{self._objects}/{kind}",
            query=tuple(query),
            tool=Tool(_LIST_TOOL[kind], arguments) if kind in _LIST_TOOL else None,
        )

    def read_many(
        self, kind: str, refs: Sequence[str], properties: Sequence[str], *, archived: bool = False
    ) -> Op:
        """Read up to 100 records by id."""
        body: dict[str, object] = {
            "inputs": [{"id": ref} for ref in refs],
            "properties": list(properties),
            "propertiesWithHistory": [],
        }
        asked = {"archived": True} if archived else {}
        return Op(
            name=f"Reading {kind}",
            method="POST",
            path=f"{self._objects}/{kind}/batch/read",
            query=(("archived", "true"),) if archived else (),
            body=body,
            tool=Tool(
                "HUBSPOT_READ_BATCH_OF_CRM_OBJECTS_BY_ID_OR_PROPERTY_VALUES",
                {"objectType": kind, **body, **asked},
            ),
        )

    def read_one(
        self,
        kind: str,
        key: str,
        properties: Sequence[str],
        *,
        history: Sequence[str] = (),
        id_property: str = "",
    ) -> Op:
        """Read one record by id or by a unique property; strongly consistent."""
        query = [("properties", ",".join(properties))]
        arguments: dict[str, object] = {
            "objectType": kind,
            "objectId": key,
            "properties": list(properties),
        }
        if history:
            query.append(("propertiesWithHistory", ",".join(history)))
            arguments["propertiesWithHistory"] = list(history)
        if id_property:
            query.append(("idProperty", id_property))
            arguments["idProperty"] = id_property
        return Op(
            name=f"Reading {kind} {key}",
            method="GET",
            path=f"{self._objects}/{kind}/{quote(key, safe='')}",
            query=tuple(query),
            tool=Tool("HUBSPOT_READ_CRM_OBJECT_BY_ID", arguments),
        )

    def companies_of(self, kind: str, refs: Sequence[str]) -> Op:
        """Read which companies records belong to; associations are a call of their own (1H)."""
        inputs = [{"id": ref} for ref in refs]
        return Op(
            name=f"Reading the companies of {kind}",
            method="POST",
            path=f"{self._associations}/{kind}/companies/batch/read",
            body={"inputs": inputs},
            tool=Tool(
                "HUBSPOT_READ_ASSOCIATIONS_BATCH",
                {"fromObjectType": kind, "toObjectType": "companies", "inputs": inputs},
            ),
            family=ASSOCIATIONS,
        )

    def upsert(self, kind: str, key_property: str, key: str, properties: Mapping[str, str]) -> Op:
        """Create one record under a unique key, or find it: safe any number of times (3H)."""
        inputs = [{"idProperty": key_property, "id": key, "properties": properties}]
        return Op(
            name=f"Creating {kind} under key {key}",
            method="POST",
            path=f"{self._objects}/{kind}/batch/upsert",
            body={"inputs": inputs},
            writes=True,
        )

    def create(self, kind: str, properties: Mapping[str, str], key: str) -> Op:
        """Create one record by a tool: only contacts have one for upserts.

        Its unique key is among the properties, so a second one is refused with the first one's id.
        """
        tool = Tool(
            "HUBSPOT_CREATE_CRM_OBJECT_WITH_PROPERTIES",
            {"objectType": kind, "properties": properties, "associations": []},
        )
        return Op(
            name=f"Creating {kind} under key {key}",
            method="POST",
            path=f"{self._objects}/{kind}",
            body={"properties": properties, "associations": []},
            tool=tool,
            writes=True,
        )

    def update(self, kind: str, ref: str, properties: Mapping[str, str]) -> Op:
        """Write these properties of one record, all in one request."""
        arguments = {"objectType": kind, "objectId": ref, "properties": properties}
        return Op(
            name=f"Updating {kind} {ref}",
            method="PATCH",
            path=f"{self._objects}/{kind}/{quote(ref, safe='')}",
            body={"properties": properties},
            tool=Tool("HUBSPOT_PARTIALLY_UPDATE_CRM_OBJECT_BY_ID", arguments),
            writes=True,
        )

    def link(self, deal: str, company: str) -> Op:
        """Make a company the primary one of a deal; doing it twice is doing it once."""
        labels = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": DEAL_PRIMARY}]
        root = self._associations.removesuffix("/associations")
        return Op(
            name=f"Linking deals {deal} to companies {company}",
            method="PUT",
            path=f"{root}/objects/deals/{quote(deal, safe='')}"
            f"/associations/companies/{quote(company, safe='')}",
            body=labels,
            tool=Tool(
                "HUBSPOT_CREATE_OBJECT_ASSOCIATION",
                {
                    "objectType": "deals",
                    "objectId": deal,
                    "toObjectType": "companies",
                    "toObjectId": company,
                    "labels": labels,
                },
            ),
            writes=True,
            family=ASSOCIATIONS,
        )
