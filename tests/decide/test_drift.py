"""What a changed definition parks, holds and leaves out: laws over findings, and the corners."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quotey.contract.adapter import Tier
from quotey.contract.drift import (
    Definition,
    MappedProperty,
    Parked,
    Survey,
    Use,
    parked_fingerprint,
    schema_fingerprint,
)
from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Entity, Need
from quotey.contract.journal import OpKind
from quotey.contract.mapping import EntityMapping
from quotey.decide.drift import (
    changes,
    compare,
    held_by,
    item_of,
    left_out,
    not_read,
    parked_by,
    unconfirmed,
)
from quotey.decide.quarantine import missing_for, wait_for_fields
from tests.decide.build import NOW, field, later, remote

TEXT = Definition(type="text")
BREAKING = (
    "property_missing",
    "property_type",
    "property_read_only",
    "property_not_unique",
    "option_missing",
    "rule_missing",
)
HARMLESS = ("option_not_mapped", "currency", "api_version")


def finding(code: str, severity: Severity = Severity.ERROR) -> Diagnostic:
    return Diagnostic(code=code, severity=severity, message=f"It is {code}.", fix="Mend it.")


def prop(
    name: str = "stage",
    *codes: str,
    use: Use = Use.FIELD,
    entity: Entity = Entity.DEAL,
    lacking: tuple[str, ...] = (),
    written: bool = True,
) -> MappedProperty:
    return MappedProperty(
        entity=entity,
        object="deals",
        name=name,
        field=name,
        use=use,
        read=use is Use.FIELD,
        written=written,
        unique=use is Use.CREATE_KEY,
        definition=TEXT,
        findings=tuple(finding(code) for code in codes),
        lacking=lacking,
    )


def survey(*properties: MappedProperty) -> Survey:
    return Survey(properties=properties)


def park(*properties: MappedProperty) -> tuple[Parked, ...]:
    return parked_by(survey(*properties), (), (), connection="main", now=NOW)


def wire(**values: str) -> Callable[[str], str]:
    return lambda name: values.get(name, "")


USES = st.sampled_from(Use)
PROPERTIES = st.builds(
    lambda name, codes, use, entity, written: prop(
        name, *codes, use=use, entity=entity, written=written
    ),
    st.sampled_from(("stage", "amount", "name", "mark")),
    st.lists(st.sampled_from((*BREAKING, *HARMLESS)), max_size=3),
    USES,
    st.sampled_from((Entity.ACCOUNT, Entity.CONTACT, Entity.DEAL)),
    st.booleans(),
)
SURVEYS = st.lists(PROPERTIES, max_size=8).map(lambda found: survey(*found))


# --- laws -----------------------------------------------------------------------------------------


@given(SURVEYS)
def test_only_what_is_broken_is_parked_and_each_field_once(found: Survey) -> None:
    parked = parked_by(found, (), (), connection="main", now=NOW)
    keys = [(one.entity, one.field) for one in parked]
    broken = {
        (one.entity, one.field)
        for one in found.properties
        if any(bad.code in BREAKING for bad in one.findings)
    }
    assert len(keys) == len(set(keys))
    assert set(keys) <= broken
    assert all(one.inbound or one.outbound for one in parked)


@given(SURVEYS)
def test_a_property_that_is_only_written_is_never_parked_for_reading(found: Survey) -> None:
    for one in parked_by(found, (), (), connection="main", now=NOW):
        mine = [p for p in found.properties if (p.entity, p.field) == (one.entity, one.field)]
        assert not one.inbound or any(p.read for p in mine)
        assert not one.outbound or any(p.written for p in mine)


@given(SURVEYS, SURVEYS)
def test_what_is_compared_with_itself_is_no_difference_and_twice_is_once(
    first: Survey, second: Survey
) -> None:
    before = parked_by(first, (), (), connection="main", now=NOW)
    now = parked_by(second, first.properties, before, connection="main", now=later(60))
    again = parked_by(second, second.properties, now, connection="main", now=later(120))
    assert compare(now, again) == compare(now, now)
    assert compare(now, now).parked == compare(now, now).released == ()
    assert [one.since for one in again] == [one.since for one in now]


@given(SURVEYS)
def test_a_survey_without_findings_releases_everything(found: Survey) -> None:
    before = parked_by(found, (), (), connection="main", now=NOW)
    assert compare(before, ()).released == before


@given(SURVEYS, st.sampled_from(OpKind))
def test_an_update_is_only_held_for_its_mark_and_others_are_never_cut(
    found: Survey, kind: OpKind
) -> None:
    entity = Entity.ACCOUNT if kind is OpKind.UPDATE_ACCOUNT else Entity.DEAL
    parked = parked_by(found, (), (), connection="main", now=NOW)
    fields = ("stage", "amount", "name")
    held = held_by(parked, kind, entity, fields, wire())
    out = left_out(parked, entity, fields, wire())
    assert all(one.outbound and one.entity is entity for one in (*held, *out))
    assert {one.field for one in out} <= set(fields)
    if kind in (OpKind.UPDATE_DEAL, OpKind.UPDATE_ACCOUNT):
        assert all(one.use is Use.UPDATE_MARK for one in held)


@given(SURVEYS, st.sampled_from(Entity))
def test_what_is_not_read_are_fields_of_that_entity(found: Survey, entity: Entity) -> None:
    parked = parked_by(found, (), (), connection="main", now=NOW)
    names = not_read(parked, entity)
    assert names == {
        one.field for one in parked if one.inbound and one.use is Use.FIELD and one.entity is entity
    }
    assert (parked_fingerprint("f", names) == "f") == (not names)


@given(SURVEYS)
def test_a_crm_that_promises_nothing_is_never_refused(found: Survey) -> None:
    assert unconfirmed(Tier.SEARCH_ONLY, found) == ()
    assert set(unconfirmed(Tier.UNIQUE_KEY, found)) <= set(
        unconfirmed(Tier.CONDITIONAL_WRITE, found)
    )


# --- corners --------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", BREAKING)
def test_each_breaking_finding_parks_in_its_direction(code: str) -> None:
    [one] = park(prop("stage", code))
    assert one.outbound
    assert one.inbound == (code in ("property_missing", "property_type"))


@pytest.mark.parametrize("code", HARMLESS)
def test_what_breaks_no_field_parks_none(code: str) -> None:
    assert park(prop("stage", code)) == ()


def test_a_warning_parks_nothing() -> None:
    warned = replace(prop(), findings=(finding("option_missing", Severity.WARNING),))
    assert park(warned) == ()


def test_what_is_only_read_is_not_parked_for_what_cannot_be_written() -> None:
    assert park(prop("stage", "property_read_only", written=False)) == ()


def test_a_field_of_two_properties_is_parked_once_with_both_reasons() -> None:
    first = prop("name", "option_missing", lacking=("a",))
    second = replace(prop("name", "property_missing"), name="surname")
    [one] = park(first, second)
    assert one.why == "It is option_missing. It is property_missing."
    assert one.words == ()  # one of them is broken for every word
    [both] = park(first, replace(first, name="other", lacking=("a", "b")))
    assert both.words == ("a", "b")


def test_what_never_was_there_and_nobody_needs_has_not_drifted() -> None:
    missing = replace(prop("currency", "property_missing", written=False), definition=None)
    assert park(missing) == ()
    assert park(replace(missing, required=True)) != ()
    assert park(replace(missing, written=True)) != ()
    assert park(replace(missing, written=True, on_create=True)) == ()
    there = replace(missing, definition=TEXT, findings=())
    now = parked_by(survey(missing), (there,), (), connection="main", now=NOW)
    assert now
    assert parked_by(survey(missing), (missing,), now, connection="main", now=later(9)) == now


def test_what_it_was_is_told_and_kept_while_it_stays_parked() -> None:
    was = prop()
    gone = replace(prop("stage", "property_missing"), definition=None)
    [first] = parked_by(survey(gone), (was,), (), connection="main", now=NOW)
    assert first.was == "type text"
    [second] = parked_by(survey(gone), (gone,), (first,), connection="main", now=later(60))
    assert (second.was, second.since) == ("type text", NOW)
    [new] = parked_by(survey(gone), (), (), connection="main", now=NOW)
    assert new.was == ""


@pytest.mark.parametrize(
    ("before", "after", "released"),
    [
        ((True, True, ()), (False, True, ()), True),
        ((True, True, ()), (True, False, ()), True),
        ((False, True, ()), (True, True, ()), False),
        ((False, True, ()), (False, True, ("a",)), True),
        ((False, True, ("a", "b")), (False, True, ("a",)), True),
        ((False, True, ("a",)), (False, True, ("a", "b")), False),
        ((False, True, ("a",)), (False, True, ()), False),
    ],
)
def test_a_field_is_released_as_soon_as_something_of_it_flows_again(
    before: tuple[bool, bool, tuple[str, ...]],
    after: tuple[bool, bool, tuple[str, ...]],
    released: bool,
) -> None:
    [one] = park(prop("stage", "property_missing"))
    was = replace(one, inbound=before[0], outbound=before[1], words=before[2])
    is_ = replace(one, inbound=after[0], outbound=after[1], words=after[2])
    found = compare((was,), (is_,))
    assert bool(found.released) is released
    assert found.parked == (is_,)


def test_changes_are_told_once_and_not_of_what_is_seen_first() -> None:
    one = prop()
    other = replace(one, definition=Definition(type="number", writable=False, unique=True))
    assert changes((one,), (other, other)) == (
        "stage of deals was type text; now it is type number, read only, unique.",
    )
    assert changes((), (other,)) == ()
    assert changes((one,), (one,)) == ()


def test_a_fingerprint_hears_of_every_change_and_of_no_order() -> None:
    one, two = prop("stage"), prop("amount")
    assert schema_fingerprint((one, two)) == schema_fingerprint((two, one))
    gone = replace(one, definition=None)
    typed = replace(one, definition=Definition(type="number"))
    marks = {schema_fingerprint(found) for found in ((one, two), (gone, two), (typed, two))}
    assert len(marks) == 3


def test_the_item_is_of_the_entity_and_says_what_was() -> None:
    [one] = park(prop("stage", "property_missing"))
    draft = item_of(replace(one, was="type text"))
    assert (draft.entity_id, draft.field_name, draft.base_value) == ("*", "stage", "type text")
    assert draft.detail == one.sentence
    assert item_of(one).base_value is None
    assert item_of(one).key == item_of(one).key


@pytest.mark.parametrize(
    ("inbound", "outbound", "words", "said"),
    [
        (True, True, (), "deal.stage is neither read nor written: W F"),
        (True, False, (), "deal.stage is not read: W F"),
        (False, True, (), "deal.stage is not written: W F"),
        (False, True, ("a", "b"), "deal.stage is not written (a, b): W F"),
    ],
)
def test_a_parked_field_says_what_does_not_flow(
    inbound: bool,
    outbound: bool,
    words: tuple[str, ...],
    said: str,
) -> None:
    [one] = park(prop("stage", "property_missing"))
    told = replace(one, inbound=inbound, outbound=outbound, words=words, why="W", fix="F")
    assert told.sentence == said


def test_only_an_operation_that_sends_the_word_minds_it() -> None:
    parked = park(prop("stage", "option_missing", lacking=("Won",)))
    for kind, sent, stops in ((OpKind.CREATE_DEAL, "Won", 1), (OpKind.CREATE_DEAL, "Lost", 0)):
        assert len(held_by(parked, kind, Entity.DEAL, ("stage",), wire(stage=sent))) == stops
        assert len(left_out(parked, Entity.DEAL, ("stage",), wire(stage=sent))) == stops
    assert left_out(parked, Entity.DEAL, ("amount",), wire(stage="Won")) == ()
    assert left_out(parked, Entity.ACCOUNT, ("stage",), wire(stage="Won")) == ()


def test_a_quote_minds_its_slot_and_not_the_deals_fields() -> None:
    slot = replace(prop("status", "option_missing", use=Use.QUOTE), field="quote.status")
    parked = park(replace(slot, lacking=("sent",)), prop("amount", "property_missing"))
    fields = ("status", "total")
    held = held_by(parked, OpKind.WRITE_QUOTE, Entity.QUOTE, fields, wire(status="sent"))
    assert [one.path for one in held] == ["quote.status"]
    assert held_by(parked, OpKind.WRITE_QUOTE, Entity.QUOTE, fields, wire(status="draft")) == ()
    assert held_by(parked, OpKind.WRITE_QUOTE, Entity.QUOTE, (), wire()) != ()


def test_a_mark_of_one_entity_holds_no_update_of_another() -> None:
    parked = park(prop("mark", "property_missing", use=Use.UPDATE_MARK))
    assert held_by(parked, OpKind.UPDATE_DEAL, Entity.DEAL, ("name",), wire())
    assert not held_by(parked, OpKind.UPDATE_ACCOUNT, Entity.ACCOUNT, ("name",), wire())
    assert not held_by(parked, OpKind.CREATE_DEAL, Entity.DEAL, ("name",), wire())


@pytest.mark.parametrize(
    ("tier", "code", "use", "refused"),
    [
        (Tier.UNIQUE_KEY, "property_missing", Use.CREATE_KEY, True),
        (Tier.UNIQUE_KEY, "property_not_unique", Use.CREATE_KEY, True),
        (Tier.UNIQUE_KEY, "property_read_only", Use.CREATE_KEY, False),
        (Tier.UNIQUE_KEY, "property_missing", Use.FIELD, False),
        (Tier.UNIQUE_KEY, "rule_missing", Use.QUOTE, False),
        (Tier.CONDITIONAL_WRITE, "rule_missing", Use.QUOTE, True),
        (Tier.CONDITIONAL_WRITE, "property_missing", Use.CREATE_KEY, True),
    ],
)
def test_what_a_tier_promises_must_be_confirmed(
    tier: Tier,
    code: str,
    use: Use,
    refused: bool,
) -> None:
    assert bool(unconfirmed(tier, survey(prop("key", code, use=use)))) is refused


def test_a_new_record_waits_for_required_fields_only() -> None:
    required = replace(field("stage"), need=Need.REQUIRED)
    mapping = EntityMapping(entity=Entity.DEAL, object="deals", fields=(required, field("amount")))
    assert missing_for(mapping, {"stage", "amount"}) == ("stage",)
    assert missing_for(mapping, {"amount"}) == ()
    plan = wait_for_fields(remote(), Entity.DEAL, ("stage",))
    assert (plan.kind, plan.items, plan.record) == ("quarantine", (), None)
    assert [one.code for one in plan.diagnostics] == ["field_parked"]


# --- a parked field, whole ------------------------------------------------------------------------


def test_a_parked_field_says_of_what_connection_it_is_since_when_and_what_to_do() -> None:
    bad = prop("stage", "property_missing", "property_type", "currency")
    assert park(bad) == (
        Parked(
            connection="main",
            entity=Entity.DEAL,
            field="stage",
            use=Use.FIELD,
            inbound=True,
            outbound=True,
            why="It is property_missing. It is property_type.",
            fix="Mend it.",
            since=NOW,
        ),
    )


@pytest.mark.parametrize(
    ("codes", "words"), [(("option_missing",), ("won",)), (("option_missing", "property_type"), ())]
)
def test_only_words_are_parked_where_nothing_but_words_is_wrong(
    codes: tuple[str, ...], words: tuple[str, ...]
) -> None:
    (one,) = park(prop("stage", *codes, lacking=("won",)))
    assert one.words == words


def test_a_field_of_two_properties_has_the_troubles_of_both() -> None:
    read_only = replace(prop("first", "property_read_only"), field="name")
    words = replace(prop("last", "option_missing", lacking=("x",)), field="name")
    never_sent = replace(prop("last", "property_missing", written=False), field="name")
    (one,) = park(read_only, never_sent)
    assert (one.inbound, one.outbound) == (True, True)
    assert (one.why, one.fix) == ("It is property_read_only. It is property_missing.", "Mend it.")
    (other,) = park(never_sent, read_only)
    assert (other.inbound, other.outbound) == (True, True)
    (both,) = park(words, replace(words, name="other", lacking=("y", "x")))
    assert (both.words, both.inbound) == (("x", "y"), False)
    (whole,) = park(words, read_only)
    assert whole.words == ()


def test_fixes_of_two_properties_are_told_once_each() -> None:
    bad = finding("property_missing")
    one = replace(prop("first"), field="name", findings=(bad,))
    two = replace(one, name="last", findings=(replace(bad, fix="Map the other."),))
    assert [parked.fix for parked in park(one, two)] == ["Mend it. Map the other."]
    assert [parked.fix for parked in park(one, one)] == ["Mend it."]


def test_what_is_parked_first_is_new_and_what_stays_is_no_difference() -> None:
    (one,) = park(prop("stage", "option_missing", lacking=("won",)))
    assert compare((), (one,)).parked == (one,)
    assert compare((), (one,)).released == ()
    assert compare((one,), (one,)).parked == ()
    assert compare((one,), (one,)).released == ()
    fewer = replace(one, words=("lost",))
    assert compare((one,), (fewer,)).released == (one,)
    more = replace(one, words=("won", "lost"))
    assert (compare((one,), (more,)).parked, compare((one,), (more,)).released) == ((more,), ())
    whole = replace(one, words=())
    assert compare((whole,), (one,)).released == (whole,)


def test_only_records_fields_are_not_read() -> None:
    found = [prop("stage", "property_missing"), prop("mark", "property_missing", use=Use.QUOTE)]
    parked = [replace(one, inbound=True) for one in park(*found)]
    assert len(parked) == 2
    assert not_read(parked, Entity.DEAL) == {"stage"}
    assert not_read(parked, Entity.ACCOUNT) == frozenset()
