"""Tables of a TOML file: every reader answers, and every wrong value is told with its place."""

from __future__ import annotations

import pytest

from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Policy
from quotey.contract.problems import MAX_TEXT, Problems, did_you_mean, key_lines, load_toml, nearest
from quotey.contract.tables import Table

TEXT = """\
name = "stub"
size = 3
open = true
words = ["a", "b"]
mixed = ["a", 1]
policy = "crm_wins"
blank = " "

[deal.fields.stage]
path = "stage"
other = 1
"""


def table() -> Table:
    problems = Problems("x.toml", TEXT)
    return Table(problems, (), load_toml(TEXT, problems))


def stage() -> Table:
    return table().table("deal").table("fields").table("stage")


def told(of: Table) -> list[tuple[str, str, int, str]]:
    return [(one.code, one.message, one.line, one.fix) for one in of.problems.found]


def test_values_that_fit_are_read_and_nothing_is_told() -> None:
    one = table()
    assert (one.text("name"), one.whole("size", 9), one.flag("open", default=False)) == (
        "stub",
        3,
        True,
    )
    assert (one.plain("name"), one.plain("size")) == ("stub", "3")
    assert (one.items("words"), one.texts("words")) == (["a", "b"], ("a", "b"))
    assert one.choice("policy", Policy, Policy.LOCAL_WINS) is Policy.CRM_WINS
    assert one.needed_text("name", "Say it.") == "stub"
    assert stage().path == ("deal", "fields", "stage")
    assert told(one) == []


def test_what_is_absent_is_its_default_and_no_problem() -> None:
    one = table()
    assert (one.text("none"), one.text("none", "d"), one.plain("none")) == ("", "d", "")
    assert (one.whole("none", 9), one.flag("none", default=True)) == (9, True)
    assert (one.items("none"), one.texts("none")) == ([], ())
    assert one.choice("none", Policy, Policy.LOCAL_WINS) is Policy.LOCAL_WINS
    assert one.choice_or_none("none", Policy) is None
    assert one.table("none").content == {}
    assert ("none" in one, "name" in one) == (False, True)
    assert told(one) == []


@pytest.mark.parametrize(
    ("read", "answer", "message", "line"),
    [
        (lambda one: one.text("size", "d"), "d", "size must be a text in quotes, not 3.", 2),
        (lambda one: one.plain("open"), "", "open must be a text in quotes, not True.", 3),
        (lambda one: one.whole("name", 9), 9, "name must be a whole number, not 'stub'.", 1),
        (lambda one: one.whole("open", 9), 9, "open must be a whole number, not True.", 3),
        (
            lambda one: one.flag("name", default=True),
            True,
            "name must be true or false, not 'stub'.",
            1,
        ),
        (lambda one: one.items("name"), [], "name must be a list, not 'stub'.", 1),
        (lambda one: one.table("name").content, {}, "name must be a table, not 'stub'.", 1),
        (lambda one: one.texts("mixed"), ("a",), "mixed must hold only texts in quotes.", 5),
    ],
)
def test_a_value_of_another_type_is_told_and_the_default_goes_on(
    read: object, answer: object, message: str, line: int
) -> None:
    one = table()
    assert callable(read)
    assert read(one) == answer
    assert told(one) == [("wrong_type", message, line, "")]


def test_a_text_that_is_needed_is_told_by_what_it_lacks() -> None:
    one = table()
    assert (one.needed_text("none", "Say it."), one.needed_text("blank", "Say it.")) == ("", " ")
    one.needed_text("size", "Say it.")
    assert told(one) == [
        ("missing_key", "the file needs 'none'.", 1, "Say it."),
        ("missing_key", "blank must not be blank.", 7, "Say it."),
        ("wrong_type", "size must be a text in quotes, not 3.", 2, ""),
    ]


def test_a_word_that_is_not_of_the_list_is_told_with_the_near_match() -> None:
    problems = Problems("x.toml", "")
    one = Table(problems, ("deal",), {"policy": "crm_win", "other": 7})
    assert one.choice("policy", Policy, Policy.LOCAL_WINS) is Policy.LOCAL_WINS
    assert one.choice_or_none("other", Policy) is None
    known = ", ".join(Policy)
    assert told(one) == [
        ("unknown_word", "deal.policy cannot be 'crm_win'.", 0, "Did you mean 'crm_wins'?"),
        ("unknown_word", "deal.other cannot be 7.", 0, f"Known here: {known}."),
    ]


@pytest.mark.parametrize(
    ("number", "read"), [(10**18 - 1, True), (10**18, False), (-(10**18), False)]
)
def test_a_number_of_more_than_eighteen_digits_is_no_plain_text(number: int, read: bool) -> None:
    one = Table(Problems("x.toml", ""), (), {"n": number})
    assert one.plain("n") == (str(number) if read else "")
    assert bool(told(one)) is not read


def test_keys_that_are_not_known_are_told_each_at_its_line() -> None:
    one = stage()
    one.only(["path", "others"])
    message = "deal.fields.stage.other is not a key that is known here."
    assert told(one) == [("unknown_key", message, 11, "Did you mean 'others'?")]
    (found,) = one.problems.found
    assert (found.entity, found.field, found.severity) == ("deal", "stage", Severity.ERROR)


def test_words_are_the_texts_of_a_table_and_tables_its_tables() -> None:
    one = Table(Problems("x.toml", ""), ("map",), {"a": "b", "c": 1, "d": ""})
    assert one.words() == {"a": "b", "d": ""}
    assert told(one) == [("wrong_type", "map.c must be a text in quotes, not 1.", 0, "")]
    inner = Table(Problems("x.toml", ""), (), {"a": {"x": 1}, "b": {}})
    assert [(key, part.path, part.content) for key, part in inner.tables()] == [
        ("a", ("a",), {"x": 1}),
        ("b", ("b",), {}),
    ]


def test_a_value_that_cannot_be_written_is_called_that() -> None:
    one = Table(Problems("x.toml", ""), (), {"n": 16**5000})
    one.text("n")
    assert told(one)[0][1] == "n must be a text in quotes, not that."


@pytest.mark.parametrize(("size", "shown"), [(58, "x" * 58), (59, None)])
def test_a_long_value_is_shown_cut(size: int, shown: str | None) -> None:
    one = Table(Problems("x.toml", ""), (), {"n": "x" * size})
    one.whole("n", 0)
    cut = f"'{'x' * 56}..."
    said = repr(shown) if shown else cut
    assert told(one)[0][1] == f"n must be a whole number, not {said}."
    assert len(said) == 60


# --- problems ------------------------------------------------------------------------------------


def test_the_near_match_is_named_or_else_the_whole_choice() -> None:
    assert nearest("stgae", ["amount", "stage"]) == "stage"
    assert nearest("zzz", ["amount", "stage"]) == ""
    assert did_you_mean("zzz", ["amount", "stage"]) == "Known here: amount, stage."
    assert did_you_mean("zzz", []) == "Known here: none."
    assert did_you_mean("crm_win", Policy) == "Did you mean 'crm_wins'?"


def test_a_very_long_word_is_compared_by_its_beginning() -> None:
    """Comparing costs the square of the length, and a file is foreign text."""
    assert nearest("stage" * 400, ["stage" * 40]) == "stage" * 40
    assert nearest("x" * 200 + "y" * 300, ["x" * 200]) == "x" * 200


KEYS = """\
a = 1
  "b c" = 2
'd' . e = 3
[ t . "u.v" ] # line 4
f = 1
[[list]]
g=1
a = 2
f = 9
[t.'u.v']
f = 2
# h = 1
"""


def test_every_way_to_write_a_key_is_found_on_its_line() -> None:
    assert key_lines(KEYS) == {
        ("a",): 1,
        ("b c",): 2,
        ("d", "e"): 3,
        ("t", "u.v"): 4,
        ("t", "u.v", "f"): 5,
        ("list",): 6,
        ("list", "g"): 7,
        ("list", "a"): 8,
        ("list", "f"): 9,
    }


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("deal", "fields", "stage", "path"), 10),
        (("deal", "fields", "stage", "none"), 9),
        (("deal", "fields", "stage"), 9),
        (("name",), 1),
        (("none",), 1),
        (("none", "inner"), 0),
        ((), 1),
    ],
)
def test_a_line_is_that_of_the_key_or_of_the_nearest_thing_around_it(
    path: tuple[str, ...], line: int
) -> None:
    assert Problems("x.toml", TEXT).line_of(path) == line


@pytest.mark.parametrize(
    ("path", "entity", "field"),
    [
        (("deal", "fields", "stage"), "deal", "stage"),
        (("deal", "fields", "stage", "path"), "deal", "stage"),
        (("deal", "other", "stage"), "deal", ""),
        (("deal", "fields"), "deal", ""),
        (("deal",), "", ""),
        ((), "", ""),
    ],
)
def test_a_problem_names_the_entity_and_the_field_it_stands_in(
    path: tuple[str, ...], entity: str, field: str
) -> None:
    problems = Problems("x.toml", TEXT)
    problems.add("c", path, "m", fix="f", line=5)
    assert problems.found == [
        Diagnostic(
            code="c",
            severity=Severity.ERROR,
            message="m",
            entity=entity,
            field=field,
            line=5,
            fix="f",
        )
    ]


def test_all_problems_are_told_in_order_of_their_lines() -> None:
    problems = Problems("x.toml", TEXT)
    problems.add("c", (), "Second.", line=3)
    assert problems.told("The file") == "The file x.toml: 1 problem.\n  line 3: Second."
    problems.add("c", ("deal", "x"), "Nowhere.")
    problems.add("c", (), "First.", line=2, fix="Mend it.")
    assert [one.message for one in problems.in_order()] == ["Nowhere.", "First.", "Second."]
    assert problems.told("The file").splitlines() == [
        "The file x.toml: 3 problems.",
        "  line ?: Nowhere.",
        "  line 2: First. Mend it.",
        "  line 3: Second.",
    ]


@pytest.mark.parametrize(
    ("text", "line", "begins"),
    [
        ("a = 1\nb = \n", 2, "this is not TOML: "),
        ("a = 1\na = 2\n", 2, "this is not TOML: "),
        ("a = 1\nb = '\ud800'", 2, "this is not TOML: "),
        ("a = 1" + " " * MAX_TEXT, 1, "the file is longer than 1,000,000 characters."),
    ],
)
def test_what_is_not_toml_is_one_problem_and_an_empty_table(
    text: str, line: int, begins: str
) -> None:
    problems = Problems("x.toml", text)
    assert load_toml(text, problems) == {}
    (found,) = problems.found
    assert (found.code, found.line) == ("not_toml", line)
    assert found.message.startswith(begins)
    assert "(at line" not in found.message
    assert found.message.endswith(".")


def test_a_file_of_just_the_longest_size_is_read() -> None:
    text = "a = 1 #" + "x" * (MAX_TEXT - 7)
    problems = Problems("x.toml", text)
    assert load_toml(text, problems) == {"a": 1}
    assert problems.found == []


def test_what_is_nested_too_deeply_is_no_toml() -> None:
    text = "a = " + "[" * 5_000
    problems = Problems("x.toml", text)
    assert load_toml(text, problems) == {}
    assert [one.code for one in problems.found] == ["not_toml"]
