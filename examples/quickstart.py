"""A world, an agent with the embedded models, one task: learn it, try it on held-out scenes, save the policy."""

from pathlib import Path

from daag.agent import AgentConfig
from daag.assembly import load_detector, make_agent, make_env, make_planner
from daag.tasks import Task

task = Task("stack the red cube on the blue cube")
env = make_env("rgb-stacking")
config = AgentConfig(max_episodes=3)  # a real run takes more; this is to see it work
agent = make_agent("rgb-stacking", "hea", load_detector("ready"), make_planner(), seed=0, config=config)

for event in agent.learn(task, env):
    print(event.kind, dict(event.values))

print(f"the task buffer holds {agent.task_buffer.counts()}")
print(f"success on 10 held-out scenes: {agent.evaluate(task, env, seeds=range(10**9, 10**9 + 10)):.0%}")
agent.learner.save(Path("quickstart-policy.safetensors"))
