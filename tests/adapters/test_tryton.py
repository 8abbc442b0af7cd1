"""What the Tryton adapter makes of answers; the server itself judges it in tests/e2e."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import msgspec
import pytest

from quotey.adapters.tryton import PROVIDER, TrytonSettings, shipped_mapping
from quotey.adapters.tryton.adapter import TrytonAdapter, open_adapter
from quotey.adapters.tryton.lookups import like
from quotey.adapters.tryton.marks import MOST, created, marked, marks_of, updated
from quotey.adapters.tryton.pages import Cursor, Pages, Place, read_cursor
from quotey.adapters.tryton.rpc import Rpc
from quotey.adapters.tryton.shape import id_of, record_of, shape_of
from quotey.adapters.tryton.sight import Sight
from quotey.adapters.tryton.slot import read_slot, sale_texts, slot_of
from quotey.adapters.tryton.values import at_microseconds, from_wire, microseconds, to_wire
from quotey.contract.adapter import INVALID_CURSOR
from quotey.contract.dto import MarkerState
from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.secret import Secret
from quotey.testing.world import CALL, refusal
from tests.wire.server import Server, answering, plain

MAPPING = parse_mapping(shipped_mapping(), name="tryton.toml")
AT = datetime(2026, 1, 15, 12, 0, 0, 7, tzinfo=UTC)
LOGIN, PREFERENCES = {"result": [7, "token"]}, {"result": {"company": 1, "employee": 2}}
PASSWORD = "hunter2-of-the-test"


def answer(body: object, *headers: str, status: str = "200 OK") -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return plain(text, "connection: close", *headers, status=status)


@contextmanager
def adapter_hearing(*answers: bytes) -> Iterator[tuple[TrytonAdapter, Server]]:
    """Open an adapter whose server gives these answers in turn."""
    left = list(answers)
    with answering(lambda line: line.sendall(left.pop(0))) as server:
        parts = urlsplit(server.url)
        settings = TrytonSettings(
            base_url=f"{parts.scheme}://{parts.netloc}",
            database="demo",
            user="quotey",
            password=Secret(PASSWORD),
            loopback=True,
        )
        with closing(open_adapter(settings, MAPPING, "main")) as adapter:
            yield adapter, server


def called(server: Server) -> list[str]:
    """Give the methods that were asked for."""
    return [json.loads(one.partition(b"\r\n\r\n")[2])["method"] for one in server.heard]


def reading(adapter: TrytonAdapter) -> object:
    return adapter.get_deal("5", call=CALL)


def pressing(adapter: TrytonAdapter) -> object:
    """Send something that changes the server."""
    return adapter._rpc.call("sale.sale", "quote", [1], call=CALL)


READ, WRITE = reading, pressing
Act = Callable[[TrytonAdapter], object]


@pytest.mark.parametrize(
    ("act", "told", "error_class", "outcome"),
    [
        (READ, answer(b"", status="500 Oops"), ErrorClass.TRANSIENT, Outcome.NOT_APPLIED),
        (WRITE, answer(b"", status="502 Bad"), ErrorClass.UNKNOWN, Outcome.UNKNOWN),
        (WRITE, b"", ErrorClass.UNKNOWN, Outcome.UNKNOWN),
        (READ, b"", ErrorClass.TRANSIENT, Outcome.NOT_APPLIED),
        (WRITE, answer(b"<html>"), ErrorClass.UNKNOWN, Outcome.UNKNOWN),
        (WRITE, answer({"id": 1}), ErrorClass.UNKNOWN, Outcome.UNKNOWN),
        (WRITE, answer(b"", status="404 None"), ErrorClass.PERMANENT, Outcome.NOT_APPLIED),
        (WRITE, answer(b"", status="302 There"), ErrorClass.PERMANENT, Outcome.NOT_APPLIED),
        (WRITE, answer(b"", status="501 Never"), ErrorClass.PERMANENT, Outcome.NOT_APPLIED),
        (WRITE, answer(b"", status="505 Never"), ErrorClass.PERMANENT, Outcome.NOT_APPLIED),
        (WRITE, answer(b"", status="425 Early"), ErrorClass.TRANSIENT, Outcome.NOT_APPLIED),
        (WRITE, answer(b"", status="408 Slow"), ErrorClass.UNKNOWN, Outcome.UNKNOWN),
        (WRITE, answer(b'{"result":1,"result":2}'), ErrorClass.UNKNOWN, Outcome.UNKNOWN),
        (READ, answer(b"", status="403 Forbidden"), ErrorClass.AUTH, Outcome.NOT_APPLIED),
        (
            WRITE,
            answer({"error": ["ConcurrencyException", "Records were modified"]}),
            *(ErrorClass.CONFLICT, Outcome.NOT_APPLIED),
        ),
        (
            WRITE,
            answer({"error": ["UserError", ["You are not allowed", "", None]]}),
            *(ErrorClass.PERMANENT, Outcome.NOT_APPLIED),
        ),
        (
            WRITE,
            answer({"error": ["UserWarning", ["name", "Are you sure?", ""]]}),
            *(ErrorClass.PERMANENT, Outcome.NOT_APPLIED),
        ),
        (
            WRITE,
            answer({"error": ["database is locked", "Traceback secret-of-the-trace"]}),
            *(ErrorClass.TRANSIENT, Outcome.NOT_APPLIED),
        ),
    ],
)
def test_every_answer_has_a_class_and_what_is_known_of_the_effect(
    act: Act, told: bytes, error_class: ErrorClass, outcome: Outcome
) -> None:
    with adapter_hearing(answer(LOGIN), answer(PREFERENCES), told) as (adapter, server):
        failure = refusal(lambda: act(adapter))
        assert (failure.error_class, failure.outcome) == (error_class, outcome)
        assert "secret-of-the-trace" not in str(failure)
        assert len(server.heard) == 3, "nothing is repeated"


def test_a_rate_limit_tells_the_delay() -> None:
    limited = answer(b"", "retry-after: 7", status="429 Slow down")
    with adapter_hearing(limited) as (adapter, _):
        failure = refusal(lambda: reading(adapter))
        assert failure.error_class is ErrorClass.RATE_LIMIT
        assert failure.retry_after == timedelta(seconds=7)


def test_a_session_is_renewed_once_and_then_the_user_is_not_let_in() -> None:
    gone = answer(b"", status="401 Gone")
    renewed = (answer(LOGIN), answer(PREFERENCES))
    with adapter_hearing(*renewed, gone, *renewed, gone) as (adapter, server):
        failure = refusal(lambda: pressing(adapter))
        assert (failure.error_class, failure.outcome) == (ErrorClass.AUTH, Outcome.NOT_APPLIED)
        assert called(server).count("model.sale.sale.quote") == 2
        assert PASSWORD not in str(failure)


@pytest.mark.parametrize(
    ("login", "error_class"),
    [
        (answer(b"", status="500 Oops"), ErrorClass.TRANSIENT),
        (answer(b"", status="503 Busy"), ErrorClass.TRANSIENT),
        (answer(b"", "retry-after: 7", status="429 Slow down"), ErrorClass.RATE_LIMIT),
        (answer({"result": None}), ErrorClass.AUTH),
        (answer(b"", status="401 No"), ErrorClass.AUTH),
    ],
)
def test_a_renewal_that_fails_for_the_moment_is_tried_again_and_a_refused_one_is_not(
    login: bytes, error_class: ErrorClass
) -> None:
    gone = answer(b"", status="401 Gone")
    renewed = (answer(LOGIN), answer(PREFERENCES))
    with adapter_hearing(*renewed, gone, login) as (adapter, server):
        failure = refusal(lambda: pressing(adapter))
        assert (failure.error_class, failure.outcome) == (error_class, Outcome.NOT_APPLIED)
        assert called(server).count("common.db.login") == 2, "no repetition of its own"
        assert called(server).count("model.sale.sale.quote") == 1


def test_company_and_employee_go_with_every_call() -> None:
    done = answer({"result": []})
    with adapter_hearing(answer(LOGIN), answer(PREFERENCES), done) as (adapter, server):
        assert reading(adapter) is None
        sent = json.loads(server.heard[-1].partition(b"\r\n\r\n")[2])
        assert sent["params"][-1] == {"company": 1, "employee": 2}


def test_a_page_that_is_not_further_on_is_refused_instead_of_read_for_ever() -> None:
    same = {"id": 3, "last_modified_at": to_wire(AT)}
    cursor = msgspec.json.encode(Cursor(lane="main", place=Place(microseconds(AT), 3))).decode()
    pages = (answer(LOGIN), answer(PREFERENCES), answer({"result": [same]}))
    with adapter_hearing(*pages) as (adapter, _):
        failure = refusal(lambda: adapter.sync_incremental(Entity.DEAL, cursor, limit=1, call=CALL))
        assert failure.error_class is ErrorClass.TRANSIENT


@pytest.mark.parametrize(
    "text",
    ["x", "{}x", '{"format":2}', '{"lane":"up"}', '{"high":[1]}', f'{{"high":{{"at":{10**30}}}}}'],
)
def test_a_cursor_of_somebody_else_is_refused(text: str) -> None:
    with pytest.raises(RemoteFailure) as refused:
        read_cursor(text)
    assert refused.value.error_class is ErrorClass.PERMANENT
    assert [one.code for one in refused.value.diagnostics] == [INVALID_CURSOR]


def test_a_run_steps_back_by_the_overlap_and_the_cursor_does_not() -> None:
    settings = TrytonSettings(base_url="x", database="x", user="x", password=Secret("x"))
    rpc = Rpc(settings)
    pages = Pages(rpc, Sight(rpc), settings, "tryton")
    rest = msgspec.json.encode(Cursor(high=Place(at=400_000_000, id=9))).decode()
    begun = pages._begin(shape_of(MAPPING, Entity.DEAL), rest, CALL)
    assert begun.place == Place(at=100_000_000, id=0)
    assert begun.high == Place(at=400_000_000, id=9)


@pytest.mark.parametrize(
    "value",
    [Decimal("1.10"), date(2026, 5, 31), AT, "text", 3, None, [Decimal(1)], {"a": AT}],
)
def test_values_come_back_as_they_went(value: object) -> None:
    assert from_wire(to_wire(value)) == value


@pytest.mark.parametrize(
    "raw",
    [
        {"__class__": "Decimal", "decimal": "NaN"},
        {"__class__": "Decimal", "decimal": "ten"},
        {"__class__": "Decimal"},
        {"__class__": "date", "year": 2026, "month": 13, "day": 1},
    ],
)
def test_a_malformed_value_is_told_as_one(raw: object) -> None:
    with pytest.raises(ValueError, match=r"malformed|month"):
        from_wire(raw)


def test_moments_keep_their_microseconds() -> None:
    assert at_microseconds(microseconds(AT)) == AT


def test_marks_keep_the_create_and_the_newest_updates() -> None:
    text = marked("PO 7", created("first"))
    for number in range(MOST + 3):
        text = marked(text, updated(str(number)))
    marks = marks_of(text)
    assert text.startswith("PO 7 [quotey ")
    assert created("first") in marks
    assert updated(str(MOST + 2)) in marks
    assert updated("0") not in marks
    assert len(marks) == MOST + 1


def test_a_marker_is_read_from_a_sale_and_all_else_is_foreign() -> None:
    slot = slot_of(MAPPING)
    fields: dict[str, object] = {"reference": "q_1", "description": 3, "comment.status": "sent"}
    fields |= {slot.instance: "inst", slot.digest: "d" * 64}
    sale = {"id": 1, **sale_texts(fields)}
    found = read_slot(sale, slot)
    assert found.marker is not None
    assert (found.marker.quote_id, found.marker.version) == ("q_1", 3)
    for name, text in (("description", "3"), ("comment", ""), ("comment", None)):
        other = read_slot({**sale, name: text}, slot)
        assert other.state is MarkerState.FOREIGN
        assert other.token != found.token


def test_a_deactivated_party_is_gone_and_a_site_that_is_not_used_is_none() -> None:
    shape = shape_of(MAPPING, Entity.ACCOUNT)
    old = {"type": "website", "value": "https://old.example", "active": False}
    late = {**old, "value": "https://new.example", "active": True}
    late["last_modified_at"] = AT + timedelta(seconds=1)
    party = {"id": 4, "active": True, "name": "Acme", "last_modified_at": AT}
    party["contact_mechanisms"] = [old, late]
    record = record_of(party, shape)
    assert b"new.example" in record.payload
    assert record.source_ts == AT + timedelta(seconds=1)
    assert record_of({**party, "active": False}, shape).deleted


def test_ids_and_patterns_are_what_tryton_takes() -> None:
    assert [id_of(text) for text in ("12", "012", "-1", "x", "", "٣", "9" * 19)] == [12] + 6 * [
        None
    ]
    assert like("50%_off") == "%50\\%\\_off%"


def test_the_password_is_not_shown() -> None:
    assert PROVIDER.settings is TrytonSettings
    settings = TrytonSettings(base_url="x", database="x", user="x", password=Secret(PASSWORD))
    assert PASSWORD not in repr(settings)
