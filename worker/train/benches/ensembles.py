"""Perceptrons trained together by compilers: JAX (vmap of a step, all steps one jit-compiled scan) and PyTorch
(torch.func.vmap of a step through torch.compile). The same data and recipe as pytorch.py, eight models at once, on
one thread, timed by the processor seconds of the whole process without those of compiling.

Run: python ensembles.py jax|torch [ROUNDS] [ONLY]. Prints, per model and round: name, samples/s over all models.
"""

import os
import sys
import time

import numpy as np

STACK = 8
RATE, MOMENTUM = 0.05, 0.9
CASES = [
    ("mlp-64-256-256-2-b256", 4096, 256, 64, [256, 256]),
    ("mlp-64-64-64-2-b64", 4096, 64, 800, [64, 64]),
]


def data(records):
    """That of pytorch.py."""
    i, j = np.arange(records)[:, None], np.arange(64)[None, :]
    x = ((i * 7919 + j * 104729 + i * j % 613 * 31) % 1000).astype(np.float32) / 500 - 1
    return x, (x[:, 0] + x[:, 1] > 0).astype(np.int64)


def rows(rng, records, batch, steps):
    """[step, model, record of the batch]."""
    epochs = -(-steps * batch // (records // batch * batch))
    walk = [[rng.permutation(records)[: records // batch * batch] for _ in range(epochs)] for _ in range(STACK)]
    each = np.array(walk).reshape(STACK, -1, batch)[:, :steps]
    return np.ascontiguousarray(each.transpose(1, 0, 2))


def starts(rng, widths):
    sizes = [64, *widths, 2]
    shapes = [((STACK, a, b), (STACK, b), a**-0.5) for a, b in zip(sizes, sizes[1:])]
    draw = lambda shape, bound: rng.uniform(-bound, bound, shape).astype(np.float32)
    return [(draw(w, bound), draw(b, bound)) for w, b, bound in shapes]


def with_jax(x, y, widths, batch, steps):
    import jax
    import jax.numpy as jnp

    x, y = jnp.asarray(x), jnp.asarray(y)

    def loss(params, rows):
        h = x[rows]
        for layer, (w, b) in enumerate(params):
            h = h @ w + b
            h = jax.nn.relu(h) if layer + 1 < len(params) else h
        return -jnp.take_along_axis(jax.nn.log_softmax(h), y[rows][:, None], 1).mean()

    def step(params, velocity, rows):
        slopes = jax.grad(loss)(params, rows)
        velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocity, slopes)
        return jax.tree.map(lambda p, v: p - RATE * v, params, velocity), velocity

    @jax.jit
    def train(params, order):
        begin = (params, jax.tree.map(jnp.zeros_like, params))
        return jax.lax.scan(lambda state, rows: (jax.vmap(step)(*state, rows), None), begin, order)[0]

    rng = np.random.default_rng(1)
    params, order = starts(rng, widths), jnp.asarray(rows(rng, len(x), batch, steps))
    jax.block_until_ready(train(params, order))

    def timed():
        begin = time.process_time()
        jax.block_until_ready(train(params, order))
        return time.process_time() - begin

    return timed


def with_torch(x, y, widths, batch, steps):
    import torch
    from torch.func import grad, vmap

    torch.set_num_threads(1)
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def loss(params, x, y):
        h = x
        for layer, (w, b) in enumerate(params):
            h = h @ w + b
            h = h.relu() if layer + 1 < len(params) else h
        return torch.nn.functional.cross_entropy(h, y)

    def step(params, velocity, x, y):
        slopes = grad(loss)(params, x, y)
        pairs = zip(params, velocity, slopes)
        both = [[(p - RATE * (u := MOMENTUM * v + g), u) for p, v, g in zip(*three)] for three in pairs]
        return [tuple(p for p, _ in two) for two in both], [tuple(v for _, v in two) for two in both]

    compiled = torch.compile(lambda params, velocity, rows: vmap(step)(params, velocity, x[rows], y[rows]))
    rng = np.random.default_rng(1)
    params = [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in starts(rng, widths)]
    order = torch.from_numpy(rows(rng, len(x), batch, steps))

    def timed():
        now, velocity = params, [tuple(torch.zeros_like(p) for p in two) for two in params]
        begin = time.process_time()
        for batch_rows in order:
            now, velocity = compiled(now, velocity, batch_rows)
        return time.process_time() - begin

    timed()
    return timed


if __name__ == "__main__":
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    prepare = {"jax": with_jax, "torch": with_torch}[sys.argv[1]]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    only = sys.argv[3] if len(sys.argv) > 3 else ""
    for name, records, batch, steps, widths in CASES:
        if only in name:
            timed = prepare(*data(records), widths, batch, steps)
            for _ in range(rounds):
                print(name, round(STACK * steps * batch / timed()), flush=True)
