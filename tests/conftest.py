"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# An example that takes its time on a busy machine is no fault.
settings.register_profile("batchbook", deadline=None)
settings.load_profile("batchbook")
