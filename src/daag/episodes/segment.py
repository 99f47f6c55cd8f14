"""The part of an episode that led to something, as an episode of its own."""

from dataclasses import replace

import numpy as np

from daag.episodes.episode import Achievement, Episode, Provenance, WorldState
from daag.errors import EpisodeError


def cut(
    episode: Episode,
    start: int,
    end: int,
    instruction: str,
    *,
    id: str,
    provenance: Provenance,
) -> Episode:
    """Cut out the segment that reached a subgoal, as a demonstration of it.

        observation   0   1   2   3   4          cut(episode, 1, 3, ...):   0   1   2
        frame         0.8.16..24..32                                        0.8.16
        reward          0   0   0   1                                         0   1

    Args:
        episode: what was done; it stays as it is, and the segment's arrays are views of its.
        start: the observation from which the segment runs, 0..T-1.
        end: the observation that shows the subgoal, start+1..T; it becomes the segment's last.
        instruction: the subgoal's, which becomes the segment's.
        id: the segment's own; derive it from the episode's, so that cutting again gives the same.
        provenance: the segment's own: origin, source episode and (start, end).

    Returns:
        An episode of end - start steps with the frames between its observations: reward 1 at the last step and 0
        before, terminated, with depth, normals, segmentation, state and world state cut alike and the achievements
        that came about within it.

    Raises:
        EpisodeError: `start` and `end` do not lie within the episode in this order.
    """
    if not 0 <= start < end <= episode.num_steps:
        raise EpisodeError(
            f"episode {episode.id!r}: expected a segment within 0 <= start < end <= {episode.num_steps}, "
            f"got start {start} and end {end}"
        )
    index = episode.observation_index[start : end + 1]
    frames = slice(int(index[0]), int(index[-1]) + 1)
    rewards = np.zeros(end - start, dtype=np.float32)
    rewards[-1] = 1.0
    world_state = episode.world_state
    return replace(
        episode,
        id=id,
        instruction=instruction,
        frames=episode.frames[frames],
        observation_index=index - index[0],
        actions=episode.actions[start:end],
        rewards=rewards,
        terminated=True,
        truncated=False,
        state=None if episode.state is None else episode.state[start : end + 1],
        depth=None if episode.depth is None else episode.depth[frames],
        normals=None if episode.normals is None else episode.normals[frames],
        segmentation=None if episode.segmentation is None else episode.segmentation[frames],
        world_state=None if world_state is None else WorldState(world_state.scene, world_state.qpos[frames]),
        achievements=tuple(
            Achievement(found.description, max(found.start - start, 0), found.end - start, found.score)
            for found in episode.achievements
            if start < found.end <= end
        ),
        provenance=provenance,
    )
