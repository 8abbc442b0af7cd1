"""Deterministic names: local ids, content hashes, payload digests. No chance and no clock.

Ids of things that begin here (quotes, operations) are injected; only mirrored records are named
here, and only once: an id is never derived again (design section 9).
"""

from __future__ import annotations

import hashlib

import msgspec

from quotey.contract.dto import Canonical, RemoteRecord
from quotey.contract.fields import Entity

ID_PREFIX = {Entity.ACCOUNT: "acc_", Entity.CONTACT: "con_", Entity.DEAL: "deal_"}

_ENCODER = msgspec.json.Encoder(order="deterministic")


def canonical_json(value: object) -> bytes:
    """Write JSON in one way only: sorted keys, no spaces, Decimals as texts.

    Raises `UnicodeEncodeError` for half a surrogate pair, which no checked value holds.

    >>> canonical_json({"b": 1, "a": None})
    b'{"a":null,"b":1}'
    """
    return _ENCODER.encode(value)


def local_id(connection: str, entity: Entity, crm_ref: str) -> str:
    """Name a mirrored record by where it came from; the same for ever.

    Source: seed 2.2.1, 8.2.

    >>> local_id("main", Entity.DEAL, "512")
    'deal_9e5312e4b9f4dba3'
    """
    whole = f"{len(connection)}:{connection}{entity}:{crm_ref}".encode("utf-8", "surrogatepass")
    return ID_PREFIX[entity] + hashlib.sha256(whole).hexdigest()[:16]


def content_hash(fingerprint: str, record: RemoteRecord) -> str:
    """Hash what a record says and how it was understood: equal hash, nothing new to learn.

    Covers the entity's mapping fingerprint, the raw payload and what the source says of its end.
    """
    flags = f"{fingerprint}\n{record.deleted:d}{record.merged_into or ''}\n"
    digest = hashlib.blake2b(flags.encode("utf-8", "surrogatepass"), digest_size=16)
    digest.update(record.payload)
    return digest.hexdigest()


def payload_digest(payload: Canonical) -> str:
    """Hash what is written out (sha256 of its canonical JSON); part of the marker.

    >>> payload_digest({"b": "1", "a": None}) == payload_digest({"a": None, "b": "1"})
    True
    """
    return hashlib.sha256(canonical_json(payload)).hexdigest()


def quote_key(instance: str, quote_id: str, version: int) -> str:
    """Give the idempotency key of writing a version of a quote; the same for ever (seed 5.4).

    >>> quote_key("ins_1", "q_7", 3)
    'ins_1/q_7/3'
    """
    return f"{instance}/{quote_id}/{version}"
