"""Rules that make files of one kind are told apart by names, taken as they are."""

import re

from slidecaf.running.jobs.wildcards import one_of


def test_a_rule_makes_what_has_one_of_its_names_and_no_other():
    own = one_of(["uni.v1", "tuned@fold-0"])
    assert [bool(re.fullmatch(own, name)) for name in ("uni.v1", "tuned@fold-0", "uni-v1", "tuned@fold-00", "")] == [
        *(True, True),
        *(False, False, False),
    ]
    assert not re.fullmatch(one_of([]), "")
