"""Mapping files: what is read, what is refused (all at once, with line and near match)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.adapters.composio import mappings
from quotey.contract.errors import ErrorClass, ExitCode, MappingError, RemoteFailure
from quotey.contract.fields import BY_PATH, Direction, Entity, FieldType, Need, Policy, Strategy
from quotey.contract.mapping import (
    BacklogEntry,
    Bucket,
    DateIn,
    DomainOf,
    Join,
    MoneyIn,
    OnBlank,
    QuoteTarget,
    ValueMap,
)
from quotey.contract.mapping_file import fingerprinted, parse_mapping, with_default_currency
from tests.contract.texts import MAPPING, added, changed, mapping_of, problem_of, problems_of


def test_a_right_file_is_read_whole() -> None:
    mapping = mapping_of()
    assert mapping.provider == "stub"
    assert mapping.default_currency == "EUR"
    assert mapping.clock_tolerance_seconds == 1
    assert mapping.source_priority == ("crm", "local")
    assert mapping.quote_target is QuoteTarget.DEAL_PROPERTIES
    assert mapping.backlog == (BacklogEntry("deal.owner", "users are not mirrored"),)
    account = mapping.entities[Entity.ACCOUNT]
    assert account.object == "companies"
    assert account.settings == {"page": "100", "archived": "false"}
    assert [field.name for field in account.fields] == ["id", "name", "domain", "segment"]


def test_contract_fields_take_type_need_direction_and_policy_from_the_dictionary() -> None:
    amount = mapping_of().entities[Entity.DEAL].field("amount")
    assert amount is not None
    assert amount.type is FieldType.MONEY
    assert amount.need is Need.RECOMMENDED
    assert amount.direction is Direction.BOTH
    assert amount.policy is Policy.MERGE_WITH_AUDIT
    assert amount.strategy is Strategy.NEWEST
    assert amount.flows_out
    stage = mapping_of().entities[Entity.DEAL].field("stage")
    assert stage is not None
    assert stage.sent_on_create
    assert not stage.flows_out
    assert mapping_of().entities[Entity.DEAL].field("nothing") is None


def test_own_fields_stand_beside_the_contract() -> None:
    rank = mapping_of().entities[Entity.DEAL].field("x_rank")
    assert rank is not None
    assert rank.custom
    assert rank.strategy is Strategy.MAX


@pytest.mark.parametrize(
    ("direction", "policy"),
    [("inbound", Policy.CRM_WINS), ("outbound", Policy.LOCAL_WINS)],
)
def test_an_own_field_of_one_direction_has_one_possible_winner(
    direction: str, policy: Policy
) -> None:
    table = "deal.fields.x_note"
    text = f'{MAPPING}\n[{table}]\npath = "note"\ntype = "text"\ndirection = "{direction}"\n'
    note = mapping_of(text).entities[Entity.DEAL].field("x_note")
    assert note is not None
    assert note.policy is policy


@pytest.mark.parametrize(
    ("lines", "transform"),
    [
        ('transform = { kind = "bucket", below = [[50, "s"], ["1.5e", "m"]], above = "l" }', None),
        (
            """direction = "inbound"
transform = { kind = "bucket", below = [[50, "s"], ["99.5", "m"]], above = "l" }""",
            Bucket(below=(("50", "s"), ("99.5", "m")), above="l"),
        ),
        (
            'transform = { kind = "value_map", otherwise = "keep", values = { a = "b" } }',
            ValueMap(values={"a": "b"}, otherwise="keep"),
        ),
        (
            'direction = "inbound"\ntransform = { kind = "join", paths = ["a", "b"] }',
            Join(paths=("a", "b")),
        ),
        ('transform = { kind = "none" }', None),
    ],
)
def test_a_transform_is_read(lines: str, transform: object) -> None:
    text = added("account.fields.segment", *lines.split("\n"))
    if "1.5e" in lines:
        assert {problem.code for problem in problems_of(text)} == {"bad_transform"}
        return
    segment = mapping_of(text).entities[Entity.ACCOUNT].field("segment")
    assert segment is not None
    assert segment.transform == transform


def test_dates_money_and_domains_have_transforms_too() -> None:
    text = added("deal.fields.amount", 'transform = { kind = "money", scale = -2 }')
    deal = mapping_of(text).entities[Entity.DEAL]
    assert [field.transform for field in deal.fields if field.name in ("amount", "close_date")] == [
        MoneyIn(scale=-2),
        DateIn(format="%d.%m.%Y"),
    ]
    domain = mapping_of().entities[Entity.ACCOUNT].field("domain")
    assert domain is not None
    assert domain.transform == DomainOf()


def test_quotes_may_have_records_of_their_own() -> None:
    text = added("quote", 'target = "quote_record"')
    assert mapping_of(text).quote_target is QuoteTarget.QUOTE_RECORD
    assert "target" not in mapping_of(text).entities[Entity.QUOTE].settings


def test_a_default_may_be_a_whole_number() -> None:
    rank = mapping_of(added("deal.fields.x_rank", "default = 3")).entities[Entity.DEAL].fields[-1]
    assert rank.default == "3"


# --- what is wrong -------------------------------------------------------------------------------

WRONG = [
    # (old, new, code, part of the message, part of the fix)
    ('provider = "stub"', "", "missing_key", "file needs 'provider'", "Write provider"),
    ('provider = "stub"', 'provider = ""', "missing_key", "must not be blank", "Write prov"),
    ('provider = "stub"', "provider = 3", "wrong_type", "must be a text in quotes, not 3", ""),
    ('"EUR"', '"EURO"', "unknown_currency", "'EURO' is not a current ISO 4217 code", ""),
    ("[account]", "clock_tolerance_seconds = -1\n[account]", "out_of_range", "0 to 3,600", ""),
    ("[account]", 'clock_tolerance_seconds = "1"\n[account]', "wrong_type", "whole number", ""),
    ("[account]", "clock_tolerance_seconds = true\n[account]", "wrong_type", "not True", ""),
    ("[account]", 'source_priority = ["crm"]\n[account]', "unknown_word", '["crm", "local"]', ""),
    ("[account]", 'defualt_currency = "EUR"\n[account]', "unknown_key", "", "'default_currency'"),
    ("page = 100", 'feilds = { a = "b" }', "unknown_key", "feilds", "Did you mean 'fields'?"),
    ("page = 100", "page = 99999999999999999999", "wrong_type", "must be a text", ""),
    ('path = "props.name"', 'pth = "props.name"', "unknown_key", "pth", "Did you mean 'path'?"),
    ('path = "props.name"', 'path = "props..name"', "bad_path", "empty part", ""),
    ("[deal.fields.stage]", "[deal.fields.stgae]", "unknown_field", "stgae", "'stage'"),
    ("[deal.fields.x_rank]", "[deal.fields.rank]", "unknown_field", "no contract field", "x_"),
    ("[deal.fields.x_rank]", "[deal.fields.x_Rank]", "unknown_field", "no contract field", "x_"),
    ('"integer"', '"number"', "unknown_word", "cannot be 'number'", "Known here: text"),
    ('type = "integer"\n', "", "missing_key", "needs a type", "One of: text"),
    ('policy = "merge_with_audit"\n', "", "missing_key", "needs a policy", ""),
    ('path = "title"', 'path = "title"\ntype = "money"', "impossible_type", "must be text", ""),
    ('path = "title"', 'path = "title"\nrequired = false', "impossible_need", "stay true", ""),
    ('path = "title"', 'path = "title"\nrequired = "no"', "wrong_type", "true or false", ""),
    ('path = "title"', 'path = "title"\ndirection = "outbound"', "impossible_direction", "", ""),
    ('path = "stage"', 'path = "stage"\ndirection = "both"', "impossible_direction", "", "inbound"),
    ('path = "q_id"', 'path = "q"\ndirection = "inbound"', "impossible_direction", "", "outb"),
    ('path = "title"', 'path = "title"\ndirection = "local"', "impossible_direction", "local", ""),
    ('path = "title"', 'path = "title"\npolicy = "crm_win"', "unknown_word", "'crm_win'", "wins'?"),
    ('path = "q_total"', 'path = "t"\npolicy = "crm_wins"', "impossible_policy", "crm_w", "local"),
    ('path = "stage"', 'path = "s"\npolicy = "local_wins"', "impossible_policy", "flow", "both"),
    ('path = "q_id"', 'path = "q"\npolicy = "local_wins"', "impossible_policy", "local_w", "immut"),
    ('path = "title"', 'path = "t"\nstrategy = "max"', "impossible_strategy", "has no order", ""),
    ('path = "amount"', 'path = "a"\nstrategy = "union"', "impossible_strategy", "not a text", ""),
    ('path = "stage"', 'path = "s"\nstrategy = "max"', "impossible_strategy", "only merge", ""),
    ('path = "amount"', 'path = "a"\nstrategy = "latest"', "unknown_word", "'latest'", ""),
    ('strategy = "max"\n', "", "impossible_strategy", "needs a strategy", ""),
    ('path = "mail"', 'path = "m"\ndefault = "nobody"', "bad_default", "not an e-mail", ""),
    ('default = "none"', "default = 1.5", "wrong_type", "not 1.5", ""),
    ('path = "q_total"', 'path = "t"\ndefault = "1"', "bad_default", "cannot have a default", ""),
    ('path = "amount"', 'path = "title"', "duplicate_path", "'title', as deal.fields.name", ""),
    ('path = "q_total"', 'path = "amount"', "duplicate_path", "as deal.fields.amount does", ""),
    ('path = "mail"', 'path = "m"\non_blank = "ignore"', "unknown_word", "'ignore'", "keep"),
    ('kind = "domain"', 'kind = "domian"', "unknown_word", "'domian'", "Did you mean 'domain'?"),
    ('kind = "domain"', 'kond = "domain"', "missing_key", "needs 'kind'", "value_map"),
    ('kind = "domain"', 'kind = "domain", x = 1', "unknown_key", "transform.x", ""),
    ('{ kind = "domain" }', '"domain"', "wrong_type", "must be a table, not 'domain'", ""),
    ('kind = "domain"', 'kind = "money"', "bad_transform", "which money cannot give", ""),
    ('default = "none"', 'transform = { kind = "bucket", below = [[1, "s"]], above = "l" }',
     "bad_transform", "no way back", ""),
    ("values = { Won", 'otherwise = "drop", values = { Won', "unknown_word", "'drop'", "reject"),
    (', values = { Won = "won", Open = "open", Offen = "open" }', "", "bad_transform", "out", ""),
    ('Won = "won"', 'Won = " "', "bad_transform", "maps 'Won' to a bad value: it is blank", ""),
    ('Won = "won"', "Won = 3", "wrong_type", "values.Won must be a text", ""),
    ('format = "%d.%m.%Y"', 'timezone = "Mars/X"', "bad_transform", "'Mars/X'", ""),
    ('format = "%d.%m.%Y"', 'timezone = "../x"', "bad_transform", "time zone", ""),
    ('format = "%d.%m.%Y"', 'format = "%d.%m"', "bad_transform", "does not name a day", ""),
    ('format = "%d.%m.%Y"', 'format = "%Y%Y%m%d"', "bad_transform", "does not name a day", ""),
    ('format = "%d.%m.%Y"', 'out = "%A"', "bad_transform", "is written as '%A'", ""),
    ('path = "amount"', 'path = "a"\ntransform = { kind = "money", scale = 10 }', "bad_transform",
     "scale outside", ""),
    ('paths = ["first", "last"]', 'paths = ["first", 3]', "wrong_type", "only texts", ""),
    ('path = "id"', 'path = "id"\ntransform = { kind = "value_map", values = { a = "b" } }',
     "bad_transform", "never transformed", ""),
    ('"users are not mirrored"', "3", "wrong_type", "must be a text", ""),
]  # fmt: skip


FOLLOWED = {
    ("unknown_key", 'pth = "props.name"'),  # and the path is missing
    ("unknown_field", "[deal.fields.stgae]"),  # and the stage is missing
    ("unknown_word", '"number"'),  # the type of an own field decides what else fits
    ("missing_key", ""),
    ("impossible_direction", 'path = "title"\ndirection = "outbound"'),  # and never merged
}
"""Mistakes that have another in their wake."""


@pytest.mark.parametrize(("old", "new", "code", "message", "fix"), WRONG)
def test_one_mistake_is_one_problem(old: str, new: str, code: str, message: str, fix: str) -> None:
    found = problems_of(changed((old, new)))
    problem = next(problem for problem in found if problem.code == code)
    assert len(found) == 1 or (code, new) in FOLLOWED
    assert message in problem.message
    assert fix in problem.fix
    assert problem.line > 0


@pytest.mark.parametrize(
    ("below", "message"),
    [
        ("[]", "without bounds"),
        ('[[9, "s"], [3, "m"]]', "do not rise"),
        ('[["x", "s"]]', "bad bound"),
        ('[[1, ""]]', "without a name"),
        ('[[1.5, "s"]]', 'pairs like [50, "small"]'),
        ("[[1]]", 'pairs like [50, "small"]'),
        ('[[99999999999999999, "s"]]', 'pairs like [50, "small"]'),
        ('"none"', "must be a list"),
    ],
)
def test_a_bucket_needs_rising_bounds_with_names(below: str, message: str) -> None:
    transform = f'transform = {{ kind = "bucket", below = {below}, above = "l" }}'
    found = problems_of(added("account.fields.segment", 'direction = "inbound"', transform))
    assert any(message in problem.message for problem in found)


def test_a_join_without_paths_has_no_path() -> None:
    found = problems_of(changed(('paths = ["first", "last"]', "paths = []")))
    assert any("joins no paths" in problem.message for problem in found)
    found = problems_of(changed(('path = "first"\n', ""), (', paths = ["first", "last"]', "")))
    assert any("joins no paths" in problem.message for problem in found)


def test_a_join_stands_where_its_first_path_does() -> None:
    name = mapping_of(changed(('path = "first"\n', ""))).entities[Entity.CONTACT].field("name")
    assert name is not None
    assert name.path == "first"


@pytest.mark.parametrize("policy", ["crm_wins", "merge_with_audit"])
def test_what_is_never_read_cannot_lose_to_the_crm(policy: str) -> None:
    problem = problem_of(
        changed(('path = "amount"', f'path = "a"\ndirection = "outbound"\npolicy = "{policy}"'))
    )
    assert problem.code == "impossible_policy"
    assert "never read" in problem.message


def test_a_missing_required_field_is_named_with_its_table() -> None:
    problem = problem_of(changed(("[deal.fields.account_id]", "[deal.fields.x_company]"), (
        'path = "company"', 'path = "company"\ntype = "ref"',
    )))  # fmt: skip
    assert problem.code == "missing_field"
    assert problem.entity == "deal"
    assert "deal.account_id is required" in problem.message
    assert problem.fix == "Add [deal.fields.account_id]."


@pytest.mark.parametrize("entity", ["account", "deal", "quote"])
def test_a_missing_entity_is_named(entity: str) -> None:
    found = problems_of(MAPPING.replace(f"[{entity}", f"[x_{entity}"))
    assert "missing_entity" in {problem.code for problem in found}
    assert f"[{entity}] is missing." in {problem.message for problem in found}


def test_a_crm_without_contacts_is_mapped_too() -> None:
    start, end = MAPPING.index("[contact]"), MAPPING.index("[deal]")
    assert Entity.CONTACT not in mapping_of(MAPPING[:start] + MAPPING[end:]).entities


def test_ten_errors_are_told_at_once_with_their_lines() -> None:
    text = changed(
        ('"EUR"', '"EURO"'),
        ("page = 100", "page = [1]"),
        ('path = "props.name"', 'path = "props.name"\npolicy = "mine"'),
        ('default = "none"', 'default = "none"\nstrategy = "biggest"'),
        ('path = "mail"', 'path = "mail"\ndirection = "both"'),
        ("[deal.fields.stage]", "[deal.fields.stgae]"),
        ('path = "amount"', 'path = ""'),
        ('format = "%d.%m.%Y"', 'fromat = "%d.%m.%Y"'),
        ('path = "q_total"', 'path = "q_total"\npolicy = "crm_wins"'),
    )
    with pytest.raises(MappingError) as caught:
        parse_mapping(text, name="mine.toml")
    found = caught.value.diagnostics
    assert len(found) == 10
    lines = text.splitlines()
    assert [problem.line for problem in found] == sorted(problem.line for problem in found)
    at = {problem.code: lines[problem.line - 1] for problem in found if problem.line}
    assert at["unknown_field"] == "[deal.fields.stgae]"
    assert at["unknown_currency"] == 'default_currency = "EURO"'
    assert at["impossible_direction"] == 'direction = "both"'
    assert caught.value.message.startswith("Mapping mine.toml: 10 problems.\n  line ")
    assert caught.value.exit_code is ExitCode.MAPPING


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("provider =", 1, "this is not TOML"),
        ('provider = "stub"\n[account', 2, "this is not TOML"),
        ("a = 1\na = 2\n", 2, "Cannot overwrite a value"),
        (f"a = {'[' * 5000}", 1, "this is not TOML"),
        (f"a = {'9' * 5000}", 1, "this is not TOML"),
        ("a = '\ud800'", 1, "this is not TOML"),
        ("#" * 1_000_001, 1, "longer than 1,000,000 characters"),
    ],
)
def test_what_is_not_toml_is_one_problem_with_its_line(text: str, line: int, message: str) -> None:
    problem = problem_of(text)
    assert (problem.code, problem.line) == ("not_toml", line)
    assert message in problem.message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[account]\n", f"clock_tolerance_seconds = 0x{'f' * 5000}\n[account]\n"),
        ('direction = "both"', f"direction = 0x{'f' * 5000}"),
        ("page = 100", f"page = 0x{'f' * 5000}"),
        ('default = "none"', f"default = 0x{'f' * 5000}"),
        ('default = "none"', "default = [[[1]]]"),
        ("[backlog]", "[[backlog]]"),
        ("[account.fields.domain]", "[[account.fields.domain]]"),
        ("[deal.fields.x_rank]", "[quote.fields.x_rank]"),
    ],
)
def test_odd_values_are_problems_and_not_crashes(old: str, new: str) -> None:
    assert problems_of(changed((old, new)))


@given(st.text(max_size=300))
def test_no_text_raises_anything_but_a_mapping_error(text: str) -> None:
    with pytest.raises(MappingError):
        parse_mapping(text, name="x")


SNIPPETS = st.sampled_from([
    "[account]", "[deal.fields.stage]", "[quote]", "fields = 3", "path = 3", 'transform = "x"',
    "transform = { kind = 3 }", 'policy = ["a"]', "direction = {}", "[account.fields]", "= 3",
    'default = ""', "on_blank = 1979-05-27", "[[deal]]", 'target = "x"', "[backlog]",
    "required = 1",
    'transform = { kind = "bucket" }', 'transform = { kind = "value_map", values = 3 }',
    '"a"."b" = 1',
])  # fmt: skip


@given(st.data())
def test_no_damaged_mapping_raises_anything_but_a_mapping_error(data: st.DataObject) -> None:
    lines = MAPPING.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at : at + data.draw(st.integers(0, 2))] = [data.draw(SNIPPETS)]
    try:
        mapping = parse_mapping("\n".join(lines), name="x")
    except MappingError:
        return
    assert mapping.fingerprint


# --- laying one file over another ----------------------------------------------------------------


def _over(text: str) -> list[str]:
    mapping = parse_mapping(text, name="own.toml", over=mapping_of())
    return [
        f"{entity}.{field.name}"
        for entity, one in mapping.entities.items()
        for field in one.fields
        if field != (mapping_of().entities[entity].field(field.name))
    ]


def test_an_empty_file_over_another_changes_nothing() -> None:
    assert parse_mapping("", name="own.toml", over=mapping_of()) == mapping_of()


@pytest.mark.parametrize("crm", ["hubspot", "salesforce"])
def test_a_shipped_mapping_laid_over_itself_is_itself(crm: str) -> None:
    shipped = parse_mapping(mappings()[crm], name=crm)
    own = "\n".join(f"[{entity}]\n[{entity}.fields.id]" for entity in Entity)
    assert parse_mapping(own, name="own.toml", over=shipped) == shipped


def test_a_key_of_a_field_is_overridden_for_itself() -> None:
    assert _over('[deal.fields.stage]\npath = "phase"') == ["deal.stage"]
    mapping = parse_mapping('[deal.fields.stage]\npath = "phase"', name="o", over=mapping_of())
    stage = mapping.entities[Entity.DEAL].field("stage")
    assert stage is not None
    assert stage.path == "phase"
    assert isinstance(stage.transform, ValueMap)


def test_a_strategy_does_not_outlive_its_policy() -> None:
    text = '[deal.fields.amount]\npolicy = "crm_wins"'
    mapping = parse_mapping(text, name="o", over=mapping_of())
    amount = mapping.entities[Entity.DEAL].field("amount")
    assert amount is not None
    assert amount.strategy is None


def test_a_strategy_lives_on_with_its_policy() -> None:
    text = '[deal.fields.x_rank]\npolicy = "merge_with_audit"\nnote = "mine"'
    mapping = parse_mapping(text, name="o", over=mapping_of())
    rank = mapping.entities[Entity.DEAL].field("x_rank")
    assert rank is not None
    assert rank.strategy is Strategy.MAX
    strategy = '[deal.fields.x_rank]\nstrategy = "min"'
    mapping = parse_mapping(strategy, name="o", over=mapping_of())
    assert mapping.entities[Entity.DEAL].fields[-1].strategy is Strategy.MIN


def test_an_inherited_transform_can_be_taken_away() -> None:
    text = '[account.fields.domain]\ntransform = { kind = "none" }\non_blank = "keep"'
    mapping = parse_mapping(text, name="o", over=mapping_of())
    domain = mapping.entities[Entity.ACCOUNT].field("domain")
    assert domain is not None
    assert domain.transform is None
    assert domain.on_blank is OnBlank.KEEP


def test_settings_backlog_and_top_keys_are_laid_over_too() -> None:
    text = """\
default_currency = "USD"
clock_tolerance_seconds = 5
source_priority = ["local", "crm"]
[account]
page = 7
[account.fields.x_region]
path = "region"
type = "text"
[quote]
target = "quote_record"
[backlog]
"deal.team" = "later"
"""
    mapping = parse_mapping(text, name="o", over=mapping_of())
    assert mapping.default_currency == "USD"
    assert mapping.clock_tolerance_seconds == 5
    assert mapping.source_priority == ("local", "crm")
    assert mapping.quote_target is QuoteTarget.QUOTE_RECORD
    assert mapping.entities[Entity.ACCOUNT].settings == {"page": "7", "archived": "false"}
    assert mapping.entities[Entity.ACCOUNT].field("x_region") is not None
    assert [entry.field for entry in mapping.backlog] == ["deal.owner", "deal.team"]


def test_an_entity_that_the_shipped_file_lacks_can_be_added() -> None:
    start, end = MAPPING.index("[contact]"), MAPPING.index("[deal]")
    shipped = mapping_of(MAPPING[:start] + MAPPING[end:])
    mapping = parse_mapping(MAPPING[start:end], name="o", over=shipped)
    assert Entity.CONTACT in mapping.entities


def test_another_provider_cannot_be_laid_over() -> None:
    problem = problem_of('provider = "other"', over=mapping_of())
    assert problem.code == "impossible_provider"
    assert parse_mapping('provider = "stub"', name="o", over=mapping_of()) == mapping_of()


def test_problems_of_the_upper_file_have_its_lines() -> None:
    problem = problem_of('[account]\n[account.fields.name]\npolicy = "mine"', over=mapping_of())
    assert problem.line == 3


# --- fingerprints --------------------------------------------------------------------------------


def _prints(text: str) -> dict[str, str]:
    mapping = mapping_of(text)
    return {"": mapping.fingerprint} | {
        str(entity): one.fingerprint for entity, one in mapping.entities.items()
    }


def _moved() -> str:
    start, end = MAPPING.index("[account.fields.domain]"), MAPPING.index("[account.fields.segment]")
    block = MAPPING[start:end]
    return MAPPING[:start] + MAPPING[end:].replace("[contact]\n", f"{block}[contact]\n", 1)


@pytest.mark.parametrize(
    "text",
    [
        f"# a comment\n{MAPPING}",
        added("deal.fields.stage", 'note = "a note"'),
        added("deal.fields.stage", 'policy = "crm_wins"', 'on_blank = "null"'),
        changed(('"users are not mirrored"', '"not yet"')),
        _moved(),
    ],
)
def test_a_fingerprint_does_not_change_with_the_look(text: str) -> None:
    assert _prints(text) == _prints(MAPPING)


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        (added("deal.fields.stage", 'on_blank = "keep"'), {"deal"}),
        (changed(('"EUR"', '"USD"')), {"deal"}),
        (changed(("page = 100", "page = 50")), {"account"}),
        (changed(('"companies"', '"orgs"')), {"account"}),
        (added("quote", 'target = "quote_record"'), {"quote"}),
        (changed(('Open = "open", Offen = "open"', 'Offen = "open", Open = "open"')), {"deal"}),
        (changed(("[account]", "clock_tolerance_seconds = 2\n[account]")), set()),
        (changed(("[account]", 'source_priority = ["local", "crm"]\n[account]')), set()),
    ],
)
def test_a_fingerprint_changes_with_the_meaning(text: str, entities: set[str]) -> None:
    before, after = _prints(MAPPING), _prints(text)
    assert before[""] != after[""]
    assert {name for name in before if name and before[name] != after[name]} == entities


def test_fingerprints_can_be_made_again() -> None:
    mapping = mapping_of()
    assert fingerprinted(mapping) == mapping
    assert with_default_currency(mapping, "EUR") == mapping
    other = with_default_currency(mapping, "USD")
    assert other == mapping_of(changed(('"EUR"', '"USD"')))


# --- the shipped files ---------------------------------------------------------------------------


@pytest.mark.parametrize("crm", ["hubspot", "salesforce"])
def test_a_shipped_mapping_states_a_policy_for_every_attribute_and_a_backlog(crm: str) -> None:
    text = mappings()[crm]
    mapping = parse_mapping(text, name=f"{crm}.toml")
    assert mapping.provider == crm
    assert set(mapping.entities) == set(Entity)
    for entity, one in mapping.entities.items():
        for field in one.fields:
            header = f"[{entity}.fields.{field.name}]"
            table = text.split(header, 1)[1].split("\n[", 1)[0]
            assert f'policy = "{field.policy}"' in table
            assert f'direction = "{field.direction}"' in table
    assert len(mapping.backlog) > 10
    assert all(entry.reason for entry in mapping.backlog)
    segment = mapping.entities[Entity.ACCOUNT].field("segment")
    assert segment is not None
    assert isinstance(segment.transform, Bucket)
    assert segment.default
    assert {"marker_instance", "marker_digest"} <= set(mapping.entities[Entity.QUOTE].settings)


@pytest.mark.parametrize("crm", ["hubspot", "salesforce"])
def test_a_shipped_mapping_maps_the_whole_contract(crm: str) -> None:
    mapping = parse_mapping(mappings()[crm], name=crm)
    names = {
        f"{entity}.{field.name}" for entity, one in mapping.entities.items() for field in one.fields
    }
    assert names == set(BY_PATH)


def test_the_errors_that_mappings_raise_are_of_category_mapping() -> None:
    failure = RemoteFailure("no such property", error_class=ErrorClass.MAPPING)
    assert failure.exit_code is ExitCode.MAPPING
    assert MappingError.code == "mapping"


def test_examples_are_right() -> None:
    for path in sorted(Path(__file__).parents[2].glob("examples/*/mapping.toml")):
        assert parse_mapping(path.read_text(), name=path.name).provider == "stub"
