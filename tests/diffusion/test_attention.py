import pytest
import torch
from diffusers.models import attention_dispatch
from diffusers.models.attention_processor import AttnProcessor2_0

from daag.diffusion.attention import AnchorAttention
from daag.diffusion.components import EditorComponents
from daag.diffusion.frame_memory import Glances
from daag.diffusion.sampling import CropBatch, Sampling, repaint
from daag.errors import DaagWarning


@pytest.fixture
def batch() -> CropBatch:
    generator = torch.Generator().manual_seed(1)
    mask = torch.zeros(4, 1, 16, 16)
    mask[..., 4:12, 4:12] = 1.0
    return CropBatch(
        image=torch.rand(4, 3, 16, 16, generator=generator) * 2 - 1,
        mask=mask,
        controls=(torch.randn(4, 6, 16, 16, generator=generator),),
    )


def painted(
    components: EditorComponents, batch: CropBatch, anchor_index: torch.Tensor | None
) -> torch.Tensor:
    captions = components.encode_text(["a red cube"]).pick([0] * len(batch.image))
    noise = torch.randn(1, 12, 8, 8, generator=torch.Generator().manual_seed(2)).expand(
        len(batch.image), -1, -1, -1
    )
    glances = Glances.within(anchor_index) if anchor_index is not None else None
    return repaint(components, batch, captions, noise, Sampling(2), glances)


def reordered(batch: CropBatch, order: list[int]) -> CropBatch:
    return CropBatch(batch.image[order], batch.mask[order], (batch.controls[0][order],))


def test_every_attention_layer_is_ours(components):
    for model in (components.unet, components.controlnet):
        processors = model.attn_processors.values()
        assert processors and all(isinstance(processor, AnchorAttention) for processor in processors)


def test_without_anchors_the_processor_computes_plain_attention(components):
    layer = components.unet.mid_block.attentions[0].transformer_blocks[0]
    hidden, text = torch.randn(2, 9, 16), torch.randn(2, 5, 16)
    for attention, context in ((layer.attn1, None), (layer.attn2, text)):
        ours, plain = (
            processor(attention, hidden, context) for processor in (AnchorAttention(), AttnProcessor2_0())
        )
        assert torch.allclose(ours, plain, atol=1e-5)


def test_another_kernel_of_diffusers_does_not_take_the_anchors_away(components, batch):
    backend = "_native_math"
    index = torch.tensor([0, 0, 0, 0])
    straight = painted(components, batch, index)
    used = []
    try:
        for model in (components.unet, components.controlnet):
            model.set_attention_backend(backend)
            used += [processor._attention_backend for processor in model.attn_processors.values()]
        other = painted(components, batch, index)
    finally:
        for model in (components.unet, components.controlnet):
            model.reset_attention_backend()
        attention_dispatch._AttentionBackendRegistry.set_active_backend(
            attention_dispatch.AttentionBackendName.NATIVE
        )
    assert set(used) == {attention_dispatch.AttentionBackendName(backend)}
    assert torch.allclose(other, straight, atol=1e-4)
    assert not torch.allclose(other, painted(components, batch, None), atol=1e-2)


def test_a_processor_that_knows_no_anchors_is_replaced_and_said(components, batch):
    index = torch.tensor([0, 0, 0, 0])
    straight = painted(components, batch, index)
    components.unet.set_attn_processor(AttnProcessor2_0())
    with pytest.warns(DaagWarning, match="replaced by AttnProcessor2_0"):
        again = painted(components, batch, index)
    assert torch.equal(again, straight)


def test_a_crop_that_is_its_own_anchor_is_painted_as_without_anchors(components, batch):
    assert torch.allclose(
        painted(components, batch, torch.arange(4)), painted(components, batch, None), atol=1e-5
    )


def test_changing_the_anchor_changes_every_crop_that_looks_at_it(components, batch):
    index = torch.tensor([0, 0, 0, 3])
    changed = CropBatch(batch.image.clone(), batch.mask, batch.controls)
    changed.image[0] = -changed.image[0]
    before, after = painted(components, batch, index), painted(components, changed, index)
    difference = (before - after).abs().amax(dim=(1, 2, 3))
    assert (difference[:3] > 1e-3).all()
    assert difference[3] < 1e-5


def test_permuting_other_crops_permutes_what_is_painted(components, batch):
    index = torch.tensor([0, 0, 0, 0])
    order = [0, 3, 1, 2]
    straight = painted(components, batch, index)
    assert torch.allclose(painted(components, reordered(batch, order), index), straight[order], atol=1e-5)


def test_each_clip_of_a_batch_looks_at_its_own_anchor(components, batch):
    together = painted(components, batch, torch.tensor([0, 0, 2, 2]))
    for pair in ([0, 1], [2, 3]):
        alone = painted(components, reordered(batch, pair), torch.tensor([0, 0]))
        assert torch.allclose(together[pair], alone, atol=1e-5)


def test_attention_masks_are_refused(components):
    with pytest.raises(NotImplementedError):
        AnchorAttention()(None, torch.zeros(1, 2, 4), attention_mask=torch.zeros(1, 2))
