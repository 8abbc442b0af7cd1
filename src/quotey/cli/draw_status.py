"""Draws how a connection stands: first the verdict, then what is not in step, then the figures."""

from __future__ import annotations

from quotey.app.reports import AccountStatus, Status
from quotey.cli.draw_items import draw_causes
from quotey.cli.screen import Screen
from quotey.contract.counting import counted

NOT_TOLD = "not told by the service"
SWEPT = ("missing", "stale", "gone", "unproven")


def draw_status(screen: Screen, status: Status) -> None:
    """Draw the verdict with its reasons, each entity, what waits and what is open."""
    screen.line(status.verdict, style="warn" if status.exit_code else "bold")
    if status.stuck:
        screen.table(
            ("not in step", "why", "next"),
            [(one.what, one.why, one.next[0] if one.next else None) for one in status.stuck],
        )
    screen.line()
    screen.pairs(_figures(status))
    screen.line()
    screen.table(
        ("entity", "state", "records", "gone", "rejected", "last good sync"),
        [
            (one.entity, one.phase, one.live, one.gone, one.rejected, one.succeeded_at)
            for one in status.entities
        ],
    )
    _draw_sweeps(screen, status)
    if status.outbox.counts:
        screen.line()
        screen.table(("outbox", "operations"), sorted(status.outbox.counts.items()))
    if status.causes:
        screen.line()
        draw_causes(screen, status.causes)


def _draw_sweeps(screen: Screen, status: Status) -> None:
    """Draw what the sweeps found that reading had missed; nothing before the first one."""
    swept = [one for one in status.entities if one.sweep.listed or one.missed_total]
    if swept:
        screen.line()
        screen.table(
            ("swept", "at", "ids", *SWEPT, "missed ever"),
            [
                (
                    *(one.entity, one.swept_at, one.sweep.listed),
                    *(getattr(one.sweep, name) for name in SWEPT),
                    one.missed_total,
                )
                for one in swept
            ],
        )


def _account(account: AccountStatus | None) -> list[tuple[str, object]]:
    """Give what the service told of the account, and what it did not tell."""
    if account is None:
        return []
    ends = account.expires_at or NOT_TOLD
    return [
        ("account", f"{account.account_id}, {account.state}"),
        ("scopes", ", ".join(account.scopes) if account.scopes else NOT_TOLD),
        ("connected", account.created_at or NOT_TOLD),
        ("expires", ends),
        ("renewed", "by the service" if account.renews else NOT_TOLD),
    ]


def _figures(status: Status) -> list[tuple[str, object]]:
    live = sum(entity.live for entity in status.entities)
    outbox = status.outbox
    pairs: list[tuple[str, object]] = [
        ("connection", f"{status.connection} ({status.provider}), {status.state}"),
        *_account(status.account),
        ("mirror", counted(live, "record")),
        ("outbox", f"{outbox.waiting:,} waiting, {outbox.held:,} held"),
        ("open items", f"{status.open:,} open, {status.deferred:,} deferred"),
        ("locks", f"{status.locks:,}"),
    ]
    if outbox.late_looks:
        pairs.append(("late looks", f"{outbox.late_looks:,} due"))
    if status.rate_limited_until:
        pairs.append(("rate limit", status.rate_limited_until))
    return pairs
