"""Which objects and fields a stock org has, and how describe shows them.

Source: crm-semantics.md 1S "Fields".
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from quotey.testing.simulators.exchange import Doc
from quotey.testing.simulators.salesforce.settings import SalesforceSettings

Value = str | Decimal | bool | None
Values = Mapping[str, Value]


class Field(Struct, frozen=True):
    """One field of an object."""

    name: str
    type: str = "string"
    length: int = 255
    precision: int = 18
    scale: int = 2
    required: bool = False
    writable: bool = True
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    restricted: bool = False
    options: tuple[str, ...] = ()
    refers_to: str = ""
    default: Value = None
    hidden: bool = False
    """Hidden by field-level security: as if it did not exist (1S)."""
    formula: Callable[[Values], Value] | None = None
    """Computed on every read; changes without touching SystemModstamp (2S)."""

    @property
    def relation(self) -> str:
        """The name under which a query follows this reference; empty for other fields."""
        if not self.refers_to:
            return ""
        custom = self.name.endswith("__c")
        return self.name.removesuffix("__c") + "__r" if custom else self.name.removesuffix("Id")

    def describe(self) -> Doc:
        """The field as describe shows it."""
        return {
            "name": self.name,
            "label": self.name.removesuffix("__c").replace("_", " "),
            "type": self.type,
            "length": self.length if self.type in {"string", "textarea", "url", "email"} else 0,
            "precision": self.precision if self.type in {"currency", "double", "percent"} else 0,
            "scale": self.scale if self.type in {"currency", "double", "percent"} else 0,
            "nillable": not self.required,
            "createable": self.writable,
            "updateable": self.writable,
            "calculated": self.formula is not None,
            "externalId": self.external_id,
            "unique": self.unique,
            "caseSensitive": self.case_sensitive,
            "restrictedPicklist": self.restricted,
            "picklistValues": [
                {"value": o, "label": o, "active": True, "defaultValue": False, "validFor": None}
                for o in self.options
            ],
            "referenceTo": [self.refers_to] if self.refers_to else [],
            "relationshipName": self.relation or None,
            "defaultedOnCreate": self.default is not None,
            "custom": self.name.endswith("__c"),
        }


class Stage(Struct, frozen=True):
    """One opportunity stage; `probability` in percent."""

    label: str
    probability: int
    forecast: str
    is_closed: bool = False
    is_won: bool = False


STAGES = (
    Stage("Prospecting", 10, "Pipeline"),
    Stage("Qualification", 10, "Pipeline"),
    Stage("Needs Analysis", 20, "Pipeline"),
    Stage("Value Proposition", 50, "Pipeline"),
    Stage("Id. Decision Makers", 60, "Pipeline"),
    Stage("Perception Analysis", 70, "Pipeline"),
    Stage("Proposal/Price Quote", 75, "Pipeline"),
    Stage("Negotiation/Review", 90, "Pipeline"),
    Stage("Closed Won", 100, "Closed", is_closed=True, is_won=True),
    Stage("Closed Lost", 0, "Omitted", is_closed=True),
)
PREFIXES = {
    "Account": "001",
    "Contact": "003",
    "Opportunity": "006",
    "Quote": "0Q0",
    "OpportunityStage": "01J",
    "CurrencyType": "01L",
}
MERGEABLE = frozenset({"Account", "Contact", "Lead"})

# name:type, then `*` required, `r` read-only, `>Object` refers to, `/n` length.
_STOCK = {
    "Account": """Name:string:* Website:url Industry:picklist Type:picklist Phone:phone Fax:phone
        Description:textarea BillingStreet:textarea BillingCity:string BillingState:string
        BillingPostalCode:string BillingCountry:string AnnualRevenue:currency
        NumberOfEmployees:int ParentId:reference:>Account AccountSource:picklist
        AccountNumber:string""",
    "Contact": """LastName:string:*/80 FirstName:string:/40 Name:string:r Email:email
        AccountId:reference:>Account Title:string:/128 Phone:phone MobilePhone:phone
        HomePhone:phone OtherPhone:phone Department:string:/80 LeadSource:picklist
        MailingStreet:textarea MailingCity:string MailingState:string MailingPostalCode:string
        MailingCountry:string Description:textarea""",
    "Opportunity": """Name:string:*/120 StageName:picklist:* CloseDate:date:*
        AccountId:reference:>Account Amount:currency Probability:percent
        ForecastCategoryName:picklist IsClosed:boolean:r IsWon:boolean:r
        HasOpportunityLineItem:boolean:r Description:textarea LeadSource:picklist Type:picklist
        NextStep:string LastStageChangeDate:datetime:r SyncedQuoteId:reference:>Quote""",
    "Quote": """Name:string:* OpportunityId:reference:*>Opportunity Status:picklist
        ExpirationDate:date QuoteNumber:string:r AccountId:reference:r>Account Tax:currency
        ShippingHandling:currency Subtotal:currency:r TotalPrice:currency:r GrandTotal:currency:r
        IsSyncing:boolean:r Description:textarea""",
    "OpportunityStage": """ApiName:string:r MasterLabel:string:r IsActive:boolean:r
        IsClosed:boolean:r IsWon:boolean:r DefaultProbability:percent:r SortOrder:int:r""",
    "CurrencyType": """IsoCode:string:r ConversionRate:double:r DecimalPlaces:int:r
        IsActive:boolean:r IsCorporate:boolean:r""",
}
_SYSTEM = """Id:id:r IsDeleted:boolean:r CreatedDate:datetime:r LastModifiedDate:datetime:r
    SystemModstamp:datetime:r CreatedById:id:r LastModifiedById:id:r"""
_QUOTE_STATUSES = (
    *("Draft", "Needs Review", "In Review", "Approved"),
    *("Rejected", "Presented", "Accepted", "Denied"),
)


def _field(word: str) -> Field:
    name, kind, marks = (*word.split(":"), "")[:3]
    marks, _, target = marks.partition(">")
    marks, _, length = marks.partition("/")
    return Field(
        name,
        kind,
        length=int(length or (32_000 if kind == "textarea" else 255)),
        scale={"percent": 0, "int": 0, "double": 6}.get(kind, 2),
        required="*" in marks,
        writable="r" not in marks,
        refers_to=target,
        default=False if kind == "boolean" else None,
    )


def stock_objects(settings: SalesforceSettings) -> dict[str, dict[str, Field]]:
    """A fresh table of objects and fields, as the org's features allow."""
    made: dict[str, dict[str, Field]] = {}
    for sobject, words in _STOCK.items():
        if sobject == "Quote" and not settings.quotes:
            continue
        fields = [_field(word) for word in (words + " " + _SYSTEM).split()]
        if sobject in MERGEABLE:
            fields.append(Field("MasterRecordId", "reference", writable=False, refers_to=sobject))
        if settings.currencies and sobject in {"Account", "Opportunity", "Quote", "Contact"}:
            # 1S: the field exists only with multicurrency.
            corporate = settings.currencies[0]
            fields.append(Field("CurrencyIsoCode", "picklist", default=corporate))
        made[sobject] = {field.name: field for field in fields}
    if not settings.currencies:
        del made["CurrencyType"]
    stages = tuple(stage.label for stage in STAGES)
    stage_name = made["Opportunity"]["StageName"]
    restricted = settings.restricted_stages
    made["Opportunity"]["StageName"] = replace(stage_name, options=stages, restricted=restricted)
    if settings.quotes:
        status = made["Quote"]["Status"]
        made["Quote"]["Status"] = replace(status, options=_QUOTE_STATUSES, default="Draft")
    else:
        del made["Opportunity"]["SyncedQuoteId"]
    return made


def known_field(fields: Mapping[str, Field], name: str) -> Field | None:
    """The visible field of that name, upper and lower case alike; None when there is none."""
    field = fields.get(name)
    if field is None:
        wanted = name.lower()
        field = next((f for f in fields.values() if f.name.lower() == wanted), None)
    return None if field is None or field.hidden else field
