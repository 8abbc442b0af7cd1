"""What to do about each error code, each class of a CRM failure, and each code of a diagnostic.

A code without a line here stops `generate_docs.py`, or fails a test.
"""

from __future__ import annotations

REMEDIES = {
    "auth_stopped": "`quotey crm connect <provider>`",
    "config": "Mend quotey.toml or the QUOTEY_ variable that is named; config.md lists all keys.",
    "database": "`quotey db check`; a damaged file is restored from a backup, never worked around.",
    "dataset": "Mend the file and line that are named.",
    "failed": "Read the sentence; the correlation id leads to the audit.",
    "illegal_move": "Report it with the correlation id; it is a fault of Quotey.",
    "interrupted": "Repeat the command; what was committed stands, nothing is half done.",
    "lease_lost": "Nothing: another process took over and carries on.",
    "mapping": "`quotey crm mapping check`, then `quotey crm sync`; what waited goes by itself.",
    "not_connected": "`quotey crm connect <provider>`",
    "not_found": "One of the near matches, or the list that is named.",
    "refused": "Decide what the message asks for first.",
    "remote": "See the classes below.",
    "storage_busy": "Repeat it; another process held the database.",
    "unexpected": "Repeat it with `--debug` and report it with the correlation id.",
    "usage": "`--help` of the command.",
}
"""What to do about each code of an error."""

CLASSES = [
    ("`transient`", "6", "Tried again by itself, with growing pauses and a bound."),
    ("`rate_limit`", "6", "Tried again by itself after the delay that the CRM names."),
    (
        "`unknown`",
        "6",
        "It may have landed: the marker is read before it is sent again.",
    ),
    ("`auth`", "4", "The connection stops until `quotey crm connect <provider>`."),
    ("`mapping`", "5", "Held until the mapping changes, then it goes by itself."),
    ("`conflict`", "3", "Never sent again; a reconciliation waits in `quotey crm reconcile list`."),
    (
        "`permanent`",
        "3",
        "Never sent again; a reconciliation waits in `quotey crm reconcile list`.",
    ),
]
"""Class, exit code, and what happens."""

CODES = [
    # records of the CRM
    ("missing", "A required field is absent, null or blank.", "Mend the record or map a default."),
    ("malformed", "A value does not have the field's type.", "Mend the record or the transform."),
    ("unknown_value", "A value that the value map does not hold.", "Add it to the map."),
    ("missing_parent", "It names a record that is not mirrored.", "It comes in with its parent."),
    ("absent", "A recommended field is not in the record.", "Nothing, or map it elsewhere."),
    ("default_used", "A default stood in for an absent value.", "Nothing, or mend the record."),
    ("default_currency", "The connection's default currency was used.", "Nothing, or name one."),
    ("unread", "The source could not give the record.", "It is asked for again at each sync."),
    (
        "invalid_cursor",
        "The source does not know our place any more.",
        "It is read from its start.",
    ),
    ("create_in_flight", "A deal of ours may be this record.", "It is settled by the next sync."),
    # the connection
    ("read_again", "The record is asked for once more.", "It is read at the next sync."),
    ("rebound", "The record leads to another one since.", "It is read at the next sync."),
    (
        "field_not_shown",
        "The CRM hides a mapped field from us.",
        "Give the connection the right to read it.",
    ),
    (
        "deletions_lost",
        "Too long without a sync to hear of deletions.",
        "Compare by a full reading.",
    ),
    ("time_zone", "The CRM counts its day elsewhere.", "Set what is named."),
    ("currency", "The CRM's own currency is another.", "Set `default_currency`."),
    ("property_missing", "A property that is mapped is not there.", "Create it, or map another."),
    (
        "refused_by_definition",
        "The stub's definition of a property does not let it be written.",
        "Restore it: `quotey crm stub define NAME --restore`.",
    ),
    (
        "field_parked",
        "A new record lacks a required field that is parked.",
        "It comes in by itself once the field's own item is settled.",
    ),
    ("property_read_only", "A property that is written is read-only.", "Map it only inbound."),
    (
        "property_not_unique",
        "A key's property takes a value twice.",
        "Create a unique one, map it.",
    ),
    ("property_type", "A property cannot hold the field's values.", "Map one of the right type."),
    ("option_not_mapped", "A value that the value map does not hold.", "Add it to the map."),
    ("option_missing", "A mapped value that the CRM does not have.", "Mend map or list."),
    ("rule_missing", "A promised rule of the CRM is not in force.", "Deploy and activate it."),
    (
        "total_in_another_currency",
        "A quote's total is kept in a currency field, which shows the record's currency.",
        "Make the field a number.",
    ),
    ("rule_not_shown", "The CRM's rules cannot be read.", "See there that they are active."),
    ("api_version", "The CRM does not offer the version set.", "Set the one that is named."),
    ("budget", "Our own share of the CRM's quota is spent.", "It goes on when the time is over."),
    ("asked_to_wait", "Another process was asked to wait.", "It goes on when the time is over."),
    ("budgets", "`shared.db` cannot be used.", "Mend the disk; with nothing running, delete it."),
    ("daily_quota", "The rest of the day's quota is kept for writing.", "It goes on tomorrow."),
    ("not_sent", "The request did not leave this machine.", "It is tried again by itself."),
    (
        "no_answer",
        "The request left and nothing came back.",
        "It is looked at before it is sent again.",
    ),
    ("no_tool", "The gateway offers no way to do this.", "Allow the connection its proxy."),
    ("key_not_unique", "Two records of the CRM bear our key.", "Remove one of them in the CRM."),
    ("stuck", "The CRM gave the same page again.", "It is read again at the next sync."),
    # mapping files and data sets
    ("not_toml", "The file is not TOML.", "Mend the line that is named."),
    ("unknown_key", "A key that nobody reads.", "The near match is named."),
    ("unknown_field", "A field that the dictionary does not have.", "The near match is named."),
    ("unknown_word", "A word of a closed list was expected.", "The list is named."),
    ("unknown_currency", "No current ISO 4217 code.", "Write it as EUR."),
    ("wrong_type", "A text, number, list or table was expected.", "Write it as is shown."),
    ("missing_key", "A key is needed and not there.", "Add it."),
    ("missing_entity", "A whole section is missing.", "Add it."),
    ("missing_field", "A required field is not mapped.", "Map it."),
    ("bad_path", "The path cannot be read.", "Dotted names, as in `properties.name`."),
    ("bad_default", "The default does not have the field's type.", "Mend it."),
    ("bad_transform", "The transform does not fit the field.", "Mend it."),
    ("duplicate_path", "Two fields write to one property.", "Give each its own."),
    ("impossible_direction", "The field may not flow that way.", "See the field dictionary."),
    ("impossible_need", "A required field cannot be made optional.", "Leave it out."),
    ("impossible_policy", "The policy does not fit the direction.", "See the field dictionary."),
    ("impossible_provider", "The file is for another provider.", "Name the right one."),
    ("impossible_strategy", "The strategy does not fit the type.", "Choose another."),
    ("impossible_type", "A contract field keeps its type.", "Leave it out."),
    ("out_of_range", "A number is out of its range.", "The range is named."),
    ("outside", "A file outside the data set's folder.", "Put it inside."),
    ("dataset", "A row that cannot be read; the others are kept.", "Mend the line."),
    ("file", "A file that cannot be read.", "Mend its name or its rights."),
    ("mapping.unreadable", "The mapping file cannot be read.", "Mend its name or its rights."),
    # commands
    ("bad_value", "A value that cannot stand for the field.", "The sentence says why."),
    ("bad_attachment", "A file that cannot be attached.", "Put it into the attachment root."),
    ("currency_differs", "The quote is not in its deal's currency.", "Nothing is converted."),
    ("near_match", "A record with a name like the one asked for.", "Perhaps that one is meant."),
    ("no_approver", "An approval names nobody.", "Add `--approver`."),
    ("not_lockable", "A field that never changes.", "Nothing to lock."),
    ("not_writable", "A field that the CRM does not let us write.", "Change it in the CRM."),
    ("not_ours", "A field that only the CRM changes.", "Change it in the CRM."),
    ("not_the_sum", "The lines do not sum to the total.", "Mend one of them."),
    ("past_date", "A date that is over.", "Name a later one."),
    ("unknown_property", "The CRM does not know a property.", "Mend the mapping."),
    ("capability", "The adapter cannot do what it declares.", "Do not use it."),
    # settings
    ("config.connection", "A connection that is not configured.", "The near match is named."),
    ("config.option", "A key of a connection is wrong.", "The sentence says why."),
    ("config.syntax", "quotey.toml is not TOML.", "Mend the line that is named."),
    ("config.unknown_key", "A setting that there is not.", "The near match is named."),
    ("config.unreadable", "The settings file cannot be read.", "Mend its name or its rights."),
    ("config.value", "A setting has a wrong value.", "The sentence says what is expected."),
    # the database
    ("audit_broken", "The audit chain was changed by somebody.", "Compare with a backup."),
    (
        "database_altered",
        "A table or guard of the database is not as Quotey made it.",
        "Restore a backup.",
    ),
    ("database_damaged", "A page of the file is damaged.", "Restore the newest sound backup."),
    ("database_reference_broken", "A row leads nowhere.", "Restore the newest sound backup."),
    ("file_open_to_others", "Others may read the file.", "`chmod 600` it."),
    (
        "log_too_long",
        "The database's log cannot be emptied, because somebody reads it for too long.",
        "End what has it open; nothing is lost.",
    ),
]
"""Code of a diagnostic, meaning, and what to do; grouped by where it comes from."""
