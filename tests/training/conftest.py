import pytest

from training.project import LENET, Project


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture
def lenet(project):
    project.net.write_text(LENET.format(db=project.folder / "db"))
    return project
