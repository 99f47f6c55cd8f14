"""A real, small language model: behind `transformers serve`, in this process, and from its GGUF file. `make llm` runs this.

It is too small to plan. What must hold: every answer is a valid plan or a counted failure, and the constraint constrains.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.small_language_model import as_directory, default_cache, fetch, serving

from daag.errors import LanguageError, PlannerError
from daag.llm import ChatConfig, ChatPlanner
from daag.llm.chat_client import ChatClient
from daag.llm.local_model import LocalConfig, LocalModel
from daag.tasks import STACKING, Fact, Subgoal

pytestmark = pytest.mark.slow
MAX_TOKENS = 300
"""More than any right answer takes; a small model that nothing holds to a form goes on until it is stopped."""
INSTRUCTION = "put the crimson brick upon the blue one, a cube too"


@pytest.fixture(scope="module")
def directory() -> Path:
    return as_directory(default_cache())


@pytest.fixture(scope="module")
def url(directory: Path) -> Iterator[str]:
    with serving(directory) as url:
        yield url


@pytest.fixture(scope="module")
def local(directory: Path) -> LocalModel:
    return LocalModel.load(LocalConfig(str(directory), max_tokens=MAX_TOKENS))


def served(url: str, directory: Path, timeout_seconds: float = 600.0, attempts: int = 5) -> ChatClient:
    config = ChatConfig(
        url, directory.name, timeout_seconds=timeout_seconds, attempts=attempts, max_tokens=MAX_TOKENS
    )
    return ChatClient(config, {})


def check_stages(planner: ChatPlanner) -> None:
    usage = planner.model.usage
    try:
        stages = planner.decompose(INSTRUCTION)
    except LanguageError:
        assert usage.failures == 0
    except PlannerError:
        assert usage.failures == 1
    else:
        for stage in stages:
            STACKING.check(Fact.parse(stage.description))
    assert usage.questions == 1 and usage.requests >= 1 and usage.completion_tokens > 0


def test_a_served_model_gives_valid_stages_or_a_counted_failure(url: str, directory: Path) -> None:
    check_stages(ChatPlanner(served(url, directory)))


def test_a_served_model_that_is_given_no_time_is_a_counted_fault_and_answers_the_next(
    url: str, directory: Path
) -> None:
    hurried = served(url, directory, timeout_seconds=0.2, attempts=1)
    with pytest.raises(PlannerError, match="seconds"):
        ChatPlanner(hurried).decompose(INSTRUCTION)
    assert (hurried.usage.faults, hurried.usage.failures) == (1, 1)
    check_stages(ChatPlanner(served(url, directory)))


def test_the_same_model_in_this_process_gives_replies_of_the_form_that_was_asked_for(
    local: LocalModel,
) -> None:
    check_stages(ChatPlanner(local))
    scene = ("red cube", "green cube", "blue cube")
    goal = Subgoal("the red cube is on the blue cube", "stack the red cube on the blue cube")
    before = local.usage.invalid_replies
    try:
        ChatPlanner(local).propose_edit("the green cube is on the blue cube", goal, scene)
    except PlannerError as error:
        # Well formed, and contradicts the scene: what no schema can forbid.
        assert "expected one JSON object" not in str(error) and "Field required" not in str(error)
        assert local.usage.invalid_replies == before + 2


def test_the_gguf_file_is_read_as_it_is(local: LocalModel) -> None:
    read = LocalModel.load(LocalConfig(str(fetch(default_cache()))))
    assert read.name.split("@")[1] == local.name.split("@")[1]  # the same weights and words
