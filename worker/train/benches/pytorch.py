"""The PyTorch side of benches/training.rs: the same data, models and recipe on one thread, timed by the seconds the
thread was on a processor.

Run: python pytorch.py [ROUNDS] [ONLY] [loss]. Prints, per model and round: name, eager samples/s, mean loss of the
last fifth, and for perceptrons the samples/s of eight models stacked in batched products (torch.baddbmm), which is
PyTorch's quickest way to train small models together; 0 for the others. A round takes a quarter of the steps of the
Rust side; with "loss" the last one takes all of them.
"""

import math
import sys
import time

import models
import torch
from torch import nn

STACK = 8
torch.set_num_threads(1)
torch.manual_seed(1)


def perceptron(widths):
    sizes = [64, *widths, 2]
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


# Name, form (channels last), records, batch, steps, learning rate, model, widths of a perceptron.
CASES = [
    ("mlp-64-256-256-2-b256", [64], 4096, 256, 800, 0.05, lambda: perceptron([256, 256]), [256, 256]),
    ("mlp-64-64-64-2-b64", [64], 4096, 64, 10_000, 0.05, lambda: perceptron([64, 64]), [64, 64]),
    ("tab-resnet-300x6-b256", [64], 4096, 256, 50, 0.05, lambda: models.TabResnet(64, 300, 6, 2), None),
    ("cnn-28x28-b128", [28, 28, 1], 1024, 128, 40, 0.05, lambda: models.last(models.cnn(28, 1, 32, 2)), None),
    ("wrn-16-1-28x28x3-b128", [28, 28, 3], 1024, 128, 12, 0.05, lambda: models.last(models.Wrn(3, 16, 1, 2)), None),
    ("resnet1d-12x1000-b32", [1000, 12], 256, 32, 6, 0.01, lambda: models.Resnet1d(12, 128, 3, 2), None),
]


def data(form, records):
    i, j = torch.arange(records)[:, None], torch.arange(math.prod(form))[None, :]
    x = ((i * 7919 + j * 104729 + i * j % 613 * 31) % 1000).float() / 500 - 1
    y = ((x[:, 0] + x[:, 1]) > 0).long()
    if len(form) > 1:
        x = (x + 0.25 * y[:, None]).reshape(records, *form).movedim(-1, 1)
        x = x.contiguous(memory_format=torch.channels_last) if len(form) == 3 else x.contiguous()
    return x, y


def batches(records, batch, steps):
    order = torch.randperm(records)
    at = 0
    for _ in range(steps):
        if at + batch > records:
            order, at = torch.randperm(records), 0
        yield order[at : at + batch]
        at += batch


def eager(x, y, model, batch, steps, rate):
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    losses = []
    start = time.thread_time()
    for rows in batches(len(x), batch, steps):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    speed = steps * batch / (time.thread_time() - start)
    return speed, float(torch.stack(losses[steps * 4 // 5 :]).mean())


def stacked(x, y, widths, batch, steps):
    sizes = [64, *widths, 2]
    weights, biases = [], []
    for a, b in zip(sizes, sizes[1:]):
        bound = a**-0.5
        weights.append(((torch.rand(STACK, a, b) * 2 - 1) * bound).requires_grad_())
        biases.append(((torch.rand(STACK, 1, b) * 2 - 1) * bound).requires_grad_())
    optimizer = torch.optim.SGD(weights + biases, lr=0.05, momentum=0.9, foreach=True)
    start = time.thread_time()
    for groups in zip(*[batches(len(x), batch, steps) for _ in range(STACK)]):
        rows = torch.stack(groups)
        h = x[rows]
        for layer, (w, b) in enumerate(zip(weights, biases)):
            h = torch.baddbmm(b, h, w)
            if layer + 1 < len(weights):
                h = h.relu()
        loss = nn.functional.cross_entropy(h.flatten(0, 1), y[rows].flatten()) * STACK
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return STACK * steps * batch / (time.thread_time() - start)


rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1
only = sys.argv[2] if len(sys.argv) > 2 else ""
for name, form, records, batch, steps, rate, make, widths in CASES:
    if only not in name:
        continue
    x, y = data(form, records)
    eager(x, y, make(), batch, 1, rate)
    for _ in range(rounds):
        speed, loss = eager(x, y, make(), batch, max(3, steps // 4), rate)
        loss = eager(x, y, make(), batch, steps, rate)[1] if "loss" in sys.argv[3:] else loss
        together = stacked(x, y, widths, batch, steps // 16) if widths else 0
        print(name, round(speed, 1), f"{loss:.4f}", round(together), flush=True)
