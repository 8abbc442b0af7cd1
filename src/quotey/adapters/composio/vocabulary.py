"""What stands under which key of the service's and the providers' documents, for recordings.

What is not listed is concealed like a text, so a key that is forgotten here costs shape, not
safety. The mapping adds its own properties; where two say something, whichever conceals is right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from quotey.contract.fields import Entity, FieldType
from quotey.contract.mapping import Bucket, FieldMapping, Join
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.wire import Concealer, Hook, Kind

_BY_KIND: dict[Kind, str] = {
    Kind.WORD: (
        "method type successful successfull objectType fromObjectType toObjectType propertyName "
        "operator direction idProperty sobject sobject_api_name object_name field_name "
        "properties propertiesWithHistory associationCategory category subCategory policyName code "
        "errorCode statusCode slug version accountType timeZone "
        "companyCurrency dataHostingLocation utcOffset CurrencyIsoCode"
    ),
    Kind.ID: (
        "id Id after objectId toObjectId record_id crm_ref hs_object_id MasterRecordId "
        "associationTypeId typeId hs_merged_object_ids dealstage pipeline"
    ),
    Kind.MOMENT: (
        "createdAt updatedAt archivedAt createdate hs_lastmodifieddate lastmodifieddate timestamp "
        "startedAt completedAt requestedAt SystemModstamp LastModifiedDate CreatedDate start end "
        "date if-unmodified-since earliestDateAvailable latestDateCovered deletedDate"
    ),
    Kind.NUMBER: (
        "status status_code limit total totalSize Max Remaining numErrors offset "
        "x-hubspot-ratelimit-remaining x-hubspot-ratelimit-max "
        "x-hubspot-ratelimit-interval-milliseconds x-hubspot-ratelimit-secondly "
        "x-hubspot-ratelimit-secondly-remaining x-hubspot-ratelimit-daily "
        "x-hubspot-ratelimit-daily-remaining x-ratelimit-limit x-ratelimit-remaining "
        "x-ratelimit-reset"
    ),
    Kind.ACCOUNT: (
        "connected_account_id connectedAccountId user_id log_id logId correlationId request_id "
        "requestId portalId sourceId updatedByUserId OwnerId CreatedById LastModifiedById"
    ),
    Kind.CODE: "content-type accept retry-after sforce-limit-info",
    Kind.URL: "link url nextRecordsUrl",
}
FIXED: dict[str, Kind] = {name: kind for kind, names in _BY_KIND.items() for name in names.split()}

HEADERS = frozenset(
    {"content-type", "accept", "date", "retry-after", "sforce-limit-info", "if-unmodified-since"}
)
"""Headers that are kept, with those that begin as below; all others are dropped."""
HEADER_STARTS = ("x-ratelimit-", "x-hubspot-ratelimit-")

_OF_TYPE = {
    FieldType.REF: Kind.ID,
    FieldType.MONEY: Kind.NUMBER,
    FieldType.CURRENCY: Kind.CODE,
    FieldType.DATE: Kind.MOMENT,
    FieldType.INTEGER: Kind.NUMBER,
    FieldType.DOMAIN: Kind.DOMAIN,
    FieldType.EMAIL: Kind.EMAIL,
    FieldType.STATUS: Kind.CODE,
    FieldType.TEXT: Kind.TEXT,
}
_OF_FIELD = {
    "account.segment": Kind.CODE,
    "deal.stage": Kind.CODE,
    "contact.name": Kind.NAME,
    "contact.phone": Kind.PHONE,
}
PERSONAL = frozenset({"contact.name", "contact.email", "contact.phone"})
"""Fields that no option keeps."""

_KEEPING = (Kind.PLAIN, Kind.WORD, Kind.ID, Kind.MOMENT, Kind.NUMBER, Kind.CODE)


def kinds_of(mapping: CrmMapping, keep: frozenset[str] = frozenset()) -> dict[str, Kind]:
    """Say what stands under which key, by the mapping and by the wire; `keep` are contract fields.

    Raises ValueError with a sentence when a field cannot be kept.
    """
    found: dict[str, Kind] = {}
    kept: dict[str, str] = {}
    for entity, one in mapping.entities.items():
        found |= {
            name: FIXED.get(name, Kind.ID) for name in map(_last, one.settings.values())
        } | found
        for field in one.fields:
            path = f"{entity}.{field.name}"
            for name in _names(field):
                if path in keep:
                    kept[name] = path
                    found.setdefault(name, Kind.PLAIN)
                else:
                    found[name] = _stricter(_kind(entity, field), found.get(name))
    for name, path in kept.items():
        if found[name] not in _KEEPING:
            raise ValueError(
                f"{path} cannot be kept: another field that is concealed stands under {name} too"
            )
        found[name] = Kind.PLAIN
    return {**FIXED, **found}


def _stricter(kind: Kind, before: Kind | None) -> Kind:
    """Choose what conceals, where a property is two fields."""
    return before if before is not None and before not in _KEEPING else kind


def _kind(entity: Entity, field: FieldMapping) -> Kind:
    if isinstance(field.transform, Bucket):
        return Kind.NUMBER
    return _OF_FIELD.get(f"{entity}.{field.name}") or _OF_TYPE[field.type]


def _names(field: FieldMapping) -> tuple[str, ...]:
    joined = field.transform.paths if isinstance(field.transform, Join) else ()
    return tuple(dict.fromkeys(_last(path) for path in (field.path, *joined)))


def _last(path: str) -> str:
    return path.rpartition(".")[2]


# --- keys that need more than a kind --------------------------------------------------------------

_LITERAL = re.compile(r"'((?:[^'\\]|\\.)*)'")
_RECORD_ID = re.compile(r"(?=(?:.*\d){3})[a-zA-Z0-9]{15}(?:[a-zA-Z0-9]{3})?")
_SEGMENT = re.compile(r"(?:v?\d{1,4}(?:\.\d)?|[A-Za-z_][A-Za-z_-]{0,60}(?:__[a-z])?|\d{1,19})")
_MARK = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
ORGS = ".my.salesforce.com"
"""Where the addresses of orgs end; what stands before it is the customer's name."""
PROVIDERS = frozenset({"api.hubapi.com"})


def soql(concealer: Concealer, text: str) -> str:
    """Conceal the literals of a query, except ids of records."""

    def literal(found: re.Match[str]) -> str:
        inner = found[1]
        kept = _RECORD_ID.fullmatch(inner) or not inner
        return f"'{inner if kept else concealer.scalar(inner, Kind.TEXT)}'"

    return _LITERAL.sub(literal, text)


def _query(concealer: Concealer, value: object) -> object:
    is_soql = isinstance(value, str) and value.startswith("SELECT ")
    return soql(concealer, str(value)) if is_soql else concealer.document(value)


def host(concealer: Concealer, name: str) -> str:
    """Conceal a host, unless it is everybody's."""
    if name in PROVIDERS:
        return name
    if name.endswith(ORGS):
        return concealer.make.words(name.removesuffix(ORGS)) + ORGS
    return concealer.make.domain(name)


def address(concealer: Concealer, text: str) -> str:
    """Conceal the address of a request: host, path and what is asked for."""
    parts = urlsplit(text)
    path = "/".join(_segment(concealer, part) for part in parts.path.split("/"))
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    asked = [(name, _asked(concealer, name, value)) for name, value in pairs]
    query = f"?{urlencode(asked, quote_via=quote)}" if asked else ""
    start = f"{parts.scheme}://{host(concealer, parts.netloc)}" if parts.scheme else ""
    return f"{start}{path}{query}"


def _segment(concealer: Concealer, part: str) -> str:
    plain = unquote(part)
    if not plain or _SEGMENT.fullmatch(plain) or _RECORD_ID.fullmatch(plain):
        return part
    return quote(concealer.scalar(plain, Kind.TEXT), safe="")


def _asked(concealer: Concealer, name: str, value: str) -> str:
    if name == "q":
        return soql(concealer, value)
    if name in ("properties", "propertiesWithHistory"):
        return ",".join(concealer.scalar(one, Kind.WORD) for one in value.split(","))
    if name == "archived":
        return concealer.scalar(value, Kind.WORD)
    return concealer.scalar(value, concealer.kind_of(name) or Kind.TEXT)


def _endpoint(concealer: Concealer, value: object) -> object:
    return address(concealer, value) if isinstance(value, str) else concealer.document(value)


def _link(concealer: Concealer, value: object) -> object:
    """Conceal a link; one that begins at the host's root is that of a record or a page."""
    if isinstance(value, str) and value.startswith("/"):
        return address(concealer, value)
    return concealer.document(value, Kind.URL)


def headers(concealer: Concealer, value: object) -> object:
    """Keep what says how an answer is to be taken, and drop every other header."""
    pairs = value.items() if isinstance(value, Mapping) else ()
    return {
        name: concealer.document(one, FIXED.get(name.lower(), Kind.WORD))
        for name, one in pairs
        if name.lower() in HEADERS or name.lower().startswith(HEADER_STARTS)
    }


def _parameters(concealer: Concealer, value: object) -> object:
    listed = value if isinstance(value, list) else []
    named = {one.get("name"): one.get("value") for one in listed if isinstance(one, Mapping)}
    kept = headers(concealer, {str(name): one for name, one in named.items()})
    assert isinstance(kept, dict)
    return [{"name": name, "value": one, "type": "header"} for name, one in kept.items()]


_OF_A_FIELD = ("name", "type", "referenceTo", "relationshipName", "length", "precision", "scale")


def _fields(concealer: Concealer, value: object) -> object:
    """Keep how an object's fields are defined: their API names and types, no label or choice."""
    listed = value if isinstance(value, list) else [value]
    described = [one for one in listed if isinstance(one, dict)]
    if value is not listed or described != listed:
        return concealer.document(value, Kind.WORD)
    return [
        {
            name: concealer.document(
                one, Kind.WORD if name in _OF_A_FIELD else concealer.kind_of(name)
            )
            for name, one in field.items()
        }
        for field in described
    ]


HOOKS: dict[str, Hook] = {
    "fields": _fields,
    "endpoint": _endpoint,
    "q": _query,
    "query": _query,
    "url": _link,
    "link": _link,
    "nextRecordsUrl": _link,
    "headers": headers,
    "parameters": _parameters,
}
