"""sysid: classical systems identification in which reservoirs are state-space models."""

