"""Which objects, properties, stages and association types a stock portal has.

Source: crm-semantics.md 1H; association_type_ids.json.
"""

from datetime import datetime

from msgspec import Struct

from quotey.testing.simulators.clock import START


class ObjectType(Struct, frozen=True):
    """One kind of record and its names."""

    plural: str
    singular: str
    number: str
    modified: str = "hs_lastmodifieddate"
    created: str = "createdate"
    needs: tuple[tuple[str, ...], ...] = ()
    """What a create must carry: of each group at least one."""
    shown: tuple[str, ...] = ()
    """What a read answers when no properties are named."""
    searched: tuple[str, ...] = ()
    """Where the free-text query looks."""

    @property
    def legacy(self) -> str:
        """The name in the text of a unique clash."""
        return self.singular.upper()


# crm-semantics.md 1H "Object type ids", 2H "default props per object", 1L for the query.
TYPES = {
    kind.plural: kind
    for kind in (
        ObjectType(
            "contacts",
            "contact",
            "0-1",
            modified="lastmodifieddate",  # not hs_: airbyte PR#85019
            needs=(("email", "firstname", "lastname"),),
            shown=(
                "createdate",
                "email",
                "firstname",
                "hs_object_id",
                "lastmodifieddate",
                "lastname",
            ),
            searched=(
                *("firstname", "lastname", "email", "phone", "hs_additional_emails"),
                *("fax", "mobilephone", "company"),
            ),
        ),
        ObjectType(
            "companies",
            "company",
            "0-2",
            needs=(("name", "domain"),),
            shown=("name", "domain", "createdate", "hs_lastmodifieddate", "hs_object_id"),
            searched=("website", "phone", "name", "domain"),
        ),
        ObjectType(
            "deals",
            "deal",
            "0-3",
            needs=(("dealname",), ("dealstage",)),
            shown=(
                *("dealname", "amount", "closedate", "pipeline", "dealstage"),
                *("createdate", "hs_lastmodifieddate", "hs_object_id"),
            ),
            searched=("dealname", "pipeline", "dealstage", "description", "dealtype"),
        ),
        ObjectType(
            "line_items",
            "line_item",
            "0-8",
            shown=("quantity", "amount", "createdate", "hs_lastmodifieddate", "hs_object_id"),
        ),
        ObjectType(
            "quotes",
            "quote",
            "0-14",
            created="hs_createdate",
            needs=(("hs_title",), ("hs_expiration_date",)),
            shown=(
                *("hs_expiration_date", "hs_public_url_key", "hs_status", "hs_title"),
                *("hs_createdate", "hs_lastmodifieddate", "hs_object_id"),
            ),
            searched=("hs_title", "hs_quote_number", "hs_public_url_key", "hs_proposal_slug"),
        ),
        ObjectType(
            "notes",
            "note",
            "0-46",
            created="hs_createdate",
            needs=(("hs_timestamp",),),
            shown=("hs_createdate", "hs_lastmodifieddate", "hs_object_id"),
        ),
        ObjectType("quote_templates", "quote_template", "0-64", created="hs_createdate"),
    )
}
_NAMES = {n: t for t in TYPES.values() for n in (t.plural, t.singular, t.number)}


def object_type(name: str) -> ObjectType | None:
    """The type that a path names by plural, singular or number; None when there is none."""
    return _NAMES.get(name.lower())


class Property(Struct, frozen=True):
    """The definition of one property."""

    name: str
    type: str
    label: str = ""
    field_type: str = "text"
    group: str = ""
    options: tuple[tuple[str, str], ...] = ()
    """(value, label) of an enumeration."""
    unique: bool = False
    calculated: bool = False
    read_only: bool = False
    hubspot_defined: bool = True
    archived: bool = False
    created_at: datetime = START

    @property
    def writable(self) -> bool:
        """Whether a write may carry it (1H: not calculated and not readOnlyValue)."""
        return not (self.calculated or self.read_only)


LIFECYCLE = (
    *("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead"),
    *("opportunity", "customer", "evangelist", "other"),
)
QUOTE_STATUSES = ("DRAFT", "PENDING_APPROVAL", "APPROVAL_NOT_NEEDED", "APPROVED", "REJECTED")
# Enumerations whose options the portal fixes; stages and pipelines are checked against pipelines.
_OPTIONS = {
    "lifecyclestage": LIFECYCLE,
    "hs_status": QUOTE_STATUSES,
    "dealtype": ("newbusiness", "existingbusiness"),
    "industry": ("COMPUTER_SOFTWARE", "RETAIL", "BANKING", "HOSPITAL_HEALTH_CARE", "MACHINERY"),
    "hs_template_type": ("CUSTOMIZABLE_QUOTE_TEMPLATE", "CPQ_QUOTE"),
}

# name:type, then flags: c calculated, r read-only, u unique.
_STOCK = {
    "contacts": """email:string:u firstname:string lastname:string phone:string mobilephone:string
        fax:string company:string website:string jobtitle:string lifecyclestage:enumeration
        hubspot_owner_id:string hs_additional_emails:string:r associatedcompanyid:number:r
        createdate:datetime:r lastmodifieddate:datetime:r hs_lastmodifieddate:datetime:r""",
    "companies": """name:string domain:string website:string phone:string address:string city:string
        state:string zip:string country:string description:string industry:enumeration type:string
        numberofemployees:number annualrevenue:number lifecyclestage:enumeration
        hubspot_owner_id:string hs_parent_company_id:number:r hs_additional_domains:string:r
        createdate:datetime:r hs_lastmodifieddate:datetime:r""",
    "deals": """dealname:string dealstage:enumeration pipeline:enumeration amount:number
        closedate:datetime dealtype:enumeration description:string hubspot_owner_id:string
        deal_currency_code:string hs_priority:string hs_next_step:string closed_won_reason:string
        closed_lost_reason:string hs_deal_stage_probability:number:c hs_is_closed:bool:c
        hs_is_closed_won:bool:c hs_is_closed_lost:bool:c amount_in_home_currency:number:c
        createdate:datetime:r hs_lastmodifieddate:datetime:r""",
    "line_items": """name:string quantity:number price:number hs_product_id:string discount:number
        hs_discount_percentage:number hs_line_item_currency_code:string amount:number:c
        createdate:datetime:r hs_lastmodifieddate:datetime:r""",
    "quotes": """hs_title:string hs_expiration_date:datetime hs_status:enumeration
        hs_currency:string hs_template_type:enumeration hs_quote_amount:number:c
        hs_quote_number:string:r hs_quote_link:string:r hs_pdf_download_link:string:r
        hs_public_url_key:string:r hs_proposal_slug:string hs_locked:bool:r
        hs_createdate:datetime:r hs_lastmodifieddate:datetime:r""",
    "notes": """hs_timestamp:datetime hs_note_body:string hs_attachment_ids:string
        hubspot_owner_id:string hs_createdate:datetime:r hs_lastmodifieddate:datetime:r""",
    "quote_templates": "hs_name:string hs_createdate:datetime:r hs_lastmodifieddate:datetime:r",
}
_EVERYWHERE = "hs_object_id:number:r hs_merged_object_ids:string:r"
_FIELD_TYPES = {"number": "number", "date": "date", "datetime": "date", "bool": "booleancheckbox"}


def _stock_property(word: str, group: str) -> Property:
    name, kind, flags = (*word.split(":"), "")[:3]
    options = _OPTIONS.get(name, ("true", "false") if kind == "bool" else ())
    return Property(
        name,
        kind,
        label=name.removeprefix("hs_").replace("_", " ").capitalize(),
        field_type="select" if kind == "enumeration" else _FIELD_TYPES.get(kind, "text"),
        group=group,
        options=tuple((value, value.replace("_", " ").capitalize()) for value in options),
        unique="u" in flags,
        calculated="c" in flags,
        read_only="r" in flags,
    )


def stock_properties(kind: str) -> dict[str, Property]:
    """A fresh table of the properties that every portal has for a type."""
    group = f"{TYPES[kind].singular}information".replace("_", "")
    made = (_stock_property(word, group) for word in (_STOCK[kind] + " " + _EVERYWHERE).split())
    return {definition.name: definition for definition in made}


class Stage(Struct, frozen=True):
    """One step of a pipeline. `probability` is text, as on the wire."""

    stage_id: str
    label: str
    probability: str
    is_closed: bool = False


class Pipeline(Struct, frozen=True):
    """An ordered list of stages."""

    pipeline_id: str
    label: str
    stages: tuple[Stage, ...]

    def stage(self, stage_id: str) -> Stage | None:
        """The stage with this id, if it is one of ours."""
        return next((stage for stage in self.stages if stage.stage_id == stage_id), None)


# crm-semantics.md 1H "Stages": the default pipeline, probabilities as text.
DEFAULT_PIPELINE = Pipeline(
    "default",
    "Sales Pipeline",
    (
        Stage("appointmentscheduled", "Appointment Scheduled", "0.2"),
        Stage("qualifiedtobuy", "Qualified To Buy", "0.4"),
        Stage("presentationscheduled", "Presentation Scheduled", "0.6"),
        Stage("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
        Stage("contractsent", "Contract Sent", "0.9"),
        Stage("closedwon", "Closed Won", "1.0", is_closed=True),
        Stage("closedlost", "Closed Lost", "0.0", is_closed=True),
    ),
)

# association_type_ids.json: (from, to, label) -> directional type id; "" is the unlabeled one.
ASSOCIATION_TYPES = {
    ("contact", "company", ""): 279,
    ("contact", "company", "Primary"): 1,
    ("contact", "deal", ""): 4,
    ("contact", "quote", ""): 70,
    ("contact", "quote", "Signer"): 703,
    ("contact", "contact", ""): 449,
    ("company", "contact", ""): 280,
    ("company", "contact", "Primary"): 2,
    ("company", "deal", ""): 342,
    ("company", "deal", "Primary"): 6,
    ("company", "quote", ""): 72,
    ("company", "company", ""): 450,
    ("company", "company", "Parent"): 13,
    ("company", "company", "Child"): 14,
    ("company", "note", ""): 189,
    ("deal", "company", ""): 341,
    ("deal", "company", "Primary"): 5,
    ("deal", "contact", ""): 3,
    ("deal", "quote", ""): 63,
    ("deal", "line_item", ""): 19,
    ("deal", "deal", ""): 451,
    ("deal", "note", ""): 213,
    ("quote", "deal", ""): 64,
    ("quote", "line_item", ""): 67,
    ("quote", "contact", ""): 69,
    ("quote", "contact", "Signer"): 702,
    ("quote", "company", ""): 71,
    ("quote", "quote_template", ""): 286,
    ("line_item", "deal", ""): 20,
    ("line_item", "quote", ""): 68,
    ("quote_template", "quote", ""): 285,
    ("note", "deal", ""): 214,
    ("note", "company", ""): 190,
}
_OTHER_SIDE = {"Parent": "Child", "Child": "Parent"}


def association_labels(source: str, target: str) -> dict[int, str]:
    """Type id -> label of what may link these two (singular) types, in this direction."""
    return {
        number: label
        for (from_type, to_type, label), number in ASSOCIATION_TYPES.items()
        if (from_type, to_type) == (source, target)
    }


def inverse_type(source: str, target: str, number: int) -> int:
    """The type id under which the other side sees the same link."""
    label = association_labels(source, target)[number]
    return ASSOCIATION_TYPES[target, source, _OTHER_SIDE.get(label, label)]
