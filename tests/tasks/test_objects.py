"""Names of objects."""

import pytest

from daag.errors import LanguageError
from daag.tasks import CARRYING_KINDS, COLOURS, STACKING, Look, all_looks


@pytest.mark.parametrize("look", all_looks(STACKING.kinds), ids=str)
def test_every_look_is_read_back_from_its_name(look):
    assert Look.parse(str(look)) == look


def test_all_looks_are_every_colour_with_every_kind_once():
    assert (
        len(set(all_looks(STACKING.kinds)))
        == len(all_looks(STACKING.kinds))
        == len(COLOURS) * len(STACKING.kinds)
    )
    assert {look.kind for look in all_looks(CARRYING_KINDS)} == set(CARRYING_KINDS)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("cube", "'red cube', got 'cube'"),
        ("big red cube", "got 'big red cube'"),
        ("", "got ''"),
        ("pink cube", "'pink' and 'cube'"),
        ("red table", "'red' and 'table'"),
        ("cube red", "'cube' and 'red'"),
    ],
)
def test_a_name_that_is_no_colour_and_kind_is_an_error_that_quotes_it(name, named):
    with pytest.raises(LanguageError, match=named):
        Look.parse(name)
