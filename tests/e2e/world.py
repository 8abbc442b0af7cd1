"""The world of the conformance suite over a real Tryton; each leaves the database as it was."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from quotey.adapters.tryton import TrytonSettings, shipped_mapping
from quotey.adapters.tryton.adapter import open_adapter
from quotey.contract.adapter import CrmAdapter
from quotey.contract.dto import QuoteMarker
from quotey.contract.fields import Entity
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.secret import Secret
from quotey.testing.world import Fault, NotOfferedError, Words
from tests.e2e.between import Between
from tests.e2e.hands import decimal
from tests.e2e.server import Tryton

MAPPING = parse_mapping(shipped_mapping(), name="tryton.toml")
MADE_ANEW = (
    *("ir_attachment", "sale_line", "sale_sale", "sale_opportunity", "sale_opportunity__history"),
    *("party_contact_mechanism", "party_address", "party_party-party_category", "party_category"),
)
OWN_PARTIES = 2
CURRENCIES = {"EUR": 1, "USD": 2}


def settings_of(tryton: Tryton, url: str = "", **more: object) -> TrytonSettings:
    """Give the settings of a connection to this server."""
    known = {
        "base_url": url or tryton.url,
        "database": tryton.database,
        "user": tryton.user,
        "password": Secret(tryton.password),
        "loopback": True,
        "overlap_seconds": 0,
        "quotation": False,
    }
    return TrytonSettings(**{**known, **more})  # type: ignore[arg-type]


class TrytonWorld:
    """`quotey.testing.world.World` over a server of ours."""

    connection = "main"
    mapping = MAPPING
    faults = frozenset(
        {
            *(Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER, Fault.SERVER_ERROR),
            *(Fault.RATE_LIMITED, Fault.AUTH),
        }
    )
    words = Words(stage="lead", later_stage="opportunity")

    def __init__(self, tryton: Tryton, **settings: object) -> None:
        self.sql = tryton.sql
        self.hands = tryton.hands()
        self.between = Between(tryton.url)
        self._settings = settings_of(tryton, self.between.url, **settings)
        self._open: list[CrmAdapter] = []
        self.adapter = self.reopen()

    def reopen(self) -> CrmAdapter:
        adapter = open_adapter(self._settings, self.mapping, self.connection)
        self._open.append(adapter)
        return adapter

    def add(
        self, entity: Entity, values: Mapping[str, str | None], *, at: datetime | None = None
    ) -> str:
        make = {
            Entity.ACCOUNT: self._add_account,
            Entity.CONTACT: self._add_contact,
            Entity.DEAL: self._add_deal,
        }
        ref = make[entity](dict(values))
        if at is not None:
            stamp = at.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
            self.sql(
                f"update {MAPPING.entities[entity].object.replace('.', '_')}"  # noqa: S608 - our own words
                " set create_date = ?, write_date = null where id = ?",
                stamp,
                int(ref),
            )
        return ref

    def edit(self, entity: Entity, ref: str, values: Mapping[str, str | None]) -> None:
        assert entity in (Entity.ACCOUNT, Entity.DEAL)
        if "stage" in values and not values["stage"]:
            # Past the rules of the model, as a script in the database does.
            self.sql("update sale_opportunity set state = '' where id = ?", int(ref))
            return
        model = MAPPING.entities[entity].object
        wire = values if entity is Entity.ACCOUNT else self._deal(dict(values))
        self.hands(f"{model}.write", [int(ref)], dict(wire))

    def take_away(self, entity: Entity, ref: str, field: str) -> None:
        self.edit(entity, ref, {field: None})

    def delete(self, entity: Entity, ref: str) -> None:
        if entity is Entity.DEAL:
            self.hands("sale.opportunity.cancel", [int(ref)])
        self.hands(f"{MAPPING.entities[entity].object}.delete", [int(ref)])

    def merge(self, entity: Entity, loser: str, winner: str) -> str | None:
        if entity is not Entity.ACCOUNT:
            raise NotOfferedError("Tryton merges parties, never deals")
        self.hands.join("Party Administration")
        asked = {"ask": {"source": int(loser), "destination": int(winner)}}
        self.hands.wizard("party.replace", asked, "replace")
        return None

    def write_marker(self, deal: str, marker: QuoteMarker) -> None:
        lines = {"instance": marker.instance_id, "digest": marker.payload_digest}
        comment = "\n".join(f"Quotey {word}: {text}" for word, text in lines.items())
        self._put_sale(deal, marker.quote_id, f"Version {marker.version}", comment)

    def scribble(self, deal: str) -> None:
        self._put_sale(deal, "q_conformance", "the second one", "as agreed on the phone")

    def effects(self, entity: Entity, ref: str) -> int:
        if entity is Entity.QUOTE:
            named = ("model.sale.sale.create", "model.sale.sale.write")
            return sum(method in named for method in self.between.passed)
        assert entity is Entity.DEAL
        found = self.sql("select count(*) from sale_opportunity__history where id = ?", int(ref))
        return int(found[0][0])

    def fail(
        self,
        fault: Fault,
        *,
        operation: str = "*",
        times: int = 1,
        after: int = 0,
        retry_after: float | None = None,
    ) -> None:
        self.between.fail(fault, operation, times, retry_after)

    def reauthorise(self) -> None:
        self.between.reauthorise()

    def close(self) -> None:
        for adapter in self._open:
            adapter.close()
        self.between.close()
        for table in MADE_ANEW:
            self.sql(f'delete from "{table}"')  # noqa: S608 - our own words
        self.sql("delete from party_party where id > ?", OWN_PARTIES)

    def _add_account(self, values: dict[str, str | None]) -> str:
        party: dict[str, Any] = {"name": values["name"], "addresses": [["create", [{}]]]}
        if values.get("domain"):
            site = {"type": "website", "value": f"https://{values['domain']}"}
            party["contact_mechanisms"] = [["create", [site]]]
        if segment := values.get("segment"):
            known = self.hands("party.category.search", [["name", "=", segment]], 0, 1, None)
            ids = known or self.hands("party.category.create", [{"name": segment}])
            party["categories"] = [["add", ids]]
        return str(self.hands("party.party.create", [party])[0])

    def _add_contact(self, values: dict[str, str | None]) -> str:
        shared = {"party": int(values["account_id"] or ""), "name": values["name"]}
        mail = {**shared, "type": "email", "value": values["email"]}
        mail["comment"] = values.get("title")
        more = [{**shared, "type": "phone", "value": values["phone"]}] if "phone" in values else []
        return str(self.hands("party.contact_mechanism.create", [mail, *more])[0])

    def _add_deal(self, values: dict[str, str | None]) -> str:
        assert values.pop("stage") == self.words.stage, "a deal begins as a lead"
        deal = {"party": int(values.pop("account_id") or ""), **self._deal(values)}
        return str(self.hands("sale.opportunity.create", [deal])[0])

    def _deal(self, values: dict[str, str | None]) -> dict[str, Any]:
        wire: dict[str, Any] = {}
        for name, text in values.items():
            match name:
                case "amount":
                    wire["amount"] = decimal(text) if text else None
                case "currency":
                    wire["currency"] = CURRENCIES[text or ""]
                case "close_date":
                    year, month, day = map(int, (text or "").split("-"))
                    parts = {"year": year, "month": month, "day": day}
                    wire["end_date"] = {"__class__": "date", **parts}
                case _:
                    wire[{"name": "description", "stage": "state"}[name]] = text
        return wire

    def _put_sale(self, deal: str, quote_id: str, description: str, comment: str) -> None:
        texts = {"reference": quote_id, "description": description, "comment": comment}
        origin = f"sale.opportunity,{deal}"
        where = [["origin", "=", origin], ["reference", "=", quote_id]]
        known = self.hands("sale.sale.search", where, 0, 1, None)
        if known:
            self.hands("sale.sale.write", known, texts)
            return
        party = self.hands("sale.opportunity.read", [int(deal)], ["party"])[0]["party"]
        values = {**texts, "origin": origin, "party": party, "currency": CURRENCIES["EUR"]}
        self.hands("sale.sale.create", [values])
