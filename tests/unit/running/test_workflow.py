"""Where the workflow is found: in an installed package, else in the clone."""

import pytest

from slidecaf.errors import SlidecafError
from slidecaf.running.workflow import profile_folder, workflow_root


def test_the_packages_own_workflow_comes_before_the_clone(tmp_path):
    package = tmp_path / "src/slidecaf"
    package.mkdir(parents=True)
    with pytest.raises(SlidecafError, match=r"the workflow is missing: neither .* has a Snakefile; install slidecaf"):
        workflow_root(package)
    (tmp_path / "Snakefile").touch()
    assert workflow_root(package) == tmp_path
    (package / "workflow").mkdir()
    (package / "workflow/Snakefile").touch()
    assert workflow_root(package) == package / "workflow"


def test_this_clone_has_snakefile_and_demo_config(repository):
    assert workflow_root() == repository
    assert (workflow_root() / "config.yaml").is_file()


def test_a_profile_is_one_of_ours_or_a_folder_of_the_users(tmp_path, repository):
    assert profile_folder("slurm") == repository / "profiles/slurm"
    (tmp_path / "config.yaml").write_text("cores: 1\n")
    assert profile_folder(str(tmp_path)) == tmp_path
    with pytest.raises(SlidecafError, match=r"there is no profile slrum; give one of default, slurm, or a folder"):
        profile_folder("slrum")
