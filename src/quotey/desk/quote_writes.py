"""How a quote is written down: rows, outbox operation and audit event, together or not at all.

What may be asked of a quote is checked elsewhere (`quotes`, `quote_checks`); every function here
runs inside the caller's transaction.
"""

from __future__ import annotations

import msgspec

from quotey.contract.dto import Canonical
from quotey.contract.fields import Entity, FieldType
from quotey.contract.identity import payload_digest, quote_key
from quotey.contract.journal import Operation, OpKind, OpState
from quotey.contract.mapping import QuoteTarget
from quotey.contract.quote import Quote, QuoteVersion
from quotey.contract.values import canonical
from quotey.desk.dropping import MANY
from quotey.desk.ports import DeskPorts, audit, readable_mapping
from quotey.desk.record_writes import enqueue


class QuoteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a quote command did.

    `operation_id` is the queued write, None when nothing goes out; `superseded` are queued writes
    that it made needless; `closed_items` are reconciliations that it settled. `changed` is False
    when the command had been carried out before and this is its old answer.
    """

    quote: Quote
    changed: bool = True
    operation_id: str | None = None
    superseded: tuple[str, ...] = ()
    closed_items: tuple[str, ...] = ()


def summary(deal_id: str, version: QuoteVersion) -> Canonical:
    """Give what leaves the house: price trace, lines, approver and note stay (seed 4.2)."""
    attached = version.attachment_ref is not None
    return {
        "id": version.quote_id,
        "deal_id": deal_id,
        "version": str(version.version),
        "status": str(version.status),
        "total": canonical(version.total, FieldType.MONEY),
        "currency": version.currency,
        "valid_until": version.valid_until,
        "attachment_ref": version.attachment_ref,
        "attachment_sha256": version.attachment_sha256 if attached else None,
        "attachment_bytes": str(version.attachment_bytes) if attached else None,
    }


def write_key(desk: DeskPorts, version: QuoteVersion) -> str:
    """Give the idempotency key of writing this version; the same for ever."""
    return quote_key(desk.store.instance_id, version.quote_id, version.version)


def own_slot(desk: DeskPorts, quote: Quote) -> bool:
    """Whether each quote of a deal has a place of its own in the CRM."""
    return readable_mapping(desk, quote.connection).quote_target == QuoteTarget.QUOTE_RECORD


def send(desk: DeskPorts, quote: Quote, replaces: str | None, *, in_hand: str = "") -> QuoteAnswer:
    """Queue the write of a quote's newest version, when it goes out at all.

    What it supersedes was allowed to replace something that the CRM still holds, so the permission
    passes on. The item `in_hand` is left to whoever is settling it.
    """
    if not (quote.published or own_slot(desk, quote)):
        return QuoteAnswer(quote=quote)
    op = _write(desk, quote, replaces or _unused_permission(desk, quote))
    queued = enqueue(desk, op, in_hand=in_hand)
    return QuoteAnswer(
        quote=quote,
        operation_id=queued.id,
        superseded=queued.superseded,
        closed_items=queued.closed_items,
    )


def _write(desk: DeskPorts, quote: Quote, replaces: str | None) -> Operation:
    payload, now = summary(quote.deal_id, quote.current), desk.now()
    return Operation(
        id=desk.ids("op"),
        connection=quote.connection,
        lane=f"{Entity.DEAL}/{quote.deal_id}",
        kind=OpKind.WRITE_QUOTE,
        entity=Entity.QUOTE,
        entity_id=quote.id,
        version=quote.current.version,
        key=write_key(desk, quote.current),
        payload=payload,
        digest=payload_digest(payload),
        created_at=now,
        due_at=now,
        replaces=replaces,
        actor=desk.actor,
        correlation_id=desk.correlation_id,
    )


def missed(desk: DeskPorts, quote: Quote) -> bool:
    """Whether the last write of this quote ended without arriving, so that it may be repeated."""
    last = last_write(desk, quote)
    return last is not None and last.state in (OpState.CONFLICT, OpState.DEAD, OpState.DISCARDED)


def last_write(desk: DeskPorts, quote: Quote) -> Operation | None:
    """Give the newest operation of a quote, whatever became of it."""
    writes = desk.store.outbox.list(
        quote.connection, entity=Entity.QUOTE, entity_id=quote.id, limit=MANY
    )
    return writes[-1] if writes else None


def _unused_permission(desk: DeskPorts, quote: Quote) -> str | None:
    """Give what this quote's last write was allowed to replace, if that write never arrived."""
    last = last_write(desk, quote)
    return last.replaces if last and last.state != OpState.DELIVERED else None


def note_quote(
    desk: DeskPorts, kind: str, quote: Quote, before: QuoteVersion | None, **more: object
) -> None:
    """Audit what a command did to a quote: the version before and the version after."""
    body: dict[str, object] = {
        "before": msgspec.to_builtins(before),
        "after": msgspec.to_builtins(quote.current),
        "deal_id": quote.deal_id,
        **more,
    }
    audit(
        desk,
        kind,
        connection=quote.connection,
        entity=Entity.QUOTE,
        entity_id=quote.id,
        body=body,
    )


def add_version(
    desk: DeskPorts,
    quote: Quote,
    after: QuoteVersion,
    kind: str,
    *,
    replaces: str | None = None,
    in_hand: str = "",
    **more: object,
) -> QuoteAnswer:
    """Store a further version, queue its write, audit it."""
    before, quote = quote.current, msgspec.structs.replace(quote, current=after)
    desk.store.quotes.add_version(after)
    answer = send(desk, quote, replaces, in_hand=in_hand)
    note_quote(desk, kind, quote, before, operation=answer.operation_id, **more)
    return answer
