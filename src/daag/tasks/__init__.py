"""Tasks: what can be asked, said and changed in a world."""

from daag.tasks.edits import EditPlan, ObjectEdit, Operation, parse_changes
from daag.tasks.held_out import caption_is_held_out, is_held_out
from daag.tasks.language import BOARD, GRID, LANGUAGES, ROOM, STACKING, Language, language_of
from daag.tasks.objects import CARRYING_KINDS, KINDS, Look, all_looks
from daag.tasks.outlines import OUTLINES, Outline
from daag.tasks.palette import COLOURS, SHADES, sample_shade
from daag.tasks.relations import RELATIONS, Fact, Relation, possible_facts
from daag.tasks.shapes import OBJECT_HEIGHT, SHAPES, Shape, UprightShape, family_of
from daag.tasks.task import Subgoal, Task
from daag.tasks.word_swap import word_swaps

__all__ = [
    "BOARD",
    "CARRYING_KINDS",
    "COLOURS",
    "GRID",
    "KINDS",
    "LANGUAGES",
    "OBJECT_HEIGHT",
    "OUTLINES",
    "RELATIONS",
    "ROOM",
    "SHADES",
    "SHAPES",
    "STACKING",
    "EditPlan",
    "Fact",
    "Language",
    "Look",
    "ObjectEdit",
    "Operation",
    "Outline",
    "Relation",
    "Shape",
    "Subgoal",
    "Task",
    "UprightShape",
    "all_looks",
    "caption_is_held_out",
    "family_of",
    "is_held_out",
    "language_of",
    "parse_changes",
    "possible_facts",
    "sample_shade",
    "word_swaps",
]
