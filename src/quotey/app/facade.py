"""The façade: one method per thing a user can ask. Both library and command line come in here.

Every method returns Structs; what it does stands in the module that it calls. Rooms are imported
where they are asked, so that one question does not pay for all. It is longer than a module should
be, because it is one flat list of questions: no method has a rule of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from quotey.app.listing import Listing
from quotey.app.live import refuse_unclear
from quotey.app.wiring import House
from quotey.config import Settings, load_settings
from quotey.contract.dto import Value
from quotey.contract.fields import Entity
from quotey.contract.journal import AuditEvent, Lock, Operation, OpState
from quotey.contract.quote import Quote
from quotey.contract.reconciliation import Reconciliation
from quotey.sync.clock import Clock, fresh_id, roll

if TYPE_CHECKING:
    from quotey.app.certify import Certification
    from quotey.app.connecting import Connected, Wish
    from quotey.app.crm import Watched
    from quotey.app.doctor import Examination
    from quotey.app.keep import Backup, DatabaseReport
    from quotey.app.lookup import Found, RecordList
    from quotey.app.mapping import MappingCheck, MappingTable, Trial
    from quotey.app.quotes import QuoteAnswer, QuoteDetail, QuoteTerms
    from quotey.app.reconcile import (
        ApplyReport,
        Decision,
        ItemFilter,
        ItemList,
        ItemView,
        UndoAnswer,
    )
    from quotey.app.record import Recorded, RecordWish
    from quotey.app.reports import (
        ChainReport,
        Explanation,
        OperationAnswer,
        OperationView,
        RecordAnswer,
        RecordView,
        Status,
        SyncPlan,
        SyncReport,
    )
    from quotey.app.simulator import Simulator, Wishes
    from quotey.app.stub import StubTools
    from quotey.desk.erasing import Erasure
    from quotey.store import Restored
    from quotey.sync.ports import Progress
    from quotey.testing.names import Certified


class Quotey:
    """An open Quotey: quotes, mirror and outbox of one connection. Use one per thread.

    Every method raises `QuoteyError` and its kin when it cannot do what it was asked, with a
    sentence that says what was left unchanged.
    """

    def __init__(self, house: House) -> None:
        self._house = house

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back files and sockets; may be called twice."""
        self._house.close()

    @property
    def settings(self) -> Settings:
        """What it was opened with."""
        return self._house.settings

    @property
    def connection(self) -> str:
        """The name of the connection."""
        return self._house.connection

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self._house.provider.name

    @property
    def mode(self) -> str:
        """Either "stub" (nothing leaves this machine) or "live" (seed 8.4)."""
        return self._house.mode

    # --- the CRM ----------------------------------------------------------------------------------

    def status(self, *, crm: bool = False) -> Status:
        """Say whether we are in step with the CRM, and what is not. The CRM is not asked.

        `crm` asks the service that keeps the account how that stands.
        """
        from quotey.app.account import with_account
        from quotey.desk import status

        found = status.status(self._house.desk_ports, self.connection, self.provider)
        return with_account(self._house, found) if crm else found

    def sync(
        self,
        *,
        entities: Sequence[Entity] = (),
        accept_mass_change: bool = False,
        sweep: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> SyncReport:
        """Read what changed in the CRM, send what is due, then stop (seed 5.1).

        `entities` are those to read; none means all. `sweep` lists every id of them now, due or
        not, and brings what reading had missed. A failure of the CRM is told in the report,
        not raised.
        """
        from quotey.app import crm

        return crm.sync(
            self._house, entities, progress, accept_mass_change=accept_mass_change, sweep=sweep
        )

    def plan(
        self,
        *,
        entities: Sequence[Entity] = (),
        progress: Callable[[Progress], None] | None = None,
    ) -> SyncPlan:
        """Say what a sync would do, per field with the rule. Writes nothing."""
        from quotey.app import crm

        return crm.plan(self._house, entities, progress)

    def watch(
        self,
        *,
        every: str = "30s",
        rounds: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Watched:
        """Sync again and again, until `rounds` are done or it is interrupted."""
        from quotey.app import crm

        return crm.watch(self._house, every, rounds, progress)

    def explain(self, record: str, field: str | None = None) -> Explanation:
        """Tell who set each value of `<entity>/<id>`, when, by which rule, and what lost.

        Of `quote/<id>`: its versions and what was written; of a record that was kept out: why.
        """
        from quotey.desk import explain

        return explain.explain(self._house.desk_ports, record, field)

    def doctor(self) -> Examination:
        """Look at settings, mapping, database, connection, and whether the CRM answers."""
        from quotey.app.doctor import examine

        return examine(self._house)

    def connect(
        self,
        provider: str | None = None,
        wish: Wish | None = None,
        *,
        tell: Callable[[str], None] = print,
    ) -> Connected:
        """Let a person authorise the connection, and release what waited for that.

        `tell` is given what they must read, such as the address to open. Waits as long as `wish`
        says; raises NotConnectedError when nobody came.
        """
        from quotey.app.connecting import Wish, connect

        return connect(self._house, provider, wish or Wish(), tell)

    def lookup_account(self, text: str, *, crm: bool = False, limit: int = 20) -> Found:
        """Find accounts by name or domain: in the mirror, or in the CRM."""
        from quotey.app.lookup import look_up

        return look_up(self._house, Entity.ACCOUNT, text, crm=crm, limit=limit)

    def lookup_contact(self, text: str, *, crm: bool = False, limit: int = 20) -> Found:
        """Find contacts by name, e-mail or phone: in the mirror, or in the CRM."""
        from quotey.app.lookup import look_up

        return look_up(self._house, Entity.CONTACT, text, crm=crm, limit=limit)

    def lookup_deal(self, text: str, *, limit: int = 20) -> Found:
        """Find deals by name, in the mirror."""
        from quotey.app.lookup import look_up

        return look_up(self._house, Entity.DEAL, text, crm=False, limit=limit)

    def deal_list(self, *, after: str = "", limit: int = 100) -> RecordList:
        """Page through the deals that are mirrored, by our id; `after` is the last one seen."""
        from quotey.app.lookup import list_records

        return list_records(self._house, Entity.DEAL, limit=limit, after=after)

    def account_list(self, *, after: str = "", limit: int = 100) -> RecordList:
        """Page through the accounts that are mirrored, by our id; `after` is the last one seen."""
        from quotey.app.lookup import list_records

        return list_records(self._house, Entity.ACCOUNT, limit=limit, after=after)

    # --- the test kit -----------------------------------------------------------------------------

    def simulator(self, wishes: Wishes | None = None) -> Simulator:
        """Serve a simulated CRM on this machine, to try a mapping or a client on; close it."""
        from quotey.app.simulator import Wishes, start

        return start(self._house, wishes or Wishes())

    def certify(
        self,
        providers: Sequence[Certified] = (),
        *,
        out: Path | None = None,
        live: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> Certification:
        """Run the conformance suite on providers' adapters (default: all); `out` gets the matrix.

        Needs the extra `testing`. Simulators are tried; with `live`, this connection's own account,
        in which the deals that the suite makes stay: give it a scratch account.
        """
        from quotey.app.certify import certify

        return certify(providers, out, progress, self._house if live else None)

    def record(
        self, wish: RecordWish, *, progress: Callable[[Progress], None] | None = None
    ) -> Recorded:
        """Record the CRM's traffic, concealed, as a stub data set and as HTTP fixtures.

        The CRM is only read; when anything would be left in that had to be replaced, nothing is
        written.
        """
        from quotey.app.record import record

        return record(self._house, wish, progress)

    @property
    def stub(self) -> StubTools:
        """The stub CRM's own tools. Raises UsageError when the connection is no stub."""
        from quotey.app.stub import stub_tools

        return stub_tools(self._house)

    # --- mapping ----------------------------------------------------------------------------------

    def mapping_show(self, entity: Entity | None = None) -> MappingTable:
        """Give the mapping that the connection uses, as rows."""
        from quotey.app import mapping

        return mapping.show(self._house, entity)

    def mapping_check(self, file: Path | None = None) -> MappingCheck:
        """Check a mapping file (default: the connection's own); problems are told, not raised."""
        from quotey.app import mapping

        return mapping.check(self._house, file)

    def mapping_test(self, payload: Path, entity: Entity) -> Trial:
        """Map one record from a JSON file: the DTO that it becomes, or all its problems."""
        from quotey.app import mapping

        return mapping.trial(self._house, payload, entity)

    # --- deals, accounts, contacts ----------------------------------------------------------------

    def deal_show(self, deal: str) -> RecordView:
        """Show a deal as it stands here."""
        return self._show(Entity.DEAL, deal)

    def account_show(self, account: str) -> RecordView:
        """Show an account as it stands here."""
        return self._show(Entity.ACCOUNT, account)

    def contact_show(self, contact: str) -> RecordView:
        """Show a contact as it stands here."""
        return self._show(Entity.CONTACT, contact)

    def contact_erase(self, contact: str, *, reason: str, dry_run: bool = False) -> Erasure:
        """Erase what is kept of a contact that is gone in the CRM; the audit chain still holds."""
        from quotey.desk import erasing

        return erasing.erase(self._house.desk_ports, contact, reason=reason, dry_run=dry_run)

    def _show(self, entity: Entity, reference: str) -> RecordView:
        from quotey.desk import records

        return records.show(self._house.desk_ports, entity, reference)

    def deal_create(self, account: str, values: Mapping[str, Value]) -> RecordAnswer:
        """Make a deal here and queue its creation; it never waits for the CRM."""
        from quotey.desk import deals

        return deals.create(self._house.desk_ports, account, values)

    def deal_update(self, deal: str, values: Mapping[str, Value]) -> RecordAnswer:
        """Change fields of a deal that flow out, and queue them."""
        from quotey.desk import deals

        return deals.update(self._house.desk_ports, deal, values)

    def account_update(self, account: str, values: Mapping[str, Value]) -> RecordAnswer:
        """Change fields of an account that flow out, and queue them."""
        from quotey.desk import accounts

        return accounts.update(self._house.desk_ports, account, values)

    # --- locks and audit --------------------------------------------------------------------------

    def lock(self, record: str, field: str, *, span: str, reason: str) -> Lock:
        """Freeze one field of `<entity>/<id>` for a time, as `48h`."""
        from quotey.desk import locks

        return locks.lock(self._house.desk_ports, record, field, duration=span, reason=reason)

    def unlock(self, record: str, field: str) -> Lock:
        """End a lock before its time."""
        from quotey.desk import locks

        return locks.unlock(self._house.desk_ports, record, field)

    def locks(self) -> Listing[Lock]:
        """List the locks that stand, those that end first at the top."""
        from quotey.desk import locks

        return Listing(items=locks.list_locks(self._house.desk_ports))

    def audit_list(
        self,
        *,
        record: str | None = None,
        correlation_id: str | None = None,
        kind: str | None = None,
        limit: int = 50,
    ) -> Listing[AuditEvent]:
        """List what was done, newest first."""
        from quotey.app import crm

        return crm.audit(self._house, record, correlation_id, kind, limit)

    def audit_verify(self, head: str | None = None) -> ChainReport:
        """Walk the whole chain of the audit log; with a head that was kept elsewhere, up to it.

        `head` is as `str(report.head)` writes it: only with one a tail that was cut off is seen.
        """
        from quotey.app import crm

        return crm.audit_verify(self._house, head)

    # --- reconciliation ---------------------------------------------------------------------------

    def reconcile_list(
        self, wanted: ItemFilter | None = None, *, each: bool = False, limit: int = 100
    ) -> ItemList:
        """List what waits for a person: by cause, or one by one."""
        from quotey.app import reconcile

        return reconcile.listing(self._house, wanted, each=each, limit=limit)

    def reconcile_show(self, item: str) -> ItemView:
        """Show one item with everything that helps to decide it."""
        from quotey.desk import reconcile_views

        return reconcile_views.show(self._house.desk_ports, item)

    def reconcile_ways(self, item: Reconciliation, *, undoable: bool = False) -> tuple[str, ...]:
        """Give the commands that help with an item; `undoable` is what its view says."""
        from quotey.app import reconcile

        return reconcile.ways_of(item, undoable=undoable)

    def reconcile_apply(
        self, item: str, decision: Decision, *, dry_run: bool = False
    ) -> ApplyReport:
        """Settle one item; with `dry_run` the same row comes back and nothing is written."""
        from quotey.desk import reconcile

        return reconcile.apply(self._house.desk_ports, item, decision, dry_run=dry_run)

    def reconcile_apply_all(
        self, wanted: ItemFilter, decision: Decision, *, dry_run: bool = False
    ) -> ApplyReport:
        """Settle every item that the filter means; refusals become rows and stop nothing."""
        from quotey.desk import reconcile

        return reconcile.apply_all(self._house.desk_ports, wanted, decision, dry_run=dry_run)

    def reconcile_defer(self, item: str, until: str) -> Reconciliation:
        """Put an item off for a span (`24h`) or until a moment."""
        from quotey.desk import reconcile

        return reconcile.defer(self._house.desk_ports, item, until)

    def reconcile_undo(self, item: str) -> UndoAnswer:
        """Take a decision back, while nothing of it has been sent."""
        from quotey.desk import reconcile

        return reconcile.undo(self._house.desk_ports, item)

    # --- outbox -----------------------------------------------------------------------------------

    def outbox_list(
        self,
        *,
        states: Sequence[OpState] = (),
        record: str | None = None,
        limit: int = 100,
        settled: bool = False,
    ) -> Listing[Operation]:
        """List what waits to be written, in its order; with `settled`, also what has ended."""
        from quotey.app import outbox

        return outbox.listing(self._house, states, record, limit, settled=settled)

    def outbox_show(self, operation: str) -> OperationView:
        """Show one operation with its items and its audit trail."""
        from quotey.desk import outbox

        return outbox.show(self._house.desk_ports, operation)

    def outbox_retry(self, operation: str) -> OperationAnswer:
        """Queue an operation again that is held for a person, or dead."""
        from quotey.desk import outbox

        return outbox.retry(self._house.desk_ports, operation)

    def outbox_discard(self, operation: str, *, reason: str) -> OperationAnswer:
        """Drop an operation for good; the local change stays."""
        from quotey.desk import outbox

        return outbox.discard(self._house.desk_ports, operation, reason=reason)

    # --- quotes -----------------------------------------------------------------------------------

    def quote_create(
        self, deal: str, terms: QuoteTerms, *, draft: bool = False, token: str | None = None
    ) -> QuoteAnswer:
        """Make a quote for a deal; the same `token` again gives the same quote."""
        from quotey.desk import quotes

        return quotes.create(self._house.desk_ports, deal, terms, draft=draft, token=token)

    def quote_revise(
        self, quote: str, terms: QuoteTerms, *, draft: bool = False, token: str | None = None
    ) -> QuoteAnswer:
        """Make the next version of a quote; what is not named stays."""
        from quotey.desk import quotes

        return quotes.revise(self._house.desk_ports, quote, terms, draft=draft, token=token)

    def quote_publish(self, quote: str) -> QuoteAnswer:
        """Make this the deal's only published quote."""
        from quotey.desk import quotes

        return quotes.publish(self._house.desk_ports, quote)

    def quote_status(
        self, quote: str, to: str, *, approver: str | None = None, note: str | None = None
    ) -> QuoteAnswer:
        """Move a quote along its lifecycle."""
        from quotey.desk import quotes

        return quotes.change_status(self._house.desk_ports, quote, to, approver=approver, note=note)

    def quote_attach(self, quote: str, ref: str) -> QuoteAnswer:
        """Attach a file of the attachment root."""
        from quotey.desk import quotes

        return quotes.attach(self._house.desk_ports, quote, ref)

    def quote_attach_file(self, quote: str, path: Path) -> QuoteAnswer:
        """Copy a file into the attachment root and attach it."""
        from quotey.desk import quotes

        return quotes.attach_file(self._house.desk_ports, quote, path)

    def quote_show(self, quote: str) -> QuoteDetail:
        """Show a quote whole."""
        from quotey.app.quotes import detail

        return detail(self._house.desk_ports, quote)

    def quote_list(self, deal: str | None = None, *, limit: int = 100) -> Listing[Quote]:
        """List quotes, of one deal or of all."""
        from quotey.desk import quotes

        return Listing(items=quotes.list_quotes(self._house.desk_ports, deal, limit=limit))

    # --- database ---------------------------------------------------------------------------------

    def db_check(self) -> DatabaseReport:
        """Look at every page, key, mode and link of the database."""
        from quotey.app import keep

        return keep.check(self._house)

    def db_backup(self, to: Path) -> Backup:
        """Copy database and audit key while they are in use, then verify the copy."""
        from quotey.app import keep

        return keep.backup(self._house, to)

    def db_restore(self, source: Path, *, dry_run: bool = False) -> Restored:
        """Put a backup in the database's place: verified, whole or not at all, the old one kept."""
        from quotey.app import keep

        return keep.restore(self._house, source, dry_run=dry_run)

    def db_upgrade(self) -> DatabaseReport:
        """Bring the database to this version's schema; a backup is made first."""
        from quotey.app import keep

        return keep.upgrade(self._house)


def open_quotey(  # noqa: PLR0913 - what a library user may replace, each by name
    settings: Settings | None = None,
    *,
    home: Path | None = None,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    correlation_id: str | None = None,
    clock: Clock | None = None,
    ids: Callable[[str], str] = fresh_id,
    jitter: Callable[[], float] = roll,
    log_to: TextIO | None = None,
) -> Quotey:
    """Open Quotey; use it as a context manager.

    Without `settings` they are read from quotey.toml in `cwd` (default: the working directory) and
    from `environ` (default: nothing, so that a library is not steered from outside). `home` takes
    precedence. The database is opened when it is needed. Raises ConfigError with every problem, and
    when the connection is the stub although credentials of a live CRM are in `environ`.
    """
    if settings is None:
        folder = cwd or Path.cwd()
        flags = {"home": str(folder / home)} if home else {}
        settings = load_settings(environ=environ or {}, cwd=folder, flags=flags)
    house = House(
        settings,
        correlation_id=correlation_id,
        clock=clock,
        ids=ids,
        jitter=jitter,
        log_to=log_to,
    )
    refuse_unclear(house)
    return Quotey(house)
