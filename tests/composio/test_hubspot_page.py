"""The page about connecting HubSpot lists the properties that are made, as they are made."""

from __future__ import annotations

import re
from pathlib import Path

from tests.composio.shopfront import shopfront

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "connect-hubspot.md"
ROW = re.compile(r"^\| (companies|deals) \| `(\w+)` \| (\w+), (\w+) \| (yes|no) \|", re.MULTILINE)


def test_the_page_lists_every_property_with_its_type_and_uniqueness(tmp_path: Path) -> None:
    listed = set(ROW.findall(PAGE.read_text(encoding="utf-8")))
    with shopfront(tmp_path) as shop:
        properties = shop.portal.portal.properties
        for kind in ("companies", "deals"):
            for name in [one for one in properties[kind] if one.startswith("quotey_")]:
                del properties[kind][name]
        assert shop.connect("--create-properties").code == 0
        made = {
            (kind, name, one.type, one.field_type, "yes" if one.unique else "no")
            for kind in ("companies", "deals")
            for name, one in properties[kind].items()
            if name.startswith("quotey_")
        }
    assert listed == made


def test_a_field_that_is_joined_shows_every_place(tmp_path: Path) -> None:
    with shopfront(tmp_path) as portal:
        rows = portal("crm", "mapping", "show", "--entity", "contact", "--json").data["fields"]
        paths = {row["field"]: row["path"] for row in rows}
    assert paths["name"] == "properties.firstname + properties.lastname"
    assert paths["email"] == "properties.email"
