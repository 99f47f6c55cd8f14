"""A policy for many small steps: how soon will the goal be reached, if this is done now?

For every step of an episode that reached its goal it is known how many steps were still to come. A network learns the
discounted value of each action: at least what the episode itself made of it, and at least what the best action of the next
moment promises. So it puts together the good parts of many aimless walks. Of episodes that missed what they were asked the
second alone is known; without them whatever was seen in a success would look good. Source: our choice; Q-learning (Sutton
and Barto, Reinforcement Learning, section 6.5) from hindsight's successes and failures, with the successes' returns as a
lower bound.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from daag.episodes.episode import Episode
from daag.errors import ConfigError, ModelError
from daag.policies.actions import ActionSpace
from daag.policies.checkpoint import LearnerState, save_learner
from daag.policies.policy import Observation, StepSampler
from daag.policies.reader import Known, Moments, Reader
from daag.policies.values import ValueNetwork

FORMAT = "daag-reaching-2"

ACTING_CANDIDATES = 64
"""Actions among which the policy chooses, where there are endlessly many."""


@dataclass(frozen=True)
class ReachingConfig:
    """All values are our choice; docs/policies.md has what was tried.

    Raises:
        ConfigError: a setting is out of range.
    """

    hidden: int = 128
    """Units of each of two layers."""
    candidates: int = 12
    """Actions of which the best promises what the next moment is worth, where there are endlessly many."""
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
    anew: bool = False
    """Whether each training begins with new weights, and warms up and cools down (Smith and Topin, arXiv:1708.07120), instead of
    going on: what was made of the first few examples is hard to unlearn (Nikishin et al., arXiv:2205.07802)."""

    def __post_init__(self) -> None:
        if self.candidates < 1 or not 0.0 < self.discount < 1.0 or self.temperature <= 0.0:
            raise ConfigError(
                f"expected a candidate or more, a discount in (0, 1) and a temperature, got {self}"
            )


class ReachingPolicy:
    """Draws the actions after which the goal is near.

    Args:
        network: values actions; its weights may change later, as a learner goes on.
        config: that it was made from.
        actions: what can be done.
        reader: what it is told of a moment.
    """

    def __init__(
        self, network: ValueNetwork, config: ReachingConfig, actions: ActionSpace, reader: Reader
    ) -> None:
        self.network, self.config, self.actions, self.reader = network, config, actions, reader

    def act(
        self, observation: Observation, instruction: str, rng: np.random.Generator
    ) -> Float32[np.ndarray, "A"]:
        """An action of the world.

        Args:
            observation: with depth, the own state and what was before, where the world has them.
            instruction: what to do, "go to the red ball".
            rng: from which the action is drawn.
        """
        codes = self.actions.candidates(ACTING_CANDIDATES, rng)
        with torch.inference_mode():
            seen = self.network.see(*Moments.of([self.known(observation, instruction)]).tensors)
            logits = self.network.judge_each(seen, torch.from_numpy(codes))[0]
            values = functional.logsigmoid(logits).double().numpy()
        odds = np.exp((values - values.max()) / self.config.temperature)
        return self.actions.decode(codes[rng.choice(len(codes), p=odds / odds.sum())])

    def known(self, observation: Observation, instruction: str) -> Known:
        """What is seen now and was before, and the codes of what was done in between, latest first."""
        done = np.zeros((self.reader.memory, self.actions.size), dtype=np.float32)
        pictures: list[UInt8[np.ndarray, "H W 3"]] = []
        moment: Observation | None = observation
        for past in range(self.reader.memory + 1):
            if past < self.network.eyes.num_pictures:
                pictures.append(np.zeros_like(observation.rgb) if moment is None else moment.rgb)
            if moment is None:
                continue
            if past < len(done) and moment.action is not None:
                done[past] = self.actions.encode(moment.action)
            moment = moment.previous
        numbers = np.concatenate([self.reader.read(observation, instruction), done.reshape(-1)])
        return Known(numbers, tuple(pictures))

    def mirrored(self, known: Moments) -> Moments:
        """The same in a mirrored world."""
        told, done = np.split(known.numbers, [self.reader.size], axis=1)
        codes = self.actions.mirrored(done.reshape(len(done), -1, self.actions.size)).reshape(done.shape)
        numbers = np.concatenate([self.reader.mirrored(told), codes], axis=1)
        return Moments(numbers, known.pictures[..., ::-1, :])


class Reaching:
    """Learns a `ReachingPolicy` from steps of episodes that reached their goal, and of such as did not.

    Weights and the optimizer's state stay from one `fit` to the next, unless the config says `anew`. Equal seeds, batches and numbers of threads give
    equal weights. What is known of a step is kept, since it takes longer to find out than to learn from.

    Args:
        actions: what can be done in the world.
        reader: what the policy is told of a moment; must stay the same, as the network learns its meaning.
        seed: of the first weights.
        config: sizes and rates.
    """

    def __init__(
        self, actions: ActionSpace, reader: Reader, seed: int, config: ReachingConfig | None = None
    ) -> None:
        self.config = config = config or ReachingConfig()
        self._trained = _network(actions, reader, config, seed)
        self.policy = ReachingPolicy(deepcopy(self._trained), config, actions, reader)
        self._optimizer = self._make_optimizer()
        self._kept: dict[tuple[str, int, str], Known] = {}

    learns_from_failures = True

    def fit(
        self, draw: StepSampler, num_updates: int, seed: int, failed: StepSampler | None = None
    ) -> dict[str, float]:
        """Learn from the steps that `draw` gives, as ways to the goal, and from those of `failed`, as ways past it.

        Returns:
            `loss`, cross entropy in nats, over the last tenth of the updates; empty for none.

        Raises:
            EpisodeError: an episode's actions are none of the world's.
        """
        rng = np.random.default_rng(seed)
        losses: list[float] = []
        total, size = num_updates * self.config.updates, self.config.batch_size
        rates: LRScheduler | None = None
        if self.config.anew and total:
            new = _network(self._actions, self.policy.reader, self.config, seed).state_dict()
            self._trained.load_state_dict(new)
            self.policy.network.load_state_dict(new)
            self._optimizer = self._make_optimizer()
            rates = OneCycleLR(self._optimizer, self.config.learning_rate, total_steps=total, pct_start=0.1)
        for update in range(total):
            missed = [] if failed is None else list(failed(size // 2, rng))
            loss = self._loss(draw(size - len(missed), rng), missed, rng)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            if rates is not None:
                rates.step()
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

    @property
    def _actions(self) -> ActionSpace:
        return self.policy.actions

    @classmethod
    def load(cls, path: Path, actions: ActionSpace, reader: Reader) -> "Reaching":
        """Read what `save` wrote, ready to act and to learn on.

        Raises:
            ModelError: there is no such file, or it is not of this learner or of another architecture.
        """
        saved = LearnerState.read(path, FORMAT)
        try:
            config = ReachingConfig(**saved.settings)
        except TypeError as error:
            raise ModelError(f"the settings in {path} are of another architecture: {error!r}") from error
        learner = cls(actions, reader, 0, config)
        saved.restore(learner._trained, learner._optimizer)
        saved.restore_part("follower", learner.policy.network)
        return learner

    def _make_optimizer(self) -> torch.optim.AdamW:
        config = self.config
        return torch.optim.AdamW(
            self._trained.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )

    def _loss(
        self,
        reached: Sequence[tuple[Episode, int]],
        missed: Sequence[tuple[Episode, int]],
        rng: np.random.Generator,
    ) -> Tensor:
        steps = [*reached, *missed]
        now, then = (Moments.of([self._known(episode, t + i) for episode, t in steps]) for i in (0, 1))
        codes = np.stack([self._actions.encode(episode.actions[t], episode.id) for episode, t in steps])
        if self._actions.mirror:
            turned = rng.random(len(steps)) < 0.5
            now, then = (each.where(turned, self.policy.mirrored(each)) for each in (now, then))
            codes = np.where(turned[:, None], self._actions.mirrored(codes), codes)
        left = torch.full((len(steps),), torch.inf)
        left[: len(reached)] = torch.tensor([float(episode.num_steps - 1 - t) for episode, t in reached])
        discount = self.config.discount
        with torch.no_grad():
            promised = discount * torch.sigmoid(self._best(then, rng))
            value = torch.where(left == 0, torch.ones(()), torch.maximum(discount**left, promised))
        logits = self._trained.judge(self._trained.see(*now.tensors), torch.from_numpy(codes))
        return functional.binary_cross_entropy_with_logits(logits, value)

    def _best(self, known: Moments, rng: np.random.Generator) -> Float32[Tensor, "B"]:
        """The logit of the best of some actions, at each moment."""
        network = self.policy.network
        codes = torch.from_numpy(self._actions.candidates(self.config.candidates, rng))
        return network.judge_each(network.see(*known.tensors), codes).amax(1)

    def _known(self, episode: Episode, step: int) -> Known:
        key = (episode.id, step, episode.instruction)
        if key not in self._kept:
            seen = Observation.of(episode, step, self.policy.reader.memory)
            self._kept[key] = self.policy.known(seen, episode.instruction)
        return self._kept[key]


def _network(actions: ActionSpace, reader: Reader, config: ReachingConfig, seed: int) -> ValueNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ValueNetwork(reader, reader.memory * actions.size, actions.size, config.hidden)
