"""Whole screens, as an operator sees them. The clock stands; only run ids are blotted out."""

from __future__ import annotations

import re

from tests.cli.terminal import Terminal

FIRST_SYNC = """\
stub (offline): nothing leaves this machine
131 read, 122 created, 10 rejected  [c_id]
0 delivered; 0 waiting, 0 held; 10 items open for a person

entity   state  read  created  updated  unchanged  stale  rejected  conflicts  gone
account  idle     31       29        0          0      0         2          0     0
contact  idle     40       39        0          0      0         1          0     0
deal     idle     60       54        0          0      0         7          0     0
Next: quotey crm reconcile list
"""

STATUS = """\
stub (offline): nothing leaves this machine
not in step: 10 items wait for a person, 1 write waits to be sent
not in step                 why                              next
10 items wait for a person  no rule can settle this          quotey crm reconcile list
1 write waits to be sent    the next sync sends what is due  quotey crm sync

connection  main (stub), active
mirror      122 records
outbox      1 waiting, 0 held
open items  10 open, 0 deferred
locks       1

entity   state  records  gone  rejected  last good sync
account  idle        29     0         2  2026-03-02 09:00:00Z
contact  idle        39     0         1  2026-03-02 09:00:00Z
deal     idle        54     0         7  2026-03-02 09:00:00Z

outbox  operations
queued           1

items  where            conflict                 cause                          oldest
    1  account.name     schema_mapping_mismatch  account.name missing           2026-03-02
    1  account.segment  schema_mapping_mismatch  account.segment unknown_value  2026-03-02
    1  contact.name     schema_mapping_mismatch  contact.name missing           2026-03-02
    1  deal             schema_mapping_mismatch  deal unread                    2026-03-02
    1  deal.account_id  missing_parent           deal.account_id unknown        2026-03-02
    1  deal.account_id  schema_mapping_mismatch  deal.account_id missing        2026-03-02
    1  deal.amount      schema_mapping_mismatch  deal.amount malformed          2026-03-02
    1  deal.close_date  schema_mapping_mismatch  deal.close_date malformed      2026-03-02
    1  deal.currency    schema_mapping_mismatch  deal.currency malformed        2026-03-02
    1  deal.stage       schema_mapping_mismatch  deal.stage missing             2026-03-02
Next: quotey crm reconcile list
      quotey crm sync
"""

EMPTY_STATUS = """\
stub (offline): nothing leaves this machine
not in step: nothing was read yet
not in step           why                   next
nothing was read yet  no sync has been run  quotey crm sync

connection  main (stub), active
mirror      0 records
outbox      0 waiting, 0 held
open items  0 open, 0 deferred
locks       0

entity   state  records  gone  rejected  last good sync
account  idle         0     0         0  -
contact  idle         0     0         0  -
deal     idle         0     0         0  -
Next: quotey crm sync
"""

RECONCILE_LIST = """\
stub (offline): nothing leaves this machine
10 items for a person to settle

items  where            conflict                 cause                          oldest
    1  account.name     schema_mapping_mismatch  account.name missing           2026-03-02
    1  account.segment  schema_mapping_mismatch  account.segment unknown_value  2026-03-02
    1  contact.name     schema_mapping_mismatch  contact.name missing           2026-03-02
    1  deal             schema_mapping_mismatch  deal unread                    2026-03-02
    1  deal.account_id  schema_mapping_mismatch  deal.account_id missing        2026-03-02
    1  deal.account_id  missing_parent           deal.account_id unknown        2026-03-02
    1  deal.amount      schema_mapping_mismatch  deal.amount malformed          2026-03-02
    1  deal.close_date  schema_mapping_mismatch  deal.close_date malformed      2026-03-02
    1  deal.currency    schema_mapping_mismatch  deal.currency malformed        2026-03-02
    1  deal.stage       schema_mapping_mismatch  deal.stage missing             2026-03-02
Next: quotey crm reconcile list --each
"""


def blotted(text: str, *, days: bool = False) -> str:
    """Blot out the ids of a run, and with `days` the time of day of items."""
    text = re.sub(r"c_[0-9a-f]{8}", "c_id", text)
    return re.sub(r" \d\d:\d\d:\d\dZ$", "", text, flags=re.MULTILINE) if days else text


def test_the_screen_of_a_first_sync_in_an_empty_folder(quotey: Terminal) -> None:
    ran = quotey("crm", "sync")
    assert (ran.code, blotted(ran.out), ran.err) == (3, FIRST_SYNC, "")


def test_the_screen_of_status_before_anything(quotey: Terminal) -> None:
    ran = quotey("crm", "status")
    assert (ran.code, ran.out, ran.err) == (0, EMPTY_STATUS, "")


def test_the_screen_of_status(synced: Terminal) -> None:
    synced("crm", "lock", "deal/D-1005", "stage", "--for", "48h", "--reason", "legal")
    synced("quote", "create", "D-1001", "--total", "12000.00")
    ran = synced("crm", "status")
    screen = ran.out.replace("09:00:00Z\ncont", "09:00:00Z \ncont")
    assert ran.code == 3
    assert _days_of_items(screen) == _days_of_items(STATUS)


def _days_of_items(screen: str) -> str:
    head, mark, items = screen.replace(" \n", "\n").partition("items  where")
    return f"{head}{mark}{blotted(items, days=True)}"


def test_the_screen_of_reconcile_list(synced: Terminal) -> None:
    ran = synced("crm", "reconcile", "list")
    assert (ran.code, blotted(ran.out, days=True), ran.err) == (0, RECONCILE_LIST, "")


def test_the_banner_is_the_first_line_of_every_command(synced: Terminal) -> None:
    for argv in (["crm", "locks"], ["quote", "list"], ["db", "check"], ["crm", "mapping", "show"]):
        assert synced(*argv).out.startswith("stub (offline): nothing leaves this machine\n")


def test_a_failure_begins_with_the_banner_too_and_leaves_stdout_empty(synced: Terminal) -> None:
    ran = synced("quote", "show", "nope")
    assert ran.out == ""
    assert blotted(ran.err) == (
        "stub (offline): nothing leaves this machine\n"
        "There is no quote 'nope'. Nothing was changed.  [c_id]\n"
        "Next: quotey quote list\n"
    )


def test_colour_comes_on_a_terminal_only(synced: Terminal) -> None:
    assert "\x1b[" in synced("crm", "locks", tty=True).out
    assert "\x1b[" not in synced("crm", "locks").out
    assert "\x1b[" not in synced("crm", "locks", "--no-color", tty=True).out
    synced.environ["NO_COLOR"] = "1"
    assert "\x1b[" not in synced("crm", "locks", tty=True).out


def test_progress_is_shown_on_a_terminal_only(quotey: Terminal) -> None:
    assert "\x1b[2K" in quotey("crm", "sync", tty=True).err
    assert quotey("crm", "sync").err == ""


def test_what_the_crm_says_cannot_steer_the_terminal(synced: Terminal) -> None:
    edit = "name=a\x1b]0;owned\x07\u202eb"
    assert synced("crm", "stub", "set", "deal/D-1001", edit).code in (0, 2)
    synced("crm", "sync")
    for argv in (
        ["crm", "deal", "show", "D-1001"],
        ["crm", "stub", "show", "deal/D-1001"],
        ["crm", "reconcile", "list", "--each"],
        ["crm", "audit"],
    ):
        for tty in (True, False):
            text = synced(*argv, "--no-color", tty=tty).out
            assert not set(text) & {"\x1b", "\x07", "\u202e"}
        document = synced(*argv, "--json").out
        assert not set(document) & {"\x1b", "\x07", "\u202e"}
