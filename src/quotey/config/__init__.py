"""Settings: quotey.toml, then QUOTEY_*, then flags, become one frozen value.

Nothing here opens a database or an adapter; a connection's own table stays opaque.
"""

from quotey.config.keys import KEYS
from quotey.config.reading import expanded, load_settings
from quotey.config.settings import Connection, Limits, Log, Settings

__all__ = ["KEYS", "Connection", "Limits", "Log", "Settings", "expanded", "load_settings"]
