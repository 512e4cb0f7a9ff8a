"""A JAX training loop fed by Grain, with a plan in the place of Grain's own mixing."""

# needs: grain, jax

import tempfile
from pathlib import Path

import grain
import jax
import jax.numpy as jnp
import numpy as np

import thermix
from thermix.grain import mix
from thermix.sources.shard_writer import TokenShardWriter

VOCABULARY = 50
CONFIG = """
steps: 60
batch_size: 16
sequence_length: 32
temperature: {schedule: linear, start: 5.0, end: 1.0}
sources:
  web:   {score: 2.0, path: web}
  books: {score: 3.0, path: books}
"""


def write_shards(folder: Path) -> Path:
    """Write two sources whose next token follows from the last one, and the configuration."""
    for number, name in enumerate(("web", "books")):
        (folder / name).mkdir()
        with TokenShardWriter(folder / name / "part-0", dtype="uint16") as shard:
            for first in range(400):
                shard.append((first + np.arange(100) * (number + 1)) % VOCABULARY)
    (folder / "mix.yaml").write_text(CONFIG)
    return folder / "mix.yaml"


@jax.jit
def step(weights: jax.Array, ids: jax.Array) -> tuple[jax.Array, jax.Array]:
    """One step of a bigram model: the weights after it, and the loss."""

    def loss(weights: jax.Array) -> jax.Array:
        logits = jax.nn.log_softmax(weights[ids[:, :-1]])
        return -jnp.take_along_axis(logits, ids[:, 1:, None], axis=-1).mean()

    value, gradient = jax.value_and_grad(loss)(weights)
    return weights - 40.0 * gradient, value


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        plan, sources = thermix.load(write_shards(Path(folder)))
        draws = mix(plan, sources, jax.process_index(), jax.process_count())
        steps = draws.batch(plan.batch_size // jax.process_count())
        batches = iter(steps.to_iter_dataset(grain.ReadOptions(num_threads=2)))
        weights, losses, again = jnp.zeros((VOCABULARY, VOCABULARY)), [], []
        for number, batch in enumerate(batches):
            weights, loss = step(weights, batch["input_ids"])
            losses.append(float(loss))
            if number == 24:
                saved = weights, batches.get_state()
        print(f"loss {losses[0]:.2f}, at the end {losses[-1]:.2f}")

        weights, state = saved  # as a checkpoint of step 25 has them
        batches.set_state(state)
        for batch in batches:
            weights, loss = step(weights, batch["input_ids"])
            again.append(float(loss))
        assert again == losses[25:], "the same losses"
        elsewhere = mix(plan, sources, rank=0, world_size=2).batch(8)[25]
        assert (elsewhere["input_ids"] == steps[25]["input_ids"][:8]).all(), "on other ranks"
        for source in sources.values():
            source.close()


if __name__ == "__main__":
    main()
