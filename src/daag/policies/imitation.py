"""Self-imitation: the policy learns to click where successful episodes clicked.

Source: docs/paper.md (the policy learns from a task buffer of episodes that reach the current subgoals); the
algorithm, supervised learning of the successes, is our choice.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from daag.episodes.episode import Episode
from daag.errors import ConfigError, EpisodeError, ModelError
from daag.policies.checkpoint import LearnerState, save_learner
from daag.policies.policy import Locator, Observation, StepSampler, TextEncoder
from daag.policies.spatial import CELL_PIXELS, SpatialConfig, SpatialPolicy, decode, make_network, to_tensor
from daag.policies.workspace import Workspace, metres_to_pixels

FORMAT = "daag-self-imitation-1"
TEXT_PROBE = "stack the red cube on the blue cube"
"""Its vector tells the length of a text encoder's vectors, and at loading whether the encoder is the same."""
_PICTURE_PROBE = np.zeros((1, 64, 64, 3), dtype=np.uint8)
"""Its maps tell how many a locator gives."""


@dataclass(frozen=True)
class ImitationConfig:
    """How it is learnt. All values are our choice, measured in docs/policies.md.

    Raises:
        ConfigError: a setting is out of range.
    """

    batch_size: int = 16
    """Steps in a batch."""
    learning_rate: float = 2e-3
    """Of AdamW."""
    weight_decay: float = 1e-2
    """Of AdamW."""
    max_gradient_norm: float = 1.0
    """Gradients longer than this are scaled down to it."""
    target_pixels: float = 1.5
    """Standard deviation of the target around a click, in pixels."""
    shift_pixels: int = 8
    """Images move by up to so many pixels along x and along y, and the clicks with them."""
    brightness_jitter: float = 0.08
    """Images are scaled by 1 +- this, and each colour channel by a third of it: too little to change a colour word."""

    def __post_init__(self) -> None:
        positive = (self.batch_size, self.learning_rate, self.max_gradient_norm, self.target_pixels)
        if min(positive) <= 0 or min(self.weight_decay, self.shift_pixels, self.brightness_jitter) < 0:
            raise ConfigError(
                f"batch size, rates and widths must be positive, the rest at least 0, got {self}"
            )
        if self.brightness_jitter >= 1.0:
            raise ConfigError(f"brightness_jitter must be below 1, got {self.brightness_jitter}")


@dataclass(frozen=True)
class Demonstrations:
    """A batch of successful steps: what was seen, asked and clicked."""

    frames: UInt8[np.ndarray, "B H W 3"]
    instructions: list[str] = field(repr=False)
    clicks: Float32[np.ndarray, "B 2 2"]
    """Pixels (x, y) of pick and place, pixel centres at .5."""

    @classmethod
    def of(cls, steps: Sequence[tuple[Episode, int]], workspace: Workspace) -> "Demonstrations":
        """Read a batch off its episodes.

        Raises:
            EpisodeError: an episode has other actions than pick and place, no calibration, or another image size.
        """
        observations = [Observation.of(episode, step) for episode, step in steps]
        clicks = []
        for (episode, step), observation in zip(steps, observations, strict=True):
            if episode.actions.shape[1] != 4 or observation.pixel_to_table is None:
                calibrated = "without" if observation.pixel_to_table is None else "with"
                raise EpisodeError(
                    f"episode {episode.id!r}: self-imitation learns actions (pick x, y, place x, y) of calibrated "
                    f"cameras, got actions {episode.actions.shape} {calibrated} pixel_to_table"
                )
            if observation.rgb.shape != observations[0].rgb.shape:
                raise EpisodeError(
                    f"episode {episode.id!r}: a batch needs images of one size, got {observation.rgb.shape} after "
                    f"{observations[0].rgb.shape}; use one buffer per image size"
                )
            metres = workspace.to_metres(episode.actions[step].reshape(2, 2))
            clicks.append(metres_to_pixels(metres, observation.pixel_to_table))
        frames = np.stack([observation.rgb for observation in observations])
        return cls(frames, [episode.instruction for episode, _ in steps], np.stack(clicks).astype(np.float32))

    def shifted(self, shift_pixels: int, rng: np.random.Generator) -> "Demonstrations":
        """Each image moved by up to `shift_pixels`, its border repeated, but never so far that a click leaves it."""
        count, height, width = self.frames.shape[:3]
        size = np.array([width, height])
        low = np.minimum(np.maximum(-shift_pixels, np.ceil(-self.clicks.min(axis=1))), 0).astype(int)
        high = np.maximum(np.minimum(shift_pixels, np.floor(size - self.clicks.max(axis=1))), 0).astype(int)
        shifts = rng.integers(low, high + 1)
        margin = (shift_pixels, shift_pixels)
        padded = np.pad(self.frames, ((0, 0), margin, margin, (0, 0)), mode="edge")
        frames = np.empty_like(self.frames)
        for index in range(count):
            x, y = shift_pixels - shifts[index]
            frames[index] = padded[index, y : y + height, x : x + width]
        return Demonstrations(frames, self.instructions, (self.clicks + shifts[:, None]).astype(np.float32))


class SelfImitation:
    """Learns a `SpatialPolicy` from steps that led to success.

    Weights and the optimizer's state stay from one `fit` to the next, so each goes on where the last one ended. Equal
    seeds, batches and numbers of threads give equal weights.

    Args:
        workspace: what actions are scaled by.
        text_encoder: of the instructions; must stay the same, as the network learns its vectors' meaning.
        seed: of the first weights.
        config: how it is learnt.
        network: the network's size; by default the default one for the encoder's vectors.
        temperature: of the policy's clicks; 0 takes the likeliest.
        locate: says where pictures show the instructions' objects; must stay the same too.

    Raises:
        ModelError: the text encoder's vectors have another length than the network's size says.
    """

    def __init__(
        self,
        workspace: Workspace,
        text_encoder: TextEncoder,
        seed: int,
        config: ImitationConfig | None = None,
        network: SpatialConfig | None = None,
        temperature: float = 0.0,
        locate: Locator | None = None,
    ) -> None:
        self.config = config or ImitationConfig()
        text_dim = text_encoder([TEXT_PROBE]).shape[1]
        num_maps = 0 if locate is None else locate(_PICTURE_PROBE, [TEXT_PROBE]).shape[1]
        self.network_config = network or SpatialConfig(text_dim, num_maps)
        if text_dim != self.network_config.text_dim:
            raise ModelError(
                f"expected a text encoder of {self.network_config.text_dim} dimensions, got {text_dim}; "
                "pass the one that the policy was trained with"
            )
        if num_maps != self.network_config.num_maps:
            raise ModelError(
                f"expected a locator of {self.network_config.num_maps} maps, got {num_maps}; pass the one that the "
                "policy was trained with"
            )
        self.policy = SpatialPolicy(
            make_network(self.network_config, seed), text_encoder, workspace, temperature, locate
        )
        self._optimizer = self._make_optimizer()

    def reset(self, seed: int) -> None:
        """Forget everything: fresh weights, fresh optimizer."""
        self.policy.network.load_state_dict(make_network(self.network_config, seed).state_dict())
        self._optimizer = self._make_optimizer()

    learns_from_failures = False

    def fit(
        self,
        draw: StepSampler,
        num_updates: int,
        seed: int,
        failed: StepSampler | None = None,  # noqa: ARG002 - imitated are successes only
    ) -> dict[str, float]:
        """Learn from the steps that `draw` gives.

        Returns:
            `loss` (cross entropy in nats, pick and place together), `pick_error` and `place_error` (median distance in
            pixels between the clicks of policy and episode), over the last tenth of the updates; empty for none.

        Raises:
            EpisodeError: an episode has other actions than pick and place, or no calibration.
        """
        rng = np.random.default_rng(seed)
        losses: list[float] = []
        errors: list[Float32[np.ndarray, "B 2"]] = []
        for update in range(num_updates):
            batch = Demonstrations.of(draw(self.config.batch_size, rng), self.policy.workspace)
            batch = batch.shifted(self.config.shift_pixels, rng)
            clicks = torch.from_numpy(batch.clicks)
            images = self._jittered(to_tensor(batch.frames), rng)
            maps = self.policy.maps(batch.frames, batch.instructions)
            logits = self.policy.network(images, self.policy.embeddings(batch.instructions), maps)
            loss = click_loss(logits, clicks, self.config.target_pixels)
            self._optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.policy.network.parameters(), self.config.max_gradient_norm)
            self._optimizer.step()
            if update >= num_updates - max(1, num_updates // 10):
                losses.append(loss.item())
                errors.append((decode(logits.detach()) - clicks).norm(dim=-1).numpy())
        if not losses:
            return {}
        pick_error, place_error = np.median(np.concatenate(errors), axis=0)
        return {
            "loss": float(np.mean(losses)),
            "pick_error": float(pick_error),
            "place_error": float(place_error),
        }

    def save(self, path: Path) -> None:
        """Write weights, optimizer state and settings into one file."""
        settings = {
            "network": asdict(self.network_config),
            "learning": asdict(self.config),
            "workspace": asdict(self.policy.workspace),
            "temperature": self.policy.temperature,
        }
        probe = {"text_probe": self.policy.embeddings([TEXT_PROBE])}
        save_learner(path, FORMAT, self.policy.network, self._optimizer, settings, probe)

    @classmethod
    def load(cls, path: Path, text_encoder: TextEncoder, locate: Locator | None = None) -> "SelfImitation":
        """Read what `save` wrote, ready to act and to learn on.

        Raises:
            ModelError: there is no such file, it is not of this learner or of another architecture, or the text
                encoder is not the one it was trained with, or the locator gives another number of maps.
        """
        saved = LearnerState.read(path, FORMAT)
        try:
            settings = saved.settings
            network = SpatialConfig(
                **{**settings["network"], "dilations": tuple(settings["network"]["dilations"])}
            )
            workspace = Workspace(**{name: tuple(pair) for name, pair in settings["workspace"].items()})
            config = ImitationConfig(**settings["learning"])
            temperature = float(settings["temperature"])
            probe = saved.tensors["text_probe"]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the settings in {path} are of another architecture: {error!r}") from error
        learner = cls(workspace, text_encoder, 0, config, network, temperature, locate)
        if not torch.allclose(learner.policy.embeddings([TEXT_PROBE]), probe, atol=1e-3):
            raise ModelError(
                f"{path} was trained with another text encoder: {TEXT_PROBE!r} has another vector now"
            )
        saved.restore(learner.policy.network, learner._optimizer)
        return learner

    def _make_optimizer(self) -> torch.optim.AdamW:
        rate, decay = self.config.learning_rate, self.config.weight_decay
        return torch.optim.AdamW(
            self.policy.network.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=decay
        )

    def _jittered(
        self, images: Float32[Tensor, "B 3 H W"], rng: np.random.Generator
    ) -> Float32[Tensor, "B 3 H W"]:
        jitter, count = self.config.brightness_jitter, len(images)
        gains = rng.uniform(1 - jitter, 1 + jitter, (count, 1, 1, 1))
        gains = gains * rng.uniform(1 - jitter / 3, 1 + jitter / 3, (count, 3, 1, 1))
        return (images + 1.0) * torch.from_numpy(gains.astype(np.float32)) - 1.0


def click_loss(
    logits: Float32[Tensor, "B 2 h w"], clicks: Float32[Tensor, "B 2 2"], target_pixels: float
) -> Float32[Tensor, ""]:
    """Cross entropy in nats between the maps and a Gaussian around each click, pick and place added up.

    Args:
        logits: the maps.
        clicks: pixels (x, y) of pick and place, pixel centres at .5.
        target_pixels: the Gaussian's standard deviation in pixels.
    """
    columns = (torch.arange(logits.shape[3]) + 0.5) * CELL_PIXELS
    rows = (torch.arange(logits.shape[2]) + 0.5) * CELL_PIXELS
    squared = (columns - clicks[..., 0, None, None]) ** 2 + (rows[:, None] - clicks[..., 1, None, None]) ** 2
    # A softmax rather than exp over its sum: a click outside the image must not divide by zero.
    target = (-squared / (2 * target_pixels**2)).flatten(2).softmax(-1)
    return -(target * logits.flatten(2).log_softmax(-1)).sum(-1).sum(1).mean()
