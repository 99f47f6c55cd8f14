"""Checkpoints of the classes that estimate conditions, tiny and with random weights, saved with tokenizers made from
files and with the library's own image processors, as those on the hub are."""

import json
from pathlib import Path

import torch
from transformers import (
    BertTokenizer,
    CLIPTokenizer,
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    DPTImageProcessorPil,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessorPil,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessorPil,
    Sam2VideoConfig,
    Sam2VideoModel,
)

WORDS = (
    *("red", "green", "blue", "yellow", "orange", "purple", "white", "black", "grey"),
    *("cube", "cylinder", "prism", "ball", "box", "key", "a", "photo", "of"),
)
SPECIAL = {101: "[CLS]", 102: "[SEP]", 1012: ".", 1029: "?"}
"""BERT's numbers; Grounding DINO's code has them as constants."""

SAM_SIZE = 64
"""Pixels along each side of the tiny SAM 2's input; the real ones have 1024."""


def save_grounding_dino(directory: Path, seed: int = 0) -> Path:
    """Grounding DINO: a Swin and a BERT, and a deformable encoder and decoder between them."""
    torch.manual_seed(seed)
    swin = {"image_size": 64, "embed_dim": 8, "depths": [1, 1, 1], "num_heads": [1, 1, 1], "window_size": 2}
    config = GroundingDinoConfig(
        backbone_config={"model_type": "swin", "out_indices": [2, 3], "out_features": ["stage2", "stage3"], **swin},
        text_config={
            "model_type": "bert", "vocab_size": 1040, "hidden_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 64,
        },
        d_model=32, num_queries=12, encoder_layers=1, decoder_layers=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
        encoder_attention_heads=4, decoder_attention_heads=4, num_feature_levels=3, max_text_len=64,
        disable_custom_kernels=True,
    )  # fmt: skip
    _spread(GroundingDinoForObjectDetection(config)).save_pretrained(directory)
    words = [SPECIAL.get(number, f"[unused{number}]") for number in range(1040)]
    words[0], words[100] = "[PAD]", "[UNK]"
    words[200 : 200 + len(WORDS)] = WORDS
    (directory / "vocab.txt").write_text("\n".join(words) + "\n")
    BertTokenizer.from_pretrained(directory).save_pretrained(directory)
    GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96}).save_pretrained(directory)
    return directory


def save_owlv2(directory: Path, seed: int = 0) -> Path:
    """OWLv2: a CLIP whose picture's places are asked each."""
    torch.manual_seed(seed)
    letters = sorted({letter for word in WORDS for letter in word})
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    config = Owlv2Config(
        vision_config={**tower, "image_size": 64, "patch_size": 16},
        text_config={**tower, "vocab_size": len(pieces), "max_position_embeddings": 40, "pad_token_id": 0,
                     "bos_token_id": len(pieces) - 2, "eos_token_id": len(pieces) - 1},
        projection_dim=32,
    )  # fmt: skip
    _spread(Owlv2ForObjectDetection(config)).save_pretrained(directory)
    (directory / "vocab.json").write_text(json.dumps({piece: number for number, piece in enumerate(pieces)}))
    (directory / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer.from_pretrained(directory, pad_token=pieces[0], model_max_length=40)
    tokenizer.save_pretrained(directory)
    Owlv2ImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(directory)
    return directory


def save_sam2(directory: Path, seed: int = 8, seen: bool = True) -> Path:
    """SAM 2's video model: a Hiera, a memory, and the mask decoder.

    Args:
        directory: where.
        seed: of the weights; of most, what is followed hardly depends on the box.
        seen: whether it holds that the object is in the picture, always or never; left to chance the random model says
            either.
    """
    torch.manual_seed(seed)
    side = SAM_SIZE
    config = Sam2VideoConfig(
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_config": {
                "model_type": "sam2_hiera_det_model", "hidden_size": 8, "image_size": [side, side],
                "blocks_per_stage": [1, 1, 2, 1], "embed_dim_per_stage": [8, 16, 32, 64],
                "num_attention_heads_per_stage": [1, 1, 1, 1], "window_size_per_stage": [8, 4, 4, 2],
                "window_positional_embedding_background_size": [2, 2], "global_attention_blocks": [3],
            },
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[side // 4] * 2, [side // 8] * 2, [side // 16] * 2],
            "fpn_hidden_size": 128,
        },
        prompt_encoder_config={"hidden_size": 128, "image_size": side, "patch_size": 16, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": 128, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16},
        image_size=side, memory_attention_hidden_size=128, memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32, memory_attention_rope_feat_sizes=[side // 16] * 2,
        memory_encoder_hidden_size=128, memory_encoder_output_channels=64, mask_downsampler_embed_dim=128,
        memory_fuser_embed_dim=128, memory_fuser_intermediate_dim=32, memory_fuser_num_layers=1,
    )  # fmt: skip
    model = _spread(Sam2VideoModel(config))
    score = model.mask_decoder.pred_obj_score_head.proj_out
    torch.nn.init.zeros_(score.weight)
    torch.nn.init.constant_(score.bias, 5.0 if seen else -5.0)
    model.save_pretrained(directory)
    return directory


def save_depth_anything(directory: Path, kind: str = "metric", seed: int = 0) -> Path:
    """Depth Anything on a DINOv2; its `kind` is "metric" or "relative"."""
    torch.manual_seed(seed)
    config = DepthAnythingConfig(
        backbone_config={
            "model_type": "dinov2", "image_size": 56, "patch_size": 14, "hidden_size": 16, "num_hidden_layers": 4,
            "num_attention_heads": 2, "out_indices": [1, 2, 3, 4], "reshape_hidden_states": False,
        },
        reassemble_hidden_size=16, neck_hidden_sizes=[4, 8, 16, 16], fusion_hidden_size=8, head_hidden_size=4,
        depth_estimation_type=kind, max_depth=20 if kind == "metric" else 1,
    )  # fmt: skip
    _spread(DepthAnythingForDepthEstimation(config)).save_pretrained(directory)
    DPTImageProcessorPil(
        size={"height": 56, "width": 56},
        keep_aspect_ratio=True,
        ensure_multiple_of=14,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    ).save_pretrained(directory)
    return directory


def _spread(model: torch.nn.Module) -> torch.nn.Module:
    """As they begin, such models say nearly the same of all pictures, and mistakes would go unseen."""
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1 and "sampling_offsets" not in name:
            torch.nn.init.normal_(parameter, std=1.5 / parameter[0].numel() ** 0.5)
    return model.eval()
