"""The certificate: what the conformance suite found of each adapter, to read and to keep.

Running needs the extra `testing`; reading and drawing a certificate does not.
"""

from quotey.testing.certificate.certificate import (
    Candidate,
    Cell,
    Certificate,
    Promise,
    Result,
    State,
    read_certificate,
    write_certificate,
)

__all__ = [
    "Candidate",
    "Cell",
    "Certificate",
    "Promise",
    "Result",
    "State",
    "read_certificate",
    "write_certificate",
]
