"""Looks that a model of flat colours can give an object: a colour, and a finish, matte or shiny.

A finish takes the lamp's mirror image off the object, or puts it on, where the lamp's light reaches it. Lamp and gloss are
those that are read from the episode (`lighting`); the object's colour and shading stay.  Source: our choice.
"""

import numpy as np
from jaxtyping import Bool, Float16, Float32, Int8, UInt8

from daag.diffusion.proxies import cast
from daag.diffusion.stage import Body, Stage, lit
from daag.errors import EditError
from daag.tasks import FINISHES, SHADES, EditPlan, ObjectEdit


def check_looks(plan: EditPlan, knows_light: bool) -> None:
    """Refuse looks that are more than one flat colour and a finish, such as patterns.

    Args:
        plan: the edits.
        knows_light: whether the editor reads the lamp by which a finish shows.

    Raises:
        EditError: the plan has one, or a finish without a lamp.
    """
    for edit in plan.edits:
        words = edit.name.split()[:-1]
        if len(words) != 1 or words[0] not in SHADES:
            raise EditError(
                f"this editor was taught to paint each object in one flat colour, {', '.join(SHADES)}, so it cannot make a "
                f"{edit.target!r}; name a colour and a kind, with {' or '.join(FINISHES)} before them if you like, or load a "
                "pipeline that was taught more"
            )
        if not knows_light:
            refuse_finish(edit, "this editor paints without the geometry by which the lamp is read")


def refuse_finish(edit: ObjectEdit, because: str) -> None:
    """For editors that know no lamp.

    Raises:
        EditError: the edit asks for a finish.
    """
    if edit.finish is not None:
        raise EditError(
            f"{because}, so it cannot make a {edit.target!r}; leave out {edit.finish!r}, or use the embedded editor with "
            "geometry"
        )


def check_finish(edit: ObjectEdit, stage: Stage | None) -> None:
    """Check that the lamp is known by which a finish shows.

    Raises:
        EditError: it is not.
    """
    if edit.finish is not None and (stage is None or not stage.shapes):
        raise EditError(
            f"expected objects on a table before a camera that stands still, from which the lamp can be read, to make a "
            f"{edit.target!r}; leave out {edit.finish!r}, or load a pipeline that was taught such words"
        )


def with_finish(stage: Stage, object_id: int, finish: str | None) -> Stage:
    """The same stage with one object as glossy as its finish says."""
    return stage if finish is None else stage.with_gloss(object_id, 255.0 * FINISHES[finish])


def highlight_of(
    finish: str,
    frame: UInt8[np.ndarray, "H W 3"],
    depth: Float16[np.ndarray, "H W"],
    normals: Int8[np.ndarray, "H W 3"],
    own: Bool[np.ndarray, "H W"],
    stage: Stage,
    strength: float,
    body: Body | None = None,
) -> Float32[np.ndarray, "H W"]:
    """Grey levels that the lamp's mirror image adds to an object of some finish.

    Args:
        finish: one of `FINISHES`.
        frame: the source.
        depth: metres.
        normals: unit normals in camera coordinates times 127.
        own: the object's pixels.
        stage: camera and light.
        strength: the object's brightness in [0, 1] where only light from everywhere falls on it, seen sideways.
        body: the object, where its pose is known; of a bend or an outline that runs through a pixel, each sample then
            mirrors for itself, and what the object covers of pixels around it mirrors, too.
    """
    reached = lit(frame, own, *stage.shades(depth, normals, own, strength), 1.0)
    if body is not None:
        proxy = cast(stage.camera, body.pose, body.shape)
        shine = stage.appearance(proxy, reached)[1].sum(axis=0) / np.maximum(proxy.hit.sum(axis=0), 1)
        return np.asarray(255.0 * FINISHES[finish] * shine, dtype=np.float32)
    highlight = np.zeros(own.shape, dtype=np.float32)
    shine = stage.light.shine(*stage.camera.surface(depth, normals, own))
    highlight[own] = 255.0 * FINISHES[finish] * reached[own] * shine
    return highlight
