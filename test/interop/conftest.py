"""What all tests share: one server of a whole model repository."""
import models
import pytest
from server import Server


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    directory = tmp_path_factory.mktemp("models")
    models.lay_out(directory)
    return directory


@pytest.fixture(scope="session")
def server(repository):
    with Server("--models", repository) as running:
        yield running
