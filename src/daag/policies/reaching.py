"""A policy for many small steps: how soon will the goal be reached, if this is done now?

For every step of an episode that reached its goal it is known how many steps were still to come. A network learns the
discounted value of each action: at least what the episode itself made of it, and at least what the best action of the next
moment promises. So it puts together the good parts of many aimless walks. Of episodes that missed what they were asked the
second alone is known; without them whatever was seen in a success would look good. Source: our choice; Q-learning (Sutton
and Barto, Reinforcement Learning, section 6.5) from hindsight's successes and failures, with the successes' returns as a
lower bound.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torch.nn import functional

from daag.episodes.episode import Episode
from daag.errors import ConfigError, EpisodeError, ModelError
from daag.policies.checkpoint import LearnerState, save_learner
from daag.policies.policy import Observation, StepSampler
from daag.policies.sightings import Sightings

FORMAT = "daag-reaching-1"


@dataclass(frozen=True)
class ReachingConfig:
    """All values are our choice; docs/policies.md has what was tried.

    Raises:
        ConfigError: a setting is out of range.
    """

    num_actions: int
    """Of the world; actions are numbered from 0."""
    mirror: tuple[int, ...] = ()
    """For each action the one that does the same in a mirrored picture (turn left: turn right); empty where there is none,
    and then nothing is mirrored in training."""
    hidden: int = 64
    discount: float = 0.9
    """Value of a goal one step farther away."""
    temperature: float = 0.01
    """Of the policy: actions are drawn with probabilities in proportion to value ** (1 / temperature)."""
    batch_size: int = 64
    """Half of them of failures, where there are any."""
    updates: int = 10
    """Gradient steps for each one that is asked for: they are small."""
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    target_rate: float = 0.02
    """By how much the network that judges the next moment, and acts, follows the one that is trained, each step."""

    def __post_init__(self) -> None:
        if self.num_actions < 2 or not 0.0 < self.discount < 1.0 or self.temperature <= 0.0:
            raise ConfigError(
                f"expected 2 actions or more, a discount in (0, 1) and a temperature, got {self}"
            )
        twice = [self.mirror[other] for other in self.mirror if other in range(len(self.mirror))]
        if self.mirror and twice != list(range(self.num_actions)):
            raise ConfigError(
                f"mirror must pair {self.num_actions} actions, each the other's mirror or its own, got {self.mirror}"
            )


class ReachingPolicy:
    """Draws the actions after which the goal is near. A policy for numbered actions.

    Args:
        network: from what is known of a moment to logits of values; its weights may change later, as a learner goes on.
        config: that it was made from.
        sightings: what it is told of a moment.
    """

    def __init__(self, network: nn.Module, config: ReachingConfig, sightings: Sightings) -> None:
        self.network, self.config, self.sightings = network, config, sightings

    def act(
        self, observation: Observation, instruction: str, rng: np.random.Generator
    ) -> Float32[np.ndarray, "1"]:
        """The number of an action, as the one entry of an array.

        Args:
            observation: with depth and what was before, where the world has them.
            instruction: what to do, "go to the red ball".
            rng: from which the action is drawn.
        """
        known = torch.from_numpy(self.known(observation, instruction))[None]
        with torch.inference_mode():
            values = functional.logsigmoid(self.network(known))[0].double().numpy()
        odds = np.exp((values - values.max()) / self.config.temperature)
        return np.array([rng.choice(len(odds), p=odds / odds.sum())], dtype=np.float32)

    def known(self, observation: Observation, instruction: str) -> Float32[np.ndarray, "S"]:
        """What is seen now and was before, and what was done in between, one-hot, latest first."""
        done = np.zeros((self.sightings.memory, self.config.num_actions), dtype=np.float32)
        moment: Observation | None = observation
        for row in done:
            if moment is None or moment.action is None:
                break
            row[_number(moment.action, self.config.num_actions)] = 1.0
            moment = moment.previous
        return np.concatenate([self.sightings.read(observation, instruction), done.reshape(-1)])

    def mirrored(self, known: Float32[np.ndarray, "B S"]) -> Float32[np.ndarray, "B S"]:
        """The same in a mirrored world."""
        split = self.sightings.size
        done = known[:, split:].reshape(len(known), -1, self.config.num_actions)[
            ..., list(self.config.mirror)
        ]
        return np.concatenate(
            [self.sightings.mirrored(known[:, :split]), done.reshape(len(known), -1)], axis=1
        )


class Reaching:
    """Learns a `ReachingPolicy` from steps of episodes that reached their goal, and of such as did not.

    Weights and the optimizer's state stay from one `fit` to the next. Equal seeds, batches and numbers of threads give
    equal weights. What is known of a step is kept, since it takes longer to find out than to learn from.

    Args:
        config: sizes and rates.
        sightings: what the policy is told of a moment; must stay the same, as the network learns its meaning.
        seed: of the first weights.
    """

    def __init__(self, config: ReachingConfig, sightings: Sightings, seed: int) -> None:
        self.config = config
        size = sightings.size + sightings.memory * config.num_actions
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._trained, follower = (_network(size, config) for _ in range(2))
        follower.load_state_dict(self._trained.state_dict())
        self.policy = ReachingPolicy(follower, config, sightings)
        self._optimizer = torch.optim.AdamW(
            self._trained.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self._kept: dict[tuple[str, int, str], Float32[np.ndarray, S]] = {}

    learns_from_failures = True

    def fit(
        self, draw: StepSampler, num_updates: int, seed: int, failed: StepSampler | None = None
    ) -> dict[str, float]:
        """Learn from the steps that `draw` gives, as ways to the goal, and from those of `failed`, as ways past it.

        Returns:
            `loss`, cross entropy in nats, over the last tenth of the updates; empty for none.

        Raises:
            EpisodeError: an episode's actions are no numbers from 0 to `num_actions` - 1.
        """
        rng = np.random.default_rng(seed)
        losses: list[float] = []
        total = num_updates * self.config.updates
        size = self.config.batch_size
        for update in range(total):
            missed = [] if failed is None else list(failed(size // 2, rng))
            loss = self._loss(draw(size - len(missed), rng), missed, rng)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            with torch.no_grad():
                pairs = zip(self.policy.network.parameters(), self._trained.parameters(), strict=True)
                for slow, fast in pairs:
                    slow.lerp_(fast, self.config.target_rate)
            if update >= total - max(1, total // 10):
                losses.append(loss.item())
        return {"loss": float(np.mean(losses))} if losses else {}

    def save(self, path: Path) -> None:
        """Write weights, optimizer state and settings into one file."""
        follower = {f"follower.{name}": value for name, value in self.policy.network.state_dict().items()}
        save_learner(path, FORMAT, self._trained, self._optimizer, asdict(self.config), follower)

    @classmethod
    def load(cls, path: Path, sightings: Sightings) -> "Reaching":
        """Read what `save` wrote, ready to act and to learn on.

        Raises:
            ModelError: there is no such file, or it is not of this learner or of another architecture.
        """
        saved = LearnerState.read(path, FORMAT)
        try:
            config = ReachingConfig(**{**saved.settings, "mirror": tuple(saved.settings["mirror"])})
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the settings in {path} are of another architecture: {error!r}") from error
        learner = cls(config, sightings, 0)
        saved.restore(learner._trained, learner._optimizer)
        saved.restore_part("follower", learner.policy.network)
        return learner

    def _loss(
        self,
        reached: Sequence[tuple[Episode, int]],
        missed: Sequence[tuple[Episode, int]],
        rng: np.random.Generator,
    ) -> Tensor:
        steps = [*reached, *missed]
        now, then = (np.stack([self._known(episode, t + i) for episode, t in steps]) for i in (0, 1))
        actions = np.array(
            [_number(episode.actions[t], self.config.num_actions, episode.id) for episode, t in steps]
        )
        if self.config.mirror:
            turned = rng.random(len(steps)) < 0.5
            now, then = (np.where(turned[:, None], self.policy.mirrored(each), each) for each in (now, then))
            actions = np.where(turned, np.array(self.config.mirror)[actions], actions)
        left = torch.full((len(steps),), torch.inf)
        left[: len(reached)] = torch.tensor([float(episode.num_steps - 1 - t) for episode, t in reached])
        discount = self.config.discount
        with torch.no_grad():
            promised = discount * torch.sigmoid(self.policy.network(torch.from_numpy(then))).amax(1)
            value = torch.where(left == 0, torch.ones(()), torch.maximum(discount**left, promised))
        logits = self._trained(torch.from_numpy(now))
        chosen = logits.gather(1, torch.from_numpy(actions)[:, None])[:, 0]
        return functional.binary_cross_entropy_with_logits(chosen, value)

    def _known(self, episode: Episode, step: int) -> Float32[np.ndarray, "S"]:
        key = (episode.id, step, episode.instruction)
        if key not in self._kept:
            seen = Observation.of(episode, step, self.policy.sightings.memory)
            self._kept[key] = self.policy.known(seen, episode.instruction)
        return self._kept[key]


def _network(size: int, config: ReachingConfig) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(size, config.hidden),
        nn.Tanh(),
        nn.Linear(config.hidden, config.hidden),
        nn.Tanh(),
        nn.Linear(config.hidden, config.num_actions),
    )


def _number(action: Float32[np.ndarray, "A"], num_actions: int, episode_id: str = "") -> int:
    if action.shape != (1,) or float(action[0]) not in range(num_actions):
        raise EpisodeError(
            f"episode {episode_id!r}: expected actions 0 to {num_actions - 1} as one number each, got {action.tolist()}"
        )
    return int(action[0])
