"""What an audit event says, in one short sentence for a person. The whole body is `--body`.

Nothing is decided here: a body that lacks what a sentence needs (it was erased) says less.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from quotey.cli.money import shown_total
from quotey.contract.counting import counted
from quotey.contract.journal import AuditEvent
from quotey.contract.moments import moment_text

Body = dict[str, object]
LONGEST = 160


def told(event: AuditEvent) -> str | None:
    """Say what an event did; None when its body is empty or of a kind that has no words.

    >>> told(AuditEvent(kind="record.gone", at=None, actor="", correlation_id="", body={
    ...     "crm_ref": "D-1", "merged_into": None}))
    'deleted in the CRM (D-1)'
    """
    words = _WORDS.get(event.kind) or _FAMILIES.get(event.kind.partition(".")[0])
    if words is None or not event.body:
        return None
    text = words(event.body)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _text(body: Body, *names: str) -> str:
    """Give the first of these that is there."""
    return next((str(body[name]) for name in names if body.get(name) not in (None, "")), "")


def _part(body: Body, name: str) -> Body:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _quoted(value: object) -> str:
    return "nothing" if value is None else f"'{value}'"


# --- records --------------------------------------------------------------------------------------


def _created(body: Body) -> str:
    return _joined("first seen as", _quoted(_part(body, "values").get("name")), _crm(body))


def _updated(body: Body) -> str:
    """Say each field with its rule; the moments and values are in the whole body."""
    fields = _part(body, "fields")
    said = (_field(name, _part(fields, name)) for name in fields)
    return f"{_joined('; '.join(said), _crm(body))}"


def _field(name: str, one: Body) -> str:
    before, after, loser = one.get("local"), one.get("winner"), one.get("loser")
    kept = (
        f"{_quoted(after)} stands" if before == after else f"{_quoted(before)} -> {_quoted(after)}"
    )
    lost = f", {_quoted(loser)} lost" if "loser" in one else ""
    return f"{name} {kept}{lost} ({one.get('rule')})"


def _gone(body: Body) -> str:
    survivor = body.get("merged_into")
    what = f"merged into {survivor}" if survivor else "deleted in the CRM"
    return _joined(what, f"({body.get('crm_ref')})")


def _crm(body: Body) -> str:
    return f"(crm {body['crm_ref']})" if body.get("crm_ref") else ""


def _edited(body: Body) -> str:
    before, after = _part(body, "before"), _part(body, "after")
    changed = [
        f"{name} {_quoted(before.get(name))} -> {_quoted(value)}" if before else f"{name} {value!r}"
        for name, value in after.items()
        if not before or before.get(name) != value
    ]
    return _joined("; ".join(changed), _queued(body))


def _queued(body: Body) -> str:
    return f"[{body['operation']}]" if body.get("operation") else ""


# --- quotes ---------------------------------------------------------------------------------------


def _quote(body: Body) -> str:
    after = _part(body, "after")
    if not after:
        return _text(body, "why", "deal_id")
    total = _money(after.get("total"), after.get("currency"))
    version = f"version {after['version']}:" if "version" in after else ""
    status = str(after.get("status") or "")
    by = f"approved by {after['approver']}" if after.get("approver") else ""
    return _joined(version, ", ".join(part for part in (status, total, by) if part), _queued(body))


def _money(total: object, currency: object) -> str:
    try:
        return "" if total is None else shown_total(Decimal(str(total)), str(currency or ""))
    except InvalidOperation:
        return str(total)


# --- what waits for a person ----------------------------------------------------------------------


def _item(body: Body) -> str:
    head = _joined(_text(body, "item"), _text(body, "conflict_type"))
    why = _text(body, "sentence", "resolution", "detail", "why")
    return f"{head}: {why}" if why else head


def _deferred(body: Body) -> str:
    until = moment_text(_text(body, "until"))
    return f"{_text(body, 'item')} {_text(body, 'conflict_type')}: waits until {until}"


def _undone(body: Body) -> str:
    if not body.get("field") or body.get("before") == body.get("after"):
        return f"{_text(body, 'item')}: open again"
    return f"{_text(body, 'item')}: {_quoted(body.get('after'))} stands again, open again"


def _lock(body: Body) -> str:
    lock = _part(body, "after") or _part(body, "before")
    until = f"until {moment_text(str(lock['until']))}" if lock.get("until") else ""
    reason = f"({lock['reason']})" if lock.get("reason") else ""
    return _joined(_text(body, "field"), until, reason)


# --- operations, runs, connections ----------------------------------------------------------------


def _operation(body: Body) -> str:
    kind = _text(body, "kind_of_operation", "operation_kind")
    version = f"version {body['version']}" if kind == "write_quote" and "version" in body else ""
    fields = ", ".join(_part(body, "payload")) if kind != "write_quote" else ""
    head = _joined(_text(body, "operation"), kind, version, f"({fields})" if fields else "")
    why = _text(body, "message", "why", "reason")
    return f"{head}: {why}" if why else head


def _released(body: Body) -> str:
    many = body.get("released")
    return counted(many, "operation") if isinstance(many, int) else ""


def _connection(body: Body) -> str:
    until = f"until {moment_text(_text(body, 'until'))}" if body.get("until") else ""
    held = body.get("held")
    held_words = f"{counted(held, 'operation')} held" if isinstance(held, int) and held else ""
    released = f"{_released(body)} released" if "released" in body else ""
    said = (_text(body, "reason", "message"), until, held_words, released)
    return "; ".join(part for part in said if part)


def _run(body: Body) -> str:
    died = f"run {body['died']} died" if body.get("died") else ""
    said = (_text(body, "error_class"), died, _text(body, "message", "why"))
    return ": ".join(part for part in said if part) or _text(body, "direction")


def _vanished(body: Body) -> str:
    refs = body.get("crm_refs")
    return f"no longer in the CRM: {', '.join(map(str, refs))}" if isinstance(refs, list) else ""


_WORDS: dict[str, Callable[[Body], str]] = {
    "record.created": _created,
    "record.updated": _updated,
    "record.gone": _gone,
    "reconciliation.deferred": _deferred,
    "reconciliation.undone": _undone,
    "operations.released": lambda body: f"{_released(body)} released",
    "quarantine.vanished": _vanished,
}


def _restored(body: Body) -> str:
    return _joined("from", _text(body, "source"), "as", _text(body, "instance"))


def _alarm(body: Body) -> str:
    problems = body.get("problems")
    return " ".join(map(str, problems)) if isinstance(problems, list) else ""


_FAMILIES: dict[str, Callable[[Body], str]] = {
    "deal": _edited,
    "account": _edited,
    "quote": _quote,
    "reconciliation": _item,
    "lock": _lock,
    "operation": _operation,
    "connection": _connection,
    "database": _restored,
    "sync": _run,
    "audit": lambda body: _text(body, "reason", "why") or _alarm(body),
}
"""How each kind is said; a kind of its own comes before its family's."""
