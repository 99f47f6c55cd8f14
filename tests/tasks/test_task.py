"""Tasks."""

import pytest

from daag.errors import LanguageError
from daag.tasks import Task


@pytest.mark.parametrize("instruction", ["", "  ", "\n"])
def test_a_task_needs_an_instruction(instruction):
    with pytest.raises(LanguageError, match="got none"):
        Task(instruction)


def test_a_task_keeps_its_instruction_as_it_was_given():
    assert Task("Stack the red cube on the blue cube!").instruction == "Stack the red cube on the blue cube!"
