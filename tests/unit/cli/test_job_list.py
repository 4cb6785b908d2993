import json

from outspread.cli.job_list import json_list, name_list
from outspread.project.model import Job

JOBS = [Job("a:b-1:s/t:v#2", "a", "b-1", "s/", "s/t", "v", 2, 3, 50), Job("a:b-1:s/u", "a", "b-1", "s/", "s/u")]


def test_names_are_lines() -> None:
    assert name_list(JOBS) == "a:b-1:s/t:v#2\na:b-1:s/u\n"
    assert name_list([]) == ""


def test_json_is_an_array_of_objects() -> None:
    assert json.loads(json_list(JOBS)) == [
        {
            "name": "a:b-1:s/t:v#2",
            "backend": "a",
            "system": "b-1",
            "suite": "s/",
            "task": "s/t",
            "variant": "v",
            "sample": 2,
            "priority": 50,
        },
        {
            "name": "a:b-1:s/u",
            "backend": "a",
            "system": "b-1",
            "suite": "s/",
            "task": "s/u",
            "variant": "",
            "sample": 1,
            "priority": 0,
        },
    ]
    assert json.loads(json_list([])) == []
