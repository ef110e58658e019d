import re

from payproc.bootstrap import settings_type
from tests.support.databases import ROOT

README = (ROOT / "README.md").read_text()


def test_the_settings_table_names_every_setting_and_no_other() -> None:
    named = set(re.findall(r"^\| `([A-Z_]+)` \|", README, flags=re.MULTILINE))
    assert named == {name.upper() for name in settings_type().model_fields} | {
        "FLOWER_BASIC_AUTH",
        "FLOWER_ADDRESS",
        "FLOWER_PORT",
        "FLOWER_DB",
    }


def test_every_file_it_points_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
