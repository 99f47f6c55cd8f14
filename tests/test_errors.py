"""What daag raises can be caught by one name, crosses process boundaries, and helps."""

import inspect
import pickle

import pytest

from daag import errors
from daag.errors import (
    ConfigError,
    DaagError,
    DaagWarning,
    EpisodeError,
    LanguageError,
    PlannerError,
    UnknownNameError,
)

CLASSES = [
    value for value in vars(errors).values() if inspect.isclass(value) and value.__module__ == errors.__name__
]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_is_a_daag_error_and_says_in_its_docstring_when_it_is_raised(error):
    assert issubclass(error, DaagError | DaagWarning)
    assert "__doc__" in vars(error) and error.__doc__.endswith(".")


@pytest.mark.parametrize("error", [ConfigError, EpisodeError, LanguageError])
def test_errors_about_values_can_be_caught_as_value_errors(error):
    with pytest.raises(ValueError, match="expected 3"):
        raise error("expected 3, got 4")


def test_a_sentence_that_the_planner_does_not_understand_is_a_planner_error():
    assert issubclass(LanguageError, PlannerError)


def test_an_unknown_name_is_answered_with_the_nearest_and_with_all_known_names():
    message = str(UnknownNameError("arm", "relabell", ["none", "relabel", "hea"]))
    assert message == "unknown arm 'relabell'. Did you mean 'relabel'? Known: hea, none, relabel."


def test_a_name_that_resembles_none_is_not_answered_with_a_guess():
    message = str(UnknownNameError("world", "xyzzy", ["rgb-stacking", "room"]))
    assert message == "unknown world 'xyzzy'. Known: rgb-stacking, room."


@pytest.mark.parametrize(
    "error", [EpisodeError("e1: no steps"), UnknownNameError("arm", "he", iter(["hea", "none"]))]
)
def test_an_error_raised_in_a_worker_process_arrives_with_its_message(error):
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
