"""The PyTorch side of benches/training.rs: the same data, models and recipe on one thread.

Prints, per model and round: name, eager samples/s, mean loss of the last fifth, samples/s of eight models
stacked in batched products (torch.baddbmm), which is PyTorch's quickest way to train small models together.
"""

import sys
import time

import torch

RECORDS, FEATURES = 4096, 64
MODELS = [("mlp-64-256-256-2-b256", [256, 256], 256, 800), ("mlp-64-64-64-2-b64", [64, 64], 64, 10_000)]
STACK = 8

torch.set_num_threads(1)
torch.manual_seed(1)
i = torch.arange(RECORDS)[:, None]
j = torch.arange(FEATURES)[None, :]
x = ((i * 7919 + j * 104729 + i * j % 613 * 31) % 1000).float() / 500 - 1
y = ((x[:, 0] + x[:, 1]) > 0).long()


def batches(batch, steps):
    order = torch.randperm(RECORDS)
    at = 0
    for _ in range(steps):
        if at + batch > RECORDS:
            order, at = torch.randperm(RECORDS), 0
        yield order[at : at + batch]
        at += batch


def eager(widths, batch, steps):
    sizes = [FEATURES, *widths, 2]
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    losses = []
    start = time.perf_counter()
    for rows in batches(batch, steps):
        loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    rate = steps * batch / (time.perf_counter() - start)
    return rate, float(torch.stack(losses[steps * 4 // 5 :]).mean())


def stacked(widths, batch, steps):
    sizes = [FEATURES, *widths, 2]
    weights, biases = [], []
    for a, b in zip(sizes, sizes[1:]):
        bound = a**-0.5
        weights.append(((torch.rand(STACK, a, b) * 2 - 1) * bound).requires_grad_())
        biases.append(((torch.rand(STACK, 1, b) * 2 - 1) * bound).requires_grad_())
    optimizer = torch.optim.SGD(weights + biases, lr=0.05, momentum=0.9, foreach=True)
    start = time.perf_counter()
    for groups in zip(*[batches(batch, steps) for _ in range(STACK)]):
        rows = torch.stack(groups)
        h = x[rows]
        for layer, (w, b) in enumerate(zip(weights, biases)):
            h = torch.baddbmm(b, h, w)
            if layer + 1 < len(weights):
                h = h.relu()
        loss = torch.nn.functional.cross_entropy(h.flatten(0, 1), y[rows].flatten()) * STACK
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return STACK * steps * batch / (time.perf_counter() - start)


for name, widths, batch, steps in MODELS:
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        rate, loss = eager(widths, batch, steps // 4)
        loss = eager(widths, batch, steps)[1] if len(sys.argv) > 2 else loss
        print(name, round(rate), f"{loss:.4f}", round(stacked(widths, batch, steps // 16)), flush=True)
