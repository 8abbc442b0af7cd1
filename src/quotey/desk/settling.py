"""Which hands carry out which settlement.

Whether an item may be settled so is the table in `quotey.decide.settle`.
"""

from __future__ import annotations

from collections.abc import Callable

from quotey.contract.reconciliation import Reconciliation
from quotey.decide.settle import Action, Settlement
from quotey.desk.accepting import accept_gone
from quotey.desk.effect import Effect
from quotey.desk.ports import DeskPorts
from quotey.desk.rebinding import rebind
from quotey.desk.settle_fields import settle_field
from quotey.desk.settle_operations import confirm, discard, send_again


def carry_out(desk: DeskPorts, item: Reconciliation, settlement: Settlement) -> Effect:
    """Do what was settled, inside the caller's transaction.

    Raises `RefusedError` where the facts do not allow it any more.
    """
    return HANDS[settlement.action](desk, item, settlement)


HANDS: dict[Action, Callable[[DeskPorts, Reconciliation, Settlement], Effect]] = {
    "take_remote": settle_field,
    "keep_local": settle_field,
    "set_value": settle_field,
    "discard_operation": discard,
    "confirm_from_marker": confirm,
    "send_again": send_again,
    "rebind": rebind,
    "accept_gone": accept_gone,
}
"""Which hands carry out which settlement."""
