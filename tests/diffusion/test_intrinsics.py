import numpy as np

from daag.diffusion.intrinsics import decompose, reference_brightness


def shaded_object(colour: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A rectangle of one colour, lit from the left, half covering its edge columns, on a grey table."""
    light = np.linspace(1.0, 0.5, 12)
    picture = np.full((12, 12, 3), 0.45)
    cover = np.zeros((12, 12))
    cover[2:10, 3:9] = 1.0
    cover[2:10, [3, 8]] = 0.6
    painted = light[None, :, None] * np.array(colour)
    picture = (1 - cover[..., None]) * picture + cover[..., None] * painted
    return np.rint(picture * 255).astype(np.uint8), cover > 0.5, cover


def test_the_source_comes_back_from_its_own_flat_colours():
    rgb, own, _ = shaded_object((0.8, 0.1, 0.1))
    parts = decompose(rgb, own)
    assert np.abs(parts.restore(parts.flat).astype(int) - rgb).max() <= 1


def test_flat_colours_have_no_shading():
    rgb, own, _ = shaded_object((0.8, 0.1, 0.1))
    inner = own.copy()
    inner[:, [3, 8]] = False
    brightness = decompose(rgb, own).flat[inner].max(axis=-1).astype(int)
    assert brightness.max() - brightness.min() <= 3
    assert np.ptp(rgb[inner].max(axis=-1).astype(int)) > 20


def test_another_flat_colour_gives_what_a_render_in_that_colour_gives():
    rgb, own, cover = shaded_object((0.8, 0.1, 0.1))
    truth, _, _ = shaded_object((0.1, 0.2, 0.8))
    parts = decompose(rgb, own)
    painted = np.broadcast_to(np.rint(np.median(parts.flat[own], axis=0)[[1, 1, 0]] * [1, 2, 1]), rgb.shape)
    restored = parts.restore(painted.astype(np.uint8))
    error = np.abs(restored.astype(int) - truth)
    assert error[cover == 1].mean() < 4
    assert error[(cover > 0) & (cover < 1)].mean() < 20
    assert np.array_equal(restored[parts.matte == 0], rgb[parts.matte == 0])


def test_shading_against_one_reference_keeps_the_change_of_light_between_frames():
    rgb, own, _ = shaded_object((0.8, 0.1, 0.1))
    darker = np.rint(rgb * 0.6).astype(np.uint8)
    reference = reference_brightness(rgb, own)
    bright, dark = (decompose(picture, own, reference) for picture in (rgb, darker))
    assert np.median(bright.shading[own]) > np.median(dark.shading[own]) + 0.5
    difference = bright.flat[own].astype(int).max(axis=-1) - dark.flat[own].max(axis=-1)
    assert np.abs(np.median(difference)) <= 3


def test_an_object_without_inner_pixels_can_be_decomposed():
    rgb, own, _ = shaded_object((0.1, 0.1, 0.1))
    thin = np.zeros_like(own)
    thin[5, 4] = True
    parts = decompose(rgb, thin)
    assert parts.matte[5, 4] > 0.5 and np.isfinite(parts.shading).all()
    assert not decompose(rgb, np.zeros_like(own)).matte.any()


def test_a_highlight_that_is_known_stays_as_bright_in_another_colour():
    black, own, _ = shaded_object((0.06, 0.06, 0.06))
    white, _, _ = shaded_object((0.6, 0.6, 0.6))
    highlight = np.zeros(own.shape, dtype=np.float32)
    highlight[4:6, 5:7] = 60.0
    glossy, wanted = (
        np.clip(picture + highlight[..., None], 0, 255).astype(np.uint8) for picture in (black, white)
    )
    plain, known = decompose(glossy, own), decompose(glossy, own, highlight=highlight)
    assert np.abs(known.restore(known.flat).astype(int) - glossy).max() <= 1
    spot = highlight > 0
    errors = []
    for parts in (known, plain):
        painted = np.full_like(glossy, 10 * np.median(parts.flat[own], axis=0))
        errors.append(np.abs(parts.restore(painted.astype(np.uint8)).astype(int) - wanted)[spot].mean())
    assert errors[0] < 15 < 40 < errors[1]


def test_an_edge_that_is_brighter_than_what_is_beside_it_takes_the_new_colour_whole() -> None:
    """The rim of a top that faces the lamp is one bright row, before a dark gripper on one side and a light table around."""
    old, new = np.array([110, 8, 14]), np.array([14, 60, 140])
    own = np.zeros((14, 14), dtype=bool)
    own[4:11, 3:11] = True

    def drawn(colour: np.ndarray) -> np.ndarray:
        picture = np.full((14, 14, 3), 150)
        picture[:4] = 20
        picture[own] = colour
        picture[4, 3:11] = 1.7 * colour
        return picture.astype(np.uint8)

    parts = decompose(drawn(old), own)
    painted = np.broadcast_to(parts.flat[8, 6] * (new / old), (14, 14, 3))
    restored = parts.restore(np.rint(painted).astype(np.uint8)).astype(int)
    assert np.abs(restored - drawn(new))[4, 4:10].mean() < 4
