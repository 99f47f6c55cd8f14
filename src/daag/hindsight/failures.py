"""What was tried, or could have been, and was not achieved: a learner of values needs both halves of experience.

Where only successes are learnt from, an action that never works looks no worse than one that always does.
Source: our choice; the paper keeps all experience "regardless of the task or the outcome".
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from daag.episodes import Episode
from daag.errors import LanguageError, PlannerError
from daag.llm.planner import Planner


class Failures:
    """The latest real episodes, each with what it was asked, or could have been asked, and did not achieve.

    Args:
        planner: says what could have been asked.
        relabel: whether that counts too; else only what was asked. As for successes, see `HindsightConfig.relabel`.
        at_most: how many episodes are kept, in main memory.
    """

    def __init__(self, planner: Planner, relabel: bool, at_most: int = 200) -> None:
        self._planner, self._relabel, self.at_most = planner, relabel, at_most
        self._kept: deque[tuple[Episode, tuple[str, ...]]] = deque(maxlen=at_most)

    def extend(self, episodes: Iterable[Episode]) -> None:
        """Add labelled episodes, in the order in which they were played."""
        for episode in episodes:
            try:
                missed = self._missed(episode)
            except PlannerError:  # nothing is known of what it could have been asked
                missed = []
            self._kept.append((episode, tuple(dict.fromkeys(missed))))

    def sample(self, batch_size: int, rng: np.random.Generator) -> list[tuple[Episode, int]]:
        """Draw steps with replacement: an episode, something that it missed as its instruction, and a step of it.

        Args:
            batch_size: how many; where nothing has failed yet, none is drawn.
            rng: where the randomness comes from.
        """
        drawn, kept = [], [each for each in self._kept if each[1]]
        for index in rng.integers(len(kept), size=batch_size) if kept else ():
            episode, missed = kept[int(index)]
            instruction = missed[int(rng.integers(len(missed)))]
            drawn.append((replace(episode, instruction=instruction), int(rng.integers(episode.num_steps))))
        return drawn

    def _missed(self, episode: Episode) -> list[str]:
        goals = [*self._planner.decompose(episode.instruction)]
        for description in self._planner.describe(episode.objects) if self._relabel else ():
            try:
                goals += self._planner.decompose(description)
            except LanguageError:  # a description that nobody could be asked to bring about
                continue
        achieved = [found.description for found in episode.achievements]
        return [
            goal.instruction
            for goal in goals
            if not any(self._planner.compare(each, goal.description) for each in achieved)
        ]
