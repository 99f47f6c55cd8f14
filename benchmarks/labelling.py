"""How fast what is stored is labelled for a new description, and how fast frames are encoded in the first place.

    python benchmarks/labelling.py --out benchmarks/results

A CLIP with one vector of 512 numbers for a picture and small towers of transformers' own class fills a cache of embeddings
with distinct frames, through the same calls as `daag label`. Then the cache is opened again, and descriptions are asked of
everything that is kept: the first one, which reads the vectors from their files, and the next ones. Encoding is timed on a
larger CLIP, beside the loop that transformers' documentation shows (image processor, then `get_image_features`) at several
batch sizes, the two taking turns; the weights are the same. An embedded detector, which keeps 256 vectors a frame, is
measured too. Processor time on one thread, so that other work on the machine counts little; wall time is noted beside it.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from PIL import Image
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    PreTrainedTokenizerFast,
)

from daag.assembly import load_detector
from daag.experiments.results import Results
from daag.rewards.clip import ClipDetector
from daag.rewards.embedding_cache import EmbeddingCache
from daag.tasks import word_swaps

DESCRIPTION = "the red cube is on the blue cube"
LENGTH = 16
FIRST_TARGET, SECOND_TARGET = 300_000, 2_000_000
"""Frames per second."""


@dataclass(frozen=True)
class LabellingConfig:
    """How much to measure, and where to write."""

    out: Path = Path("benchmarks/results")
    frames: int = 100_000
    """Whose embeddings are kept."""
    embedded_frames: int = 2_000
    """Likewise, of the embedded detector: 128 KB each."""
    encoded: int = 512
    """Frames that each round of the comparison encodes."""
    batches: tuple[int, ...] = (1, 8, 32, 128, 512)
    """Batch sizes of the plain loop."""
    rounds: int = 5
    descriptions: int = 20
    """That are asked after the first."""


def save_clip(directory: Path, width: int, layers: int, image_size: int, patch_size: int) -> Path:
    """A CLIP with random weights and a tokenizer of the words that are asked, as transformers saves them."""
    torch.manual_seed(0)
    words = sorted({word for text in (DESCRIPTION, *word_swaps(DESCRIPTION)) for word in text.split()})
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<begin>", "<unknown>", "<end>", *words])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unknown>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<begin> $A <end>", special_tokens=[("<begin>", 1), ("<end>", 3)]
    )
    tower = {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": max(width // 64, 1),
    }
    text = {
        **tower,
        "vocab_size": len(vocabulary),
        "max_position_embeddings": LENGTH,
        "bos_token_id": 1,
        "eos_token_id": 3,
        "pad_token_id": 0,
    }
    vision = {**tower, "image_size": image_size, "patch_size": patch_size}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=512)).save_pretrained(
        directory
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=LENGTH,
        pad_token="<pad>",
        bos_token="<begin>",
        unk_token="<unknown>",
        eos_token="<end>",
    ).save_pretrained(directory)
    CLIPImageProcessorPil(
        size={"shortest_edge": image_size}, crop_size={"height": image_size, "width": image_size}
    ).save_pretrained(directory)
    return directory


@dataclass(frozen=True)
class Times:
    """Of one call."""

    processor: float
    """Seconds of the processor, all threads together."""
    wall: float


def timed(run: Callable[[], object]) -> Times:
    """Call and take the times."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return Times(time.process_time() - processor, time.perf_counter() - wall)


def ask(cache: EmbeddingCache, description: str) -> np.ndarray:
    """Scores of everything that is kept, in one array."""
    return np.concatenate([rows for _, rows in cache.scores([description])])


def measure_stored(
    results: Results, name: str, detector: ClipDetector, count: int, config: LabellingConfig, place: Path
) -> dict[str, float]:
    """Fill a cache, open it again, and ask; frames per second of the first description and of those after it."""
    size, rng = detector.preprocessing.size, np.random.default_rng(0)
    texts = [DESCRIPTION, *word_swaps(DESCRIPTION)]
    with EmbeddingCache(place, detector) as cache:
        for start in range(0, count, 1024):
            shape = (min(1024, count - start), size, size, 3)
            cache.embed_frames(rng.integers(0, 256, shape, dtype=np.uint8))
    opened = EmbeddingCache(place, detector)
    assert len(opened) == count and opened.num_encoded == 0
    found: dict[str, list[Times]] = {"first": [], "later": []}
    for index in range(1 + config.descriptions):
        text = texts[index % len(texts)]
        found["later" if index else "first"].append(timed(lambda text=text: ask(opened, text)))
    speeds = {}
    for which, times in found.items():
        speeds[which] = count / float(np.median([each.processor for each in times]))
        results.add(
            f"{name}, {which} description", "frames_per_second", [count / each.processor for each in times]
        )
        results.add(
            f"{name}, {which} description", "frames_per_wall_second", [count / each.wall for each in times]
        )
        print(f"{name}, {count} frames, {which} description: {speeds[which]:,.0f} frames/s", flush=True)
    return speeds


def measure_encoding(results: Results, config: LabellingConfig, place: Path) -> None:
    """Encode the same frames by `embed_frames` and by the plain loop, in turns."""
    directory = save_clip(place, width=192, layers=4, image_size=64, patch_size=8)
    detector = ClipDetector.from_pretrained(directory)
    model = CLIPModel.from_pretrained(directory).eval()
    processor = CLIPImageProcessorPil.from_pretrained(directory)
    # Larger than the tower's input, as a camera's are.
    frames = np.random.default_rng(1).integers(0, 256, (config.encoded, 96, 96, 3), dtype=np.uint8)

    def loop(batch: int) -> np.ndarray:
        parts = []
        with torch.inference_mode():
            for start in range(0, len(frames), batch):
                pictures = [Image.fromarray(frame) for frame in frames[start : start + batch]]
                inputs = processor(images=pictures, return_tensors="pt")
                parts.append(model.get_image_features(**inputs).pooler_output)
        return torch.nn.functional.normalize(torch.cat(parts), dim=-1).numpy()

    ours = detector.embed_frames(frames)[:, 0, 0]
    agreement = float((ours * loop(64)).sum(axis=1).min())
    results.notes["smallest cosine between the two embeddings of a frame"] = agreement
    arms: dict[str, Callable[[], object]] = {"daag": lambda: detector.embed_frames(frames)}
    arms |= {f"transformers, batches of {batch}": lambda batch=batch: loop(batch) for batch in config.batches}
    times: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(config.rounds):
        for name, run in arms.items():
            times[name].append(timed(run).processor)
    speeds = {name: config.encoded / float(np.median(each)) for name, each in times.items()}
    for name, each in times.items():
        results.add(f"encoding, {name}", "frames_per_second", [config.encoded / value for value in each])
        print(f"encoding, {name}: {speeds[name]:,.0f} frames/s", flush=True)
    best = max(speed for name, speed in speeds.items() if name != "daag")
    results.check("encoding, over the plain loop at its best batch size", speeds["daag"] / best, 1.0)


def main(config: LabellingConfig) -> None:
    """Measure, and write `speed-labelling.json`."""
    torch.set_num_threads(1)
    command = (
        f"python benchmarks/labelling.py --frames {config.frames} --embedded-frames {config.embedded_frames} "
        f"--encoded {config.encoded} --rounds {config.rounds} --descriptions {config.descriptions}"
    )
    embedded = load_detector("ready")
    results = Results("speed", "labelling", command, "full", {"detector": embedded.hash}, [0])
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        measure_encoding(results, config, place / "larger")
        small = ClipDetector.from_pretrained(save_clip(place / "small", 64, 1, 32, 16), batch_frames=1024)
        speeds = measure_stored(results, "one vector", small, config.frames, config, place / "vectors")
        measure_stored(results, "embedded", embedded, config.embedded_frames, config, place / "places")
    results.check("new description", speeds["first"], FIRST_TARGET)
    results.check("second description", speeds["later"], SECOND_TARGET)
    results.notes["threads"] = 1
    print(results.write(config.out))


if __name__ == "__main__":
    main(tyro.cli(LabellingConfig))
