"""SAM 2's video model, against the library's own processors and sessions."""

import numpy as np
import pytest
import torch
from tests.perception.tiny_checkpoints import SAM_SIZE
from transformers import Sam2VideoProcessor, ViTImageProcessorPil
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from daag.errors import EditError
from daag.perception.mask_model import MEAN, STD, Sam2MaskModel, box_inputs, brought_to_size
from daag.perception.masks import MaskModel, Prompt

FRAMES = np.random.default_rng(1).integers(0, 256, (4, 45, 61, 3), dtype=np.uint8)
BOX, OTHER = np.array([8.0, 5.0, 30.0, 21.0], np.float32), np.array([33.0, 20.0, 60.0, 44.0], np.float32)


@pytest.fixture(scope="module")
def model(checkpoints):
    return Sam2MaskModel.from_pretrained(checkpoints["sam2"])


@pytest.mark.parametrize("shape", [(45, 61), (300, 200), (SAM_SIZE, SAM_SIZE)])
def test_pixels_are_those_of_the_librarys_image_processor(shape):
    """SAM 2's own needs torchvision; another of the library's resizes as it does, with PIL."""
    smooth = np.random.default_rng(0).uniform(0, 255, (6, 8, 3))
    rows, columns = np.linspace(0, 5.99, shape[0]).astype(int), np.linspace(0, 7.99, shape[1]).astype(int)
    frame = smooth[rows][:, columns].astype(np.uint8)
    theirs = ViTImageProcessorPil(
        size={"height": SAM_SIZE, "width": SAM_SIZE}, resample=2, image_mean=MEAN, image_std=STD
    )(frame, input_data_format="channels_last", return_tensors="pt")["pixel_values"][0]
    ours = brought_to_size(frame, SAM_SIZE)
    # One grey level, which two roundings may differ by.
    assert ours.shape == theirs.shape and (ours - theirs).abs().max() <= 1.01 / 255 / min(STD)


def test_a_box_is_prompted_as_the_librarys_processor_prompts_it():
    processor = object.__new__(Sam2VideoProcessor)  # its constructor wants parts that need torchvision
    processor.target_size, processor.point_pad_value = SAM_SIZE, -10
    session = Sam2VideoInferenceSession(video_height=45, video_width=61)
    processor.process_new_points_or_boxes_for_video_frame(session, 2, [0], input_boxes=[[BOX.tolist()]])
    theirs = session.point_inputs_per_obj[0][2]
    ours = box_inputs(BOX, (45, 61), SAM_SIZE)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert value.shape == ours[name].shape
        torch.testing.assert_close(ours[name], value.to(ours[name].dtype))


def test_objects_are_followed_as_in_a_session_of_the_librarys_over_the_whole_video(model):
    """There all frames are prepared at once, and nothing that the session keeps is thrown away."""
    assert isinstance(model, MaskModel)
    video = torch.stack([brought_to_size(frame, SAM_SIZE) for frame in FRAMES])
    session = Sam2VideoInferenceSession(video, 45, 61, dtype=torch.float32)
    session.add_point_inputs(session.obj_id_to_idx(0), 1, box_inputs(BOX, (45, 61), SAM_SIZE))
    session.obj_with_new_inputs = [0]
    theirs = {}
    for reverse in (False, True):
        for output in model.model.propagate_in_video_iterator(session, 1, reverse=reverse):
            theirs[output.frame_idx] = output.pred_masks[0, 0].numpy()
    ours = model.track(FRAMES, [Prompt(1, BOX)])
    assert ours.shape == (1, 4, SAM_SIZE // 4, SAM_SIZE // 4) and ours.dtype == np.float16
    np.testing.assert_allclose(ours[0], np.stack([theirs[frame] for frame in range(4)]), rtol=1e-3, atol=0.02)


def test_objects_do_not_depend_on_each_other_and_do_on_their_own_boxes(model):
    both = model.track(FRAMES, [Prompt(1, BOX), Prompt(3, OTHER), Prompt(1, OTHER)])
    for number, prompt in enumerate([Prompt(1, BOX), Prompt(3, OTHER), Prompt(1, OTHER)]):
        np.testing.assert_allclose(both[number], model.track(FRAMES, [prompt])[0], rtol=1e-3, atol=0.02)
    assert np.abs(both[0] - both[2])[:, :, :].max() > 0.5 and np.abs(both[1] - both[2]).max() > 0.5


def test_one_frame_is_followed_too_and_frames_of_any_size(model):
    assert model.track(FRAMES[:1], [Prompt(0, BOX)]).shape[:2] == (1, 1)
    assert model.track(FRAMES[:2, :17, :9], [Prompt(1, BOX / 4)]).shape[:2] == (1, 2)


def test_what_the_model_holds_to_be_out_of_the_picture_has_no_pixel(checkpoints):
    blind = Sam2MaskModel.from_pretrained(checkpoints["sam2-blind"])
    assert (blind.track(FRAMES[:2], [Prompt(0, BOX)]) <= 0).all()


def test_masks_that_are_no_numbers_are_a_named_error(checkpoints):
    broken = Sam2MaskModel.from_pretrained(checkpoints["sam2"])
    with torch.no_grad():
        broken.model.mask_decoder.upscale_conv1.bias.fill_(float("nan"))
    with pytest.raises(
        EditError, match=r"no number in frame 0, computing in torch.float32; conditions_dtype"
    ):
        broken.track(FRAMES[:2], [Prompt(0, BOX)])
