"""What a write must satisfy before anything is stored.

Source: crm-semantics.md 1H; every problem of a write is reported at once.
"""

from collections.abc import Mapping

from quotey.testing.simulators.hubspot.errors import Problem, contact_exists, invalid_values
from quotey.testing.simulators.hubspot.schema import LIFECYCLE, TYPES, Property
from quotey.testing.simulators.hubspot.store import Portal, Record
from quotey.testing.simulators.hubspot.values import kept, to_text

# A published quote may still be taken back to one of these (1H "Quotes").
_UNLOCKING = {"DRAFT", "PENDING_APPROVAL", "REJECTED"}
_PUBLISHED = {"APPROVAL_NOT_NEEDED", "APPROVED"}


def checked_create(portal: Portal, kind: str, incoming: Mapping[str, object]) -> dict[str, str]:
    """The values that a new record gets.

    Raises:
        HubSpotError: with all problems when one value is refused or a required one is missing.
    """
    values, problems = _values(portal, kind, incoming, None)
    for group in TYPES[kind].needs:
        if not any(to_text(incoming.get(name)) for name in group):
            why = f"At least one of these properties is required: {', '.join(group)}"
            problems.append(Problem(group[0], "MISSING_REQUIRED", why))
    if problems:
        raise invalid_values(portal.settings.portal_id, problems)
    _defaults(portal, kind, values)
    _refuse_taken_email(portal, kind, values, None)
    return values


def checked_update(
    portal: Portal, record: Record, incoming: Mapping[str, object]
) -> dict[str, str]:
    """The values that an existing record gets; blank clears.

    Raises:
        HubSpotError: with all problems when one value is refused.
    """
    values, problems = _values(portal, record.kind, incoming, record)
    problems += _locked(record, values)
    if problems:
        raise invalid_values(portal.settings.portal_id, problems)
    _keep_lifecycle(record, values)
    if values.get("hs_status") is not None and record.kind == "quotes":
        values["hs_locked"] = str(values["hs_status"] in _PUBLISHED).lower()
    _refuse_taken_email(portal, record.kind, values, record)
    return values


def _values(
    portal: Portal, kind: str, incoming: Mapping[str, object], record: Record | None
) -> tuple[dict[str, str], list[Problem]]:
    values: dict[str, str] = {}
    problems: list[Problem] = []
    for name, raw in incoming.items():
        text = to_text(raw)
        definition = portal.properties[kind].get(name)
        current = record.properties.get(name, "") if record else ""
        outcome = _value(definition, name, _appended(definition, current, text))
        if isinstance(outcome, Problem):
            problems.append(outcome)
        else:
            values[name] = outcome
    problems += _stage_problems(portal, kind, values, record)
    problems += _currency_problems(portal, kind, values)
    return values, problems


def _value(definition: Property | None, name: str, text: str) -> str | Problem:
    # 1H: unknown names are ignored on read, but an error on write.
    if definition is None or definition.archived:
        return Problem(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
    if not definition.writable:
        why = f'"{name}" is a read only property; its value cannot be set.'
        return Problem(name, "READ_ONLY_VALUE", why)
    return "" if text == "" else kept(definition, text)


def _appended(definition: Property | None, current: str, text: str) -> str:
    # 1H "enumeration": a leading semicolon adds to what a multiple choice holds.
    several = definition is not None and definition.field_type == "checkbox"
    if not several or not text.startswith(";"):
        return text
    held = [part for part in current.split(";") if part]
    return ";".join([*held, *(p for p in text.split(";") if p and p not in held)])


def _stage_problems(
    portal: Portal, kind: str, values: dict[str, str], record: Record | None
) -> list[Problem]:
    # 1H "Stages": ids, never labels; the stage must belong to the pipeline.
    pipelines = portal.pipelines.get(kind)
    if pipelines is None or not values.keys() & {"dealstage", "pipeline"}:
        return []
    current = record.properties if record else {}
    pipeline_id = values.get("pipeline") or current.get("pipeline") or pipelines[0].pipeline_id
    stage_id = values.get("dealstage") or current.get("dealstage") or ""
    pipeline = next((p for p in pipelines if p.pipeline_id == pipeline_id), None)
    if pipeline is None:
        return [Problem("pipeline", "INVALID_OPTION", f"{pipeline_id} is not a pipeline")]
    if not stage_id or pipeline.stage(stage_id):
        return []
    known = [stage.stage_id for stage in pipeline.stages]
    why = f"{stage_id} was not one of the allowed options: {known}"
    return [Problem("dealstage", "INVALID_OPTION", why)]


def _currency_problems(portal: Portal, kind: str, values: dict[str, str]) -> list[Problem]:
    # 1H: deal_currency_code must be one of the account's currencies.
    code = values.get("deal_currency_code")
    allowed = (portal.settings.company_currency, *portal.settings.additional_currencies)
    if kind != "deals" or not code or code in allowed:
        return []
    why = f"{code} was not one of the allowed options: {list(allowed)}"
    return [Problem("deal_currency_code", "INVALID_OPTION", why)]


def _locked(record: Record, values: Mapping[str, str]) -> list[Problem]:
    # 1H "Quotes": edits fail until the status goes back.
    if record.properties.get("hs_locked") != "true" or values.get("hs_status") in _UNLOCKING:
        return []
    why = "The quote is published and locked; set hs_status to DRAFT first."
    return [Problem(name, "READ_ONLY_VALUE", why) for name in values]


def _keep_lifecycle(record: Record, values: dict[str, str]) -> None:
    # 1H "lifecyclestage": forward only; a backward value is dropped without a word.
    wanted, current = values.get("lifecyclestage"), record.properties.get("lifecyclestage")
    ranked = wanted in LIFECYCLE and current in LIFECYCLE
    if ranked and LIFECYCLE.index(wanted or "") < LIFECYCLE.index(current or ""):
        del values["lifecyclestage"]


def _defaults(portal: Portal, kind: str, values: dict[str, str]) -> None:
    if kind == "deals":
        values.setdefault("pipeline", portal.pipelines["deals"][0].pipeline_id)
    if kind == "companies" and values.get("domain"):
        # real-crm.md section C: website is filled from domain.
        values.setdefault("website", values["domain"])
    if kind == "quotes":
        values.setdefault("hs_currency", portal.settings.company_currency)
        values["hs_locked"] = str(values.get("hs_status") in _PUBLISHED).lower()


def _refuse_taken_email(
    portal: Portal, kind: str, values: Mapping[str, str], record: Record | None
) -> None:
    # 3H: a contact's e-mail clashes with 409, not with the unique-property text.
    email = values.get("email")
    owner = portal.find_by("contacts", "email", email) if kind == "contacts" and email else None
    if owner is not None and owner is not record:
        raise contact_exists(owner.record_id)
