"""The page of contract fields: dictionary, ownership, providers, backlog. All read from the code.

Source: seed 3.2, 4.2, 4.3, 9.
"""

from __future__ import annotations

from quotey.adapters import discover
from quotey.contract.fields import (
    FIELDS,
    OWNERSHIP,
    Field,
    FieldType,
    Policy,
    Strategy,
)
from quotey.contract.mapping import FieldMapping, Join, Mapping, OnBlank
from quotey.contract.mapping_file import parse_mapping
from scripts.pages.markdown import MADE, table

Words = dict[FieldType, str] | dict[Policy, str] | dict[Strategy, str] | dict[OnBlank, str]

INTRO = """\
Every field that crosses the boundary, as one table of the code
(`quotey.contract.fields.FIELDS`). A mapping says where each stands in a CRM and may choose another
policy; [how to map fields](../how-to/map-fields.md) tells how.
"""
OWN = """\
Own fields (`x_` and a name) may be added to any entity. They are optional, inbound and `crm_wins`
unless the mapping says otherwise.
"""
PROVIDERS = """\
Where each field stands with the shipped mappings. A cell says what differs from the dictionary.
"""
TYPES: dict[FieldType, str] = {
    FieldType.TEXT: "text, at most 32 KB (a name 1 KB), without control characters",
    FieldType.REF: "an id, opaque",
    FieldType.DOMAIN: "a bare host name, lower case",
    FieldType.EMAIL: "an e-mail address",
    FieldType.MONEY: "a decimal: 15 digits, 6 after the point; never a float",
    FieldType.CURRENCY: "a current ISO 4217 code",
    FieldType.DATE: "a day, 1970 to 2100",
    FieldType.INTEGER: "a whole number",
    FieldType.STATUS: "a status of the [quote lifecycle](states.md)",
}
POLICIES: dict[Policy, str] = {
    Policy.CRM_WINS: "the CRM's value is taken; an edit of ours that loses by it is audited",
    Policy.LOCAL_WINS: "ours stands and is sent again; the CRM's value is audited",
    Policy.MERGE_WITH_AUDIT: "the strategy picks; the loser is audited; undecided: a person",
    Policy.IMMUTABLE_AFTER_BIND: "never changes once bound; another value: `identity_mismatch`",
}
STRATEGIES: dict[Strategy, str] = {
    Strategy.NEWEST: "the later change, unless both lie within the clock tolerance",
    Strategy.PREFER_NONBLANK: "the side that has a value",
    Strategy.MAX: "the larger one (money, date, integer)",
    Strategy.MIN: "the smaller one (money, date, integer)",
    Strategy.UNION: "both lists of words, joined (text only)",
}
BLANKS: dict[OnBlank, str] = {
    OnBlank.NULL: "it empties the field, by the field's policy (this is the default)",
    OnBlank.KEEP: "it says nothing: the value here stays",
    OnBlank.PREFER_NONBLANK: "it loses against any value, under whatever policy",
}


def fields_page() -> str:
    """Write the whole page."""
    providers = mappings()
    return "\n".join(
        [
            "# Fields\n",
            MADE,
            INTRO,
            "## Dictionary\n",
            table(
                ("field", "need", "type", "owner", "direction", "policy", "in the CRM", "for"),
                [_row(field) for field in FIELDS],
            ),
            OWN,
            "## Words\n",
            _words("type", TYPES),
            _words("policy", POLICIES),
            _words("strategy of `merge_with_audit`", STRATEGIES),
            _words("`on_blank`: what a blank from the CRM means", BLANKS),
            "## Who owns what\n",
            table(
                ("group", "owner", "direction", "policy", "fields and tables"),
                [
                    (row.group, row.owner, row.direction, row.policy, _listed(row.governs))
                    for row in OWNERSHIP
                ],
            ),
            "## Providers\n",
            PROVIDERS,
            table(
                ("field", "policy", *providers),
                [
                    (
                        f"`{field.path}`",
                        _policy(field),
                        *(_cell(field, providers[p]) for p in providers),
                    )
                    for field in FIELDS
                ],
            ),
            *_notes(providers),
            "## Left out of this version\n",
            *_backlog(providers),
        ]
    )


def mappings() -> dict[str, Mapping]:
    """Give every shipped mapping by its provider's name."""
    found = discover()
    texts = {name: found[name].shipped_mapping() for name in ("stub", *found)}
    return {name: parse_mapping(text, name=f"{name}.toml") for name, text in texts.items()}


def _row(field: Field) -> tuple[str, ...]:
    sent = ", sent on create" if field.sent_on_create else ""
    return (
        f"`{field.path}`",
        field.need,
        field.type,
        field.owner,
        f"{field.direction}{sent}",
        _policy(field),
        field.category,
        field.note,
    )


def _policy(field: Field | FieldMapping) -> str:
    return f"{field.policy}: {field.strategy}" if field.strategy else str(field.policy)


def _words(head: str, words: Words) -> str:
    return table((head, "meaning"), [(f"`{word}`", text) for word, text in words.items()])


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(field: Field, mapping: Mapping) -> str:
    """Say where the field stands, how it is turned, and what differs from the dictionary."""
    entity = mapping.entities.get(field.entity)
    mapped = entity.field(field.name) if entity else None
    if mapped is None:
        return "not mapped"
    parts = [_paths(mapped), *_differences(field, mapped)]
    return "; ".join(parts)


def _paths(mapped: FieldMapping) -> str:
    transform = mapped.transform
    if isinstance(transform, Join):
        return _listed(transform.paths)
    kind = f" ({transform.__struct_config__.tag})" if transform else ""
    return f"`{mapped.path}`{kind}"


def _differences(field: Field, mapped: FieldMapping) -> list[str]:
    found = []
    if mapped.direction is not field.direction:
        found.append(str(mapped.direction))
    if _policy(mapped) != _policy(field):
        found.append(_policy(mapped))
    if mapped.default is not None:
        found.append(f"default `{mapped.default}`")
    return found


def _notes(providers: dict[str, Mapping]) -> list[str]:
    rows = [
        (provider, f"`{entity.entity}.{field.name}`", " ".join(field.note.split()))
        for provider, mapping in providers.items()
        for entity in mapping.entities.values()
        for field in entity.fields
        if field.note
    ]
    return ["What is to be known of some of them:\n", table(("provider", "field", "note"), rows)]


def _backlog(providers: dict[str, Mapping]) -> list[str]:
    found = []
    for provider, mapping in providers.items():
        found.append(f"### {provider}\n")
        rows = [(f"`{entry.field}`", entry.reason) for entry in mapping.backlog]
        found.append(table(("field", "why"), rows))
    return found
