"""Tasks and their stages, in the paper's words."""

from dataclasses import dataclass

from daag.errors import LanguageError


@dataclass(frozen=True)
class Task:
    """What the agent is asked to do: the paper's T."""

    instruction: str
    """An English sentence, imperative: "stack the red cube on the blue cube"."""

    def __post_init__(self) -> None:
        if not self.instruction.strip():
            raise LanguageError(
                "expected an instruction such as 'stack the red cube on the blue cube', got none"
            )


@dataclass(frozen=True)
class Subgoal:
    """One stage of a task: the paper's T_k."""

    description: str
    """What must be visible, "the red cube is on the blue cube". The reward detector scores this."""

    instruction: str
    """What to do, "stack the red cube on the blue cube". The policy is conditioned on this."""
