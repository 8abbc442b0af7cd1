"""The tools as two tables, a line each: slug, method, path, style, arguments.

Marks of an argument: `*` required, `[]` array, `{}` object, `#` integer, `?` boolean, `%` number,
`>x` is called x in the provider's call. Styles are explained in `execute`.
Source: composio-tools/*.json.
"""

_VIEW = "properties[] associations[] propertiesWithHistory[] archived?"
_BATCH_VIEW = "inputs[]* idProperty properties[] propertiesWithHistory[] archived?"
_PAGE = f"limit# after {_VIEW}"
_FIND = "query filterGroups[] sorts[] properties[] limit# after"
_NAMED = "/crm/v3/objects/{objectType}"
_COMPANY = """name domain website phone address address2 city state zip country industry type
    description annualrevenue numberofemployees lifecyclestage associations[] custom_properties{}"""
_CONTACT = """email firstname lastname phone company jobtitle website lifecyclestage
    hubspot_owner_id associations[] custom_properties{}"""
_DEAL = """dealname dealstage pipeline amount closedate dealtype description hubspot_owner_id
    deal_currency_code hs_priority hs_next_step closed_won_reason closed_lost_reason
    associations[] custom_properties{}"""
_NOTE = """hs_timestamp* hs_note_body hubspot_owner_id hs_attachment_ids associations[]
    custom_properties{}"""
_PROPERTY = "name* label* type* fieldType* groupName* options[] hasUniqueValue? description hidden?"


def _row(*parts: str) -> str:
    return " ".join(" ".join(parts).split())


def _hubspot_family(
    plural: str, one: str, key: str, create: str, words: dict[str, str]
) -> list[str]:
    base = f"/crm/v3/objects/{plural}"
    return [
        _row(f"CREATE_{one}", f"POST {base} flat", create),
        _row(words["create_many"], f"POST {base}/batch/create body inputs[]*"),
        _row(words["get"], f"GET {base}/{{{key}}} query {key}*", _VIEW),
        _row(words["get_many"], f"POST {base}/batch/read body", _BATCH_VIEW),
        _row(f"LIST_{words['plural']}", f"GET {base} query", _PAGE),
        _row(words["search"], f"POST {base}/search body", _FIND),
        _row(f"UPDATE_{one}", f"PATCH {base}/{{{key}}} body {key}* properties{{}}*"),
        _row(words["update_many"], f"POST {base}/batch/update body inputs[]*"),
        _row(words["archive"], f"DELETE {base}/{{{key}}} query {key}*"),
        _row(words["archive_many"], f"POST {base}/batch/archive body inputs[]*"),
    ]


def _family_words(one: str, plural: str, **odd: str) -> dict[str, str]:
    usual = {
        "create_many": f"CREATE_{plural}",
        "get": f"GET_{one}",
        "get_many": f"GET_{plural}",
        "plural": plural,
        "search": f"SEARCH_{plural}",
        "update_many": f"UPDATE_{plural}",
        "archive": f"ARCHIVE_{one}",
        "archive_many": f"ARCHIVE_{plural}",
    }
    return usual | odd


_COMPANY_WORDS = _family_words(
    "COMPANY", "COMPANIES", get_many="BATCH_READ_COMPANIES_BY_PROPERTIES"
)
_CONTACT_WORDS = _family_words(
    *("CONTACT", "CONTACTS"),
    get="READ_CONTACT",
    get_many="READ_CONTACTS",
    search="SEARCH_CONTACTS_BY_CRITERIA",
)
_DEAL_WORDS = _family_words("DEAL", "DEALS", archive="REMOVE_DEAL")
_QUOTE_WORDS = _family_words(
    *("QUOTE", "QUOTES"),
    create_many="CREATE_BATCH_OF_QUOTES",
    get_many="READ_BATCH_OF_QUOTES_BY_PROPERTY_VALUES",
    search="SEARCH_QUOTES_BY_CRITERIA",
    update_many="BATCH_UPDATE_QUOTES",
)
_LINK = "/crm/v4/objects/{objectType}/{objectId}/associations/{toObjectType}"

HUBSPOT = "\n".join(
    [
        *_hubspot_family("companies", "COMPANY", "companyId", _COMPANY, _COMPANY_WORDS),
        *_hubspot_family("contacts", "CONTACT", "contactId", _CONTACT, _CONTACT_WORDS),
        *_hubspot_family("deals", "DEAL", "dealId", _DEAL, _DEAL_WORDS),
        *_hubspot_family("quotes", "QUOTE", "quoteId", "hs_title", _QUOTE_WORDS),
        "CREATE_QUOTE_OBJECT POST /crm/v3/objects/quotes body properties{}* associations[]*",
        "UPSERT_CONTACTS POST /crm/v3/objects/contacts/batch/upsert body inputs[]*",
        _row("CREATE_NOTE POST /crm/v3/objects/notes flat", _NOTE),
        _row(
            f"CREATE_CRM_OBJECT_WITH_PROPERTIES POST {_NAMED} body objectType*",
            "properties{}* associations[]*",
        ),
        _row(f"CREATE_BATCH_OF_OBJECTS POST {_NAMED}/batch/create body objectType* inputs[]*"),
        _row(
            f"READ_CRM_OBJECT_BY_ID GET {_NAMED}/{{objectId}} query objectType* objectId*",
            "idProperty",
            _VIEW,
        ),
        _row(
            "READ_BATCH_OF_CRM_OBJECTS_BY_ID_OR_PROPERTY_VALUES",
            f"POST {_NAMED}/batch/read body objectType* inputs[]* properties[]*",
            "propertiesWithHistory[]* idProperty archived?",
        ),
        _row(f"READ_APAGE_OF_OBJECTS_BY_TYPE GET {_NAMED} query objectType*", _PAGE),
        _row(f"SEARCH_CRM_OBJECTS_BY_CRITERIA POST {_NAMED}/search body objectType*", _FIND),
        _row(
            f"PARTIALLY_UPDATE_CRM_OBJECT_BY_ID PATCH {_NAMED}/{{objectId}} body objectType*",
            "objectId* properties{}* idProperty",
        ),
        _row(
            "UPDATE_BATCH_OF_OBJECTS_BY_IDOR_PROPERTY_VALUES",
            f"POST {_NAMED}/batch/update body objectType* inputs[]*",
        ),
        _row(f"ARCHIVE_BATCH_OF_OBJECTS POST {_NAMED}/batch/archive body objectType* inputs[]*"),
        _row(
            f"CREATE_OBJECT_ASSOCIATION PUT {_LINK}/{{toObjectId}} labels objectType* objectId*",
            "toObjectType* toObjectId* labels[]*",
        ),
        _row(
            f"LIST_OBJECT_ASSOCIATIONS GET {_LINK} query objectType* objectId* toObjectType*",
            "limit# after",
        ),
        _row(
            "READ_ASSOCIATIONS_BATCH POST",
            "/crm/v4/associations/{fromObjectType}/{toObjectType}/batch/read",
            "body fromObjectType* toObjectType* inputs[]*",
        ),
        _row(
            "LIST_ASSOCIATION_TYPES GET",
            "/crm/v4/associations/{fromObjectType}/{toObjectType}/labels",
            "query fromObjectType* toObjectType*",
        ),
        _row(
            f"REMOVE_ASSOCIATION DELETE {_LINK}/{{toObjectId}} query objectType* objectId*",
            "toObjectType* toObjectId*",
        ),
        _row(
            "READ_ALL_PROPERTIES_FOR_OBJECT_TYPE GET /crm/v3/properties/{objectType} query",
            "objectType* archived?",
        ),
        _row(
            "READ_A_CRM_PROPERTY_BY_NAME GET /crm/v3/properties/{objectType}/{propertyName} query",
            "objectType* propertyName* archived?",
        ),
        _row(
            "CREATE_PROPERTY_FOR_SPECIFIED_OBJECT_TYPE POST /crm/v3/properties/{objectType} body",
            "objectType*",
            _PROPERTY,
        ),
        _row(
            "RETRIEVE_ALL_PIPELINES_FOR_SPECIFIED_OBJECT_TYPE GET",
            "/crm/v3/pipelines/{objectType} query objectType*",
        ),
        _row(
            "RETRIEVE_PIPELINE_STAGES GET",
            "/crm/v3/pipelines/{objectType}/{pipelineId}/stages query objectType* pipelineId*",
        ),
        "RETRIEVE_OWNERS GET /crm/v3/owners query limit# after archived?",
        "GET_ACCOUNT_INFO GET /account-info/v3/details query",
    ]
)

_ACCOUNT_FIELDS = """type phone fax website industry parent_id description annual_revenue%
    number_of_employees# billing_street billing_city billing_state billing_postal_code
    billing_country custom_fields{}"""
_CONTACT_FIELDS = """first_name email phone mobile_phone title department account_id lead_source
    custom_fields{}"""
_OPPORTUNITY_FIELDS = """amount% account_id type next_step probability% lead_source description
    pricebook2_id custom_fields{}"""
_ROW = "/sobjects/{sobject_api_name}/{record_id}"

SALESFORCE = "\n".join(
    [
        _row("CREATE_ACCOUNT POST /sobjects/Account pascal name*", _ACCOUNT_FIELDS),
        "GET_ACCOUNT GET /sobjects/Account/{account_id} query account_id* fields",
        _row(
            "UPDATE_ACCOUNT PATCH /sobjects/Account/{account_id} pascal account_id* name",
            _ACCOUNT_FIELDS,
        ),
        "DELETE_ACCOUNT DELETE /sobjects/Account/{account_id} query account_id*",
        "SEARCH_ACCOUNTS GET /query like:Account name website phone type industry fields limit#",
        "LIST_ACCOUNTS GET /query query query>q",
        _row("CREATE_CONTACT POST /sobjects/Contact pascal last_name*", _CONTACT_FIELDS),
        "GET_CONTACT GET /sobjects/Contact/{contact_id} query contact_id* fields",
        # In this path the key is not a field of the record.
        _row(
            "UPDATE_CONTACT PATCH /sobjects/Contact/{contact_id} pascal contact_id* last_name",
            _CONTACT_FIELDS,
        ),
        "SEARCH_CONTACTS GET /query like:Contact name email phone title fields limit#",
        "LIST_CONTACTS GET /query query query>q",
        _row(
            "CREATE_OPPORTUNITY POST /sobjects/Opportunity pascal name* stage_name* close_date*",
            _OPPORTUNITY_FIELDS,
        ),
        "GET_OPPORTUNITY GET /sobjects/Opportunity/{opportunity_id} query opportunity_id* fields",
        _row(
            "UPDATE_OPPORTUNITY PATCH /sobjects/Opportunity/{opportunity_id} pascal",
            "opportunity_id* name stage_name close_date",
            _OPPORTUNITY_FIELDS,
        ),
        "SEARCH_OPPORTUNITIES GET /query like:Opportunity name stage_name fields limit#",
        "DELETE_OPPORTUNITY DELETE /sobjects/Opportunity/{opportunity_id} query opportunity_id*",
        "RUN_SOQL_QUERY GET /query query query*>q",
        "QUERY_ALL GET /queryAll query query*>q",
        "QUERY_MORE GET {next_records_url} absolute next_records_url*",
        "TOOLING_QUERY GET /tooling/query query query*>q",
        "CREATE_S_OBJECT_RECORD POST /sobjects/{sobject_type} fields sobject_type* fields{}*",
        f"GET_S_OBJECT_RECORD GET {_ROW} query sobject_api_name* record_id* fields",
        f"SOBJECT_ROWS_UPDATE PATCH {_ROW} fields sobject_api_name* record_id* fields{{}}*",
        "DELETE_SOBJECT DELETE /sobjects/{sobject_name}/{id} query sobject_name* id*",
        _row(
            "UPSERT_SOBJECT_BY_EXTERNAL_ID PATCH /sobjects/{sobject}/{field_name}/{field_value}",
            "fields sobject* field_name* field_value* fields{}* update_only?",
        ),
        _row(
            "GET_SOBJECT_BY_EXTERNAL_ID GET /sobjects/{sobject}/{field_name}/{field_value}",
            "query sobject* field_name* field_value* fields",
        ),
        "POST_COMPOSITE_SOBJECTS POST /composite/sobjects body records[]* all_or_none?>allOrNone",
        _row(
            "PATCH_COMPOSITE_SOBJECTS PATCH",
            "/composite/sobjects/{sobject_name}/{external_id_field_name}",
            "body sobject_name* external_id_field_name* records[]* all_or_none?>allOrNone",
        ),
        _row(
            "GET_COMPOSITE_SOBJECTS POST /composite/sobjects/{sobject_name} body sobject_name*",
            "ids[]* fields[]*",
        ),
        "GET_S_OBJECTS_UPDATED GET /sobjects/{sobject}/updated/ query sobject* start* end*",
        "GET_ALL_FIELDS_FOR_OBJECT GET /sobjects/{object_name}/describe query object_name*",
        "GET_ORG_LIMITS GET /limits query",
        "GET_RECORD_COUNTS GET /limits/recordCount query sobjects*>sObjects",
    ]
)
