import numpy as np
from tests.report.making import stacked_episodes

from daag.hindsight import EditAttempt, EditedSegment, Verdict
from daag.report.rejections import rejected_edits
from daag.run import RunDirectory
from daag.tasks import EditPlan, ObjectEdit, Subgoal


def test_what_a_run_keeps_of_a_rejection_can_be_shown(tmp_path):
    source = stacked_episodes()[0]
    plan = EditPlan((ObjectEdit("modify", source.objects[0], "white cube"),))
    segment = EditedSegment(source, np.arange(len(source.frames)), plan, 255 - source.frames)
    verdict = Verdict({"flicker": 12.0, "target_after": 0.4}, {"steady": False, "target_shown_after": True})
    goal = Subgoal("the white cube is on the blue cube", "stack the white cube on the blue cube")
    run = RunDirectory.create(tmp_path / "run", {"tasks": [goal.instruction]})
    run.keep_rejection(EditAttempt(segment, source.achievements[0], goal, verdict, seed=0))
    (sample,), unreadable = rejected_edits(run.path)
    assert unreadable == 0
    assert (sample.target, sample.plan) == (goal.description, plan.sentence)
    assert [(check.score, check.passed) for check in sample.reasons] == [("12.00 degrees of hue", False)]
    assert [strip.label for strip in sample.strips] == ["source", "edited"]


def test_a_sample_that_a_kill_cut_off_is_counted_and_passed_over(tmp_path):
    (tmp_path / "rejections").mkdir()
    for number, content in enumerate((b"", b"PK\x03\x04 cut off", b"not zip at all")):
        (tmp_path / "rejections" / f"{number:03d}.npz").write_bytes(content)
    assert rejected_edits(tmp_path) == ((), 3)
