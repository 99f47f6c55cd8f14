from dataclasses import replace

from tests.report.making import TASKS, edited, stacked_episodes

from daag.episodes import EpisodeStore
from daag.report.filmstrips import accepted_edits, checks_of, spread


def test_groups_take_turns_first_then_last_then_between():
    keys = ["a", "a", "a", "a", "b", "c", "c"]
    assert spread(keys, 3) == [0, 4, 5]
    assert spread(keys, 5) == [0, 3, 4, 5, 6]
    assert spread(keys, 100) == list(range(7))
    assert spread([], 6) == []


def test_the_sample_shows_every_task(made_run):
    films = accepted_edits(made_run, None).filmstrips
    assert {film.title for film in films} == set(TASKS)


def test_a_lost_source_leaves_the_edit_and_says_so(run):
    store = EpisodeStore.open(run / "task_buffer.lance")
    stray = edited(stacked_episodes()[0], TASKS[0])
    store.append(
        [
            replace(
                stray,
                id="stray",
                instruction="a stray",
                provenance=replace(stray.provenance, source_id="gone"),
            )
        ]
    )
    (film,) = [film for film in accepted_edits(run, None).filmstrips if film.title == "a stray"]
    assert [strip.label for strip in film.strips] == ["edited"]
    assert "not in the lifelong buffer" in film.note


def test_failed_checks_come_first_and_unknown_ones_keep_their_names():
    checks = checks_of({"red cube_looks_new": 0.25}, {"steady": True, "red cube_looks_new": False})
    assert [(check.words, check.score, check.passed) for check in checks] == [
        ("red cube looks new", "0.25", False),
        ("the colour does not flicker from frame to frame", "", True),
    ]
