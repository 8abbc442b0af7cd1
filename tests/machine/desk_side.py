"""What people do here: every command, acknowledged, refused, or cut off by a crash."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import rule

from quotey.contract.dto import Value
from quotey.contract.fields import Policy
from quotey.contract.quote import Quote
from quotey.desk import accounts, deals, locks, outbox, quotes, reconcile
from quotey.desk.quotes import QuoteTerms
from quotey.desk.reconcile import Decision
from tests.machine.stage import Stage
from tests.machine.witness import Row

NUMBER = st.integers(0, 7)
ACTOR = st.sampled_from(["ann", "bob"])
CRASH = st.one_of(st.none(), st.none(), st.none(), st.tuples(st.integers(1, 2), st.booleans()))
POLICIES = {policy.value: policy for policy in Policy}
NEXT = ("priced", "pending_approval", "approved", "sent", "accepted", "cancelled")

Crash = tuple[int, bool] | None


class DeskSide(Stage):
    """Commands of users; each knows what it was told."""

    @rule(number=NUMBER, field=st.sampled_from(["name", "amount", "x_region"]), crash=CRASH)
    def edit_deal(self, number: int, field: str, crash: Crash) -> None:
        """A person edits a deal here."""
        self.change_deal(number, field, crash=crash)

    def change_deal(self, number: int, field: str, *, crash: Crash = None) -> None:
        """Edit a deal with a value that was never there."""
        deal = self.one(self.mirrored("deal"), number)
        if deal is None:
            return
        value = self.told.amount() if field == "amount" else self.told.word()
        answer = self.command(
            lambda: deals.update(self.theatre.desk(), deal["id"], {field: value}), crash=crash
        )
        if answer is not None:
            self.told.edited("deal", deal["id"], {field: value}, self.last_seq())

    @rule(number=NUMBER, field=st.sampled_from(["x_tag", "segment"]), crash=CRASH)
    def edit_account(self, number: int, field: str, crash: Crash) -> None:
        """A person edits an account here."""
        account = self.one(self.mirrored("account"), number)
        if account is None:
            return
        words = ("smb", "mid_market", "enterprise")
        value = words[number % 3] if field == "segment" else self.told.word()
        answer = self.command(
            lambda: accounts.update(self.theatre.desk(), account["id"], {field: value}),
            crash=crash,
        )
        if answer is not None and field != "segment":
            self.told.edited("account", account["id"], {field: value}, self.last_seq())

    @rule(number=NUMBER, quoted=st.booleans(), crash=CRASH)
    def make_deal(self, number: int, quoted: bool, crash: Crash) -> None:
        """A person makes a deal here, offline, and may quote for it at once."""
        account = self.one(self.mirrored("account"), number)
        if account is None:
            return
        values: dict[str, Value] = {
            "name": self.told.word(),
            "stage": self.told.word(),
            "amount": self.told.amount(),
            "x_region": self.told.word(),
        }
        answer = self.command(
            lambda: deals.create(self.theatre.desk(), account["id"], values), crash=crash
        )
        if answer is None:
            return
        texts = {name: str(value) for name, value in values.items()}
        self.told.edited("deal", answer.record.id, texts, self.last_seq())
        if quoted:
            self._quote(answer.record.id, "", None)

    # --- quotes -----------------------------------------------------------------------------------

    @rule(number=NUMBER, crash=CRASH, token=st.booleans())
    def quote(self, number: int, crash: Crash, token: bool) -> None:
        """A person makes a quote; with a token the command may be repeated after a crash."""
        deal = self.one(self.mirrored("deal"), number)
        if deal is None:
            return
        word = self.told.word() if token else ""
        self._quote(deal["id"], word, crash)
        if word:
            self._quote(deal["id"], word, None)

    def _quote(self, deal_id: str, token: str, crash: Crash) -> None:
        """Quote; the same token twice is one quote."""
        total = Decimal(int(token[1:-1])) if token else Decimal(self.told.amount())
        terms = QuoteTerms(total=total)
        answer = self.command(
            lambda: quotes.create(self.theatre.desk(), deal_id, terms, token=token or None),
            crash=crash,
        )
        if answer is None:
            return
        self._quoted(answer.quote)
        if answer.quote.published:
            self.told.published.add(answer.quote.id)
        if token:
            same = self.witness.rows("SELECT * FROM quote_version WHERE total = ?", str(total))
            assert len(same) == 1, f"one token made {same}"

    def _quoted(self, quote: Quote) -> None:
        self.told.deal_of[quote.id] = quote.deal_id
        self.told.quoted(quote.current)

    def quotes_here(self) -> list[Row]:
        """Give the quotes."""
        return self.witness.rows("SELECT * FROM quote ORDER BY id")

    @rule(number=NUMBER, same=st.booleans(), crash=CRASH)
    def revise(self, number: int, same: bool, crash: Crash) -> None:
        """A person revises a quote, or only steps over what the CRM holds."""
        self.change_quote(number, same=same, crash=crash)

    def change_quote(self, number: int, *, same: bool, crash: Crash = None) -> None:
        """Revise a quote."""
        quote = self.one(self.quotes_here(), number)
        if quote is None:
            return
        terms = QuoteTerms() if same else QuoteTerms(total=Decimal(self.told.amount()))
        answer = self.command(
            lambda: quotes.revise(self.theatre.desk(), quote["id"], terms), crash=crash
        )
        if answer is not None:
            self._quoted(answer.quote)

    @rule(number=NUMBER, crash=CRASH)
    def publish(self, number: int, crash: Crash) -> None:
        """A person publishes a quote, and so allows it to replace what they were shown."""
        quote = self.one(self.quotes_here(), number)
        if quote is None:
            return
        shown = [
            item["remote_value"] or ""
            for item in self.witness.items(waiting=True)
            if item["entity_id"] == quote["id"] and item["conflict_type"] == "stale_outbound_write"
        ]
        # Even a command that was cut off may have been carried out. What one quote of a deal may
        # replace passes on to the quote that is published in its place.
        self.told.published.add(quote["id"])
        self.told.deal_of[quote["id"]] = quote["deal_id"]
        self.told.allowed |= {
            (quote["deal_id"], mark.instance, mark.quote_id)
            for mark in self.told.slots.values()
            if mark is not None and any(f'"{mark.quote_id}"' in text for text in shown)
        }
        answer = self.command(lambda: quotes.publish(self.theatre.desk(), quote["id"]), crash=crash)
        if answer is not None:
            self._quoted(answer.quote)

    @rule(number=NUMBER, to=st.sampled_from(NEXT), crash=CRASH)
    def move_quote(self, number: int, to: str, crash: Crash) -> None:
        """A person moves a quote along its lifecycle."""
        quote = self.one(self.quotes_here(), number)
        if quote is None:
            return
        answer = self.command(
            lambda: quotes.change_status(self.theatre.desk(), quote["id"], to, approver="bea"),
            crash=crash,
        )
        if answer is not None:
            self._quoted(answer.quote)

    # --- locks ------------------------------------------------------------------------------------

    @rule(
        number=NUMBER, actor=ACTOR, field=st.sampled_from(["stage", "name", "amount"]), crash=CRASH
    )
    def lock(self, number: int, actor: str, field: str, crash: Crash) -> None:
        """A person locks a field of a deal."""
        deal = self.one(self.mirrored("deal"), number)
        if deal is not None:
            self.command(
                lambda: locks.lock(
                    self.theatre.desk(actor),
                    f"deal/{deal['id']}",
                    field,
                    duration="2h",
                    reason="talks",
                ),
                crash=crash,
            )

    @rule(number=NUMBER, crash=CRASH)
    def unlock(self, number: int, crash: Crash) -> None:
        """A person lifts a lock."""
        rows = self.witness.rows("SELECT * FROM field_lock WHERE ended_at IS NULL")
        row = self.one(rows, number)
        if row is not None:
            self.command(
                lambda: locks.unlock(
                    self.theatre.desk(), f"{row['entity']}/{row['entity_id']}", row["field"]
                ),
                crash=crash,
            )

    # --- deciding ---------------------------------------------------------------------------------

    @rule(number=NUMBER, how=st.sampled_from([*POLICIES, "value", "rebind"]), crash=CRASH)
    def decide(self, number: int, how: str, crash: Crash) -> None:
        """A person settles an item in any way they can think of."""
        self.settle_item(number, how, crash=crash)

    def settle_item(self, number: int, how: str, *, crash: Crash = None) -> None:
        """Apply a decision to an item that waits."""
        item = self.one(self.witness.items(waiting=True), number)
        if item is None:
            return
        before = {op["id"]: op["state"] for op in self.witness.operations()}
        value = self.told.amount() if item["field_name"] == "amount" else self.told.word()
        decision = {
            "value": Decision(value=value),
            "rebind": Decision(rebind=True),
        }.get(how) or Decision(policy=POLICIES[how])
        answer = self.command(
            lambda: self._apply(item["id"], decision),
            crash=crash,
        )
        self._remember_dropped(before)
        if answer is None and crash is not None:  # cut off: it may have been carried out
            self.told.decided.add((item["entity_id"], item["field_name"]))
        if answer is not None:
            self._decided(item, value, answer.rows[0])

    def _apply(self, item_id: str, decision: Decision) -> reconcile.ApplyReport:
        return reconcile.apply(self.theatre.desk(), item_id, decision)

    def _remember_dropped(self, before: dict[str, str]) -> None:
        """What a person's decision ended unsent is their choice from now on."""
        self.told.dropped |= {
            op["id"]
            for op in self.witness.operations()
            if op["state"] == "discarded" and before.get(op["id"]) != "discarded"
        }

    def _decided(self, item: Row, value: str, row: reconcile.Applied) -> None:
        """Remember what a person decided: from now on it may differ, when nothing is sent."""
        place = (item["entity_id"], item["field_name"])
        if row.action in ("keep_local", "set_value") and row.operation_id is None:
            self.told.decided.add(place)
        if row.action == "set_value":
            self.told.edited(item["entity_type"], place[0], {place[1]: value}, self.last_seq())

    @rule(number=NUMBER, crash=CRASH)
    def defer(self, number: int, crash: Crash) -> None:
        """A person puts an item off."""
        item = self.one(self.witness.items(waiting=True), number)
        if item is not None:
            self.command(
                lambda: reconcile.defer(self.theatre.desk(), item["id"], "3h"), crash=crash
            )

    @rule(number=NUMBER, crash=CRASH)
    def undo(self, number: int, crash: Crash) -> None:
        """A person takes a decision back."""
        settled = [item for item in self.witness.items() if item["resolved_by"] == "ann"]
        item = self.one(settled, number)
        if item is None:
            return
        before = {op["id"]: op["state"] for op in self.witness.operations()}
        self.command(lambda: reconcile.undo(self.theatre.desk(), item["id"]), crash=crash)
        self._remember_dropped(before)

    @rule(number=NUMBER, crash=CRASH)
    def retry(self, number: int, crash: Crash) -> None:
        """A person queues an operation again."""
        op = self.one(self.witness.operations(), number)
        if op is None:
            return
        answer = self.command(lambda: outbox.retry(self.theatre.desk(), op["id"]), crash=crash)
        if answer is not None:
            self.told.dropped.discard(op["id"])

    @rule(number=NUMBER, crash=CRASH)
    def discard(self, number: int, crash: Crash) -> None:
        """A person drops an operation."""
        pending = [op for op in self.witness.operations() if op["state"] != "delivered"]
        op = self.one(pending, number)
        if op is None:
            return
        before = {one["id"]: one["state"] for one in self.witness.operations()}
        self.command(
            lambda: outbox.discard(self.theatre.desk(), op["id"], reason="not wanted"), crash=crash
        )
        self._remember_dropped(before)
