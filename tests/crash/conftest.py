"""The folders of the integration tests."""

from tests.integration.conftest import folder, new_folder

__all__ = ["folder", "new_folder"]
