"""Where a mistake in a mapping file is told to be, its limits, and fingerprints that must last."""

from __future__ import annotations

import pytest

from quotey.contract.fields import Entity, FieldType, Policy, Strategy
from quotey.contract.mapping import Bucket, DateIn, Join
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.mapping_text import write_mapping, written
from tests.contract.texts import MAPPING, added, changed, mapping_of, problem_of, problems_of


def field_of(text: str, entity: Entity, name: str) -> object:
    field = mapping_of(text).entities[entity].field(name)
    assert field is not None
    return field.transform


def bucket(below: str) -> str:
    transform = f'transform = {{ kind = "bucket", below = {below}, above = "l" }}'
    return added("account.fields.segment", 'direction = "inbound"', transform)


@pytest.mark.parametrize(
    ("old", "new", "line_of", "message"),
    [
        (
            'path = "title"',
            'path = "title"\nrequired = true\ndirection = "outbound"\npolicy = "local_wins"\n',
            'direction = "outbound"',
            "deal.fields.name is required, so it must be read: it cannot be outbound.",
        ),
        (
            'path = "q_total"',
            'path = "q_total"\npolicy = "crm_wins"',
            'policy = "crm_wins"',
            "quote.fields.total cannot be crm_wins.",
        ),
        (
            'path = "q_total"',
            'path = "amount"',
            'path = "amount"',
            "quote.fields.total stands on 'amount', as deal.fields.amount does.",
        ),
        (
            'path = "amount"',
            'path = "amount"\nstrategy = "union"',
            'strategy = "union"',
            "deal.fields.amount cannot be merged by union: money is not a text.",
        ),
        (
            'path = "mail"',
            'path = "mail"\ndefault = "nobody"',
            'default = "nobody"',
            "contact.fields.email has a bad default: 'nobody' is not an e-mail address.",
        ),
    ],
)
def test_a_mistake_is_told_on_its_line_with_its_path(
    old: str, new: str, line_of: str, message: str
) -> None:
    text = changed((old, new))
    problem = problem_of(text)
    lines = text.splitlines()
    assert problem.message == message
    assert lines[problem.line - 1] == line_of


def test_what_is_required_and_never_read_is_told_what_to_write() -> None:
    text = changed(('path = "title"', 'path = "t"\ndirection = "outbound"\npolicy = "local_wins"'))
    assert problem_of(text).fix == "Use both."
    assert problem_of(changed(('path = "amount"', 'path = "a"\nstrategy = "union"'))).fix == ""


def test_a_field_that_is_missing_is_told_at_the_fields_of_its_entity() -> None:
    text = changed(
        ("[deal.fields.account_id]", "[deal.fields.x_company]"),
        ('path = "company"', 'path = "company"\ntype = "ref"'),
        ("[deal]\n", "[deal.fields]\n\n[deal]\n"),
    )
    (problem,) = [one for one in problems_of(text) if one.code == "missing_field"]
    assert text.splitlines()[problem.line - 1] == "[deal.fields]"


def test_an_own_field_of_a_quote_is_only_written() -> None:
    own = '\n[quote.fields.x_kind]\npath = "kind"\ntype = "text"\n'
    wrong = problem_of(f'{MAPPING}{own}direction = "both"\npolicy = "local_wins"\n')
    assert (wrong.code, wrong.fix) == ("impossible_direction", "It flows outbound only.")
    right = mapping_of(f'{MAPPING}{own}direction = "outbound"\n').entities[Entity.QUOTE]
    assert right.fields[-1].policy is Policy.LOCAL_WINS


def test_an_own_field_that_flows_both_ways_is_told_to_need_a_policy_only() -> None:
    text = changed(('policy = "merge_with_audit"\n', ""))
    assert [problem.code for problem in problems_of(text)] == ["missing_key"]


# --- transforms ----------------------------------------------------------------------------------


def test_a_quote_that_flows_in_is_told_once_and_not_sent_in_both_directions() -> None:
    text = changed(('path = "q_total"', 'path = "q_total"\ndirection = "inbound"'))
    assert [(one.code, one.fix) for one in problems_of(text)] == [
        ("impossible_direction", "It flows outbound only.")
    ]


def test_a_date_that_says_nothing_is_iso_in_utc() -> None:
    text = changed((', format = "%d.%m.%Y"', ""))
    assert field_of(text, Entity.DEAL, "close_date") == DateIn(
        format="%Y-%m-%d", timezone="UTC", out=""
    )


def test_a_join_has_a_separator_of_its_own_or_a_blank() -> None:
    assert field_of(MAPPING, Entity.CONTACT, "name") == Join(paths=("first", "last"), separator=" ")
    text = changed(('"last"] }', '"last"], separator = ", " }'))
    assert field_of(text, Entity.CONTACT, "name") == Join(paths=("first", "last"), separator=", ")


def test_a_word_that_otherwise_cannot_be_is_told_and_names_the_near_match() -> None:
    text = changed(("values = { Won", 'otherwise = "keap", values = { Won'))
    problem = problem_of(text)
    assert problem.message == "deal.fields.stage.transform.otherwise cannot be 'keap'."
    assert problem.fix == "Did you mean 'keep'?"


def test_a_bucket_without_a_name_above_is_told_what_that_is() -> None:
    text = bucket('[[1, "s"]]').replace(', above = "l"', "")
    told = [one for one in problems_of(text) if one.code == "missing_key"]
    assert [one.fix for one in told] == ["It names what is above all bounds."]


def test_bounds_that_are_no_pairs_are_told_where_they_stand() -> None:
    problem = problem_of(bucket('[[1, "s"], 3]'))
    assert problem.code == "bad_transform"
    assert problem.message == (
        'account.fields.segment.transform.below must be pairs like [50, "small"].'
    )


@pytest.mark.parametrize(
    ("bound", "read"),
    [(10**15 - 1, True), (10**15, False), (-(10**15), False), (1 - 10**15, True)],
)
def test_a_bound_has_at_most_fifteen_digits(bound: int, read: bool) -> None:
    text = bucket(f'[[{bound}, "s"]]')
    if read:
        assert field_of(text, Entity.ACCOUNT, "segment") == Bucket(
            below=((str(bound), "s"),), above="l"
        )
    else:
        assert "must be pairs" in problems_of(text)[0].message


def test_two_equal_bounds_do_not_rise() -> None:
    assert "do not rise" in problem_of(bucket('[[9, "s"], ["9.0", "m"]]')).message


@pytest.mark.parametrize(("scale", "right"), [(9, True), (-9, True), (10, False), (-10, False)])
def test_an_amount_is_moved_by_at_most_nine_places(scale: int, right: bool) -> None:
    text = added("deal.fields.amount", f'transform = {{ kind = "money", scale = {scale} }}')
    if right:
        assert mapping_of(text).fingerprint
    else:
        assert "scale outside" in problem_of(text).message


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("timezone", "z" * 50, "names the time zone "),
        ("format", "f" * 50, "has the format "),
        ("out", "o" * 50, "is written as "),
    ],
)
def test_a_long_text_of_the_file_is_told_by_its_beginning(key: str, value: str, said: str) -> None:
    text = changed(('format = "%d.%m.%Y"', f'{key} = "{value}"'))
    assert f"{said}'{value[:40]}'," in problem_of(text).message


def test_a_long_word_of_a_value_map_is_told_by_its_beginning() -> None:
    text = changed(('Won = "won"', f'{"w" * 50} = " "'))
    assert f"maps '{'w' * 40}' to a bad value" in problem_of(text).message


@pytest.mark.parametrize(
    ("pattern", "right"),
    [
        ("%d.%m.%y", True),
        ("%j %Y", True),
        ("%Y-%m-%dT%H:%M:%SZ", True),
        ("%m.%Y", False),
        ("%d.%Y", False),
        ("%d.%m.", False),
        ("%I:%M", False),
        ("plain", False),
    ],
)
def test_a_format_must_name_day_month_and_year(pattern: str, right: bool) -> None:
    text = changed(('format = "%d.%m.%Y"', f'format = "{pattern}"'))
    if right:
        assert mapping_of(text).fingerprint
    else:
        assert "does not name a day" in problem_of(text).message


# --- what lasts ----------------------------------------------------------------------------------


def test_fingerprints_are_kept_in_databases_and_stay_as_they_are() -> None:
    """A new one makes every record be read again, so it changes with the meaning only."""
    mapping = mapping_of()
    assert {str(entity): one.fingerprint for entity, one in mapping.entities.items()} == {
        "account": "648b142df150721a",
        "contact": "47ce84e0cb23ac5f",
        "deal": "07374d83b02d3a90",
        "quote": "84a6ffc2d8c60b73",
    }
    assert mapping.fingerprint == "01719bdff30229aa"


@pytest.mark.parametrize(
    ("own", "strategy"),
    [
        ('note = "mine"', Strategy.MAX),
        ('policy = "merge_with_audit"\nstrategy = "min"', Strategy.MIN),
        ('policy = "crm_wins"\ndirection = "inbound"', None),
    ],
)
def test_laying_a_policy_over_a_strategy_keeps_or_drops_it(
    own: str, strategy: Strategy | None
) -> None:
    text = f"[deal.fields.x_rank]\n{own}\n"
    mapping = parse_mapping(text, name="own", over=mapping_of())
    assert mapping.entities[Entity.DEAL].fields[-1].strategy is strategy


def test_a_strategy_that_is_named_with_another_policy_is_told() -> None:
    own = '[deal.fields.x_rank]\npolicy = "crm_wins"\ndirection = "inbound"\nstrategy = "max"\n'
    problem = problem_of(own, over=mapping_of())
    assert problem.code == "impossible_strategy"


def test_a_mapping_is_written_with_bare_keys_where_they_may_be() -> None:
    assert written({"a-b_1": 1, "a b": "\x7f"}) == '{ a-b_1 = 1, "a b" = "\\u007f" }'
    text = write_mapping(mapping_of())
    assert 'object = "companies"' in text
    assert "note" not in text


def test_types_of_own_fields_are_read() -> None:
    own = mapping_of().entities[Entity.DEAL].field("x_rank")
    assert own is not None
    assert own.type is FieldType.INTEGER


def test_two_fields_of_any_entity_on_one_path_are_told_when_one_is_written() -> None:
    problem = problem_of(changed(('path = "segment"', 'path = "web"')))
    assert problem.message == (
        "account.fields.segment stands on 'web', as account.fields.domain does."
    )


def test_the_key_of_a_mirrored_record_may_stand_where_another_field_does() -> None:
    start = MAPPING.index("[deal.fields.id]")
    text = MAPPING[:start] + MAPPING[start:].replace('path = "id"', 'path = "title"', 1)
    assert mapping_of(text).fingerprint
    quote = changed(('path = "q_id"', 'path = "q_status"'))
    assert problem_of(quote).code == "duplicate_path"


def test_a_default_that_cannot_be_is_told_on_its_line() -> None:
    text = changed(('path = "q_total"', 'path = "q_total"\ndefault = "1"'))
    problem = problem_of(text)
    assert text.splitlines()[problem.line - 1] == 'default = "1"'
