"""Taking secrets out of texts before anybody may see them (guarantee G8)."""

from __future__ import annotations

from collections.abc import Mapping

from quotey.contract.secret import Secret, shapes

HIDDEN = "(hidden)"


def redacted(text: str, headers: Mapping[str, str | Secret]) -> str:
    """Give the text without the secrets that stand in these headers.

    >>> redacted("key ak_1 refused", {"x-api-key": Secret("ak_1")})
    'key (hidden) refused'
    """
    secrets = (value.reveal() for value in headers.values() if isinstance(value, Secret))
    forms = {form for secret in secrets if secret for form in shapes(secret)}
    for secret in sorted(forms, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text
