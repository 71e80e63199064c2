"""The PyTorch side of benches/devices.rs on a CUDA device: every model by itself (eager, f32 without TF32), and
perceptrons many at once, a step under torch.func.vmap captured as a CUDA graph.

Run: python gpu.py [ONLY]. Prints a table of samples/s.
"""

import sys
import time

import torch
from torch.func import grad, vmap

sys.argv, only = sys.argv[:1] + ["0"], sys.argv[1] if len(sys.argv) > 1 else ""
import pytorch

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
GPU = torch.device("cuda")


def seconds(step, count):
    for _ in range(5):
        step()
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(count):
        step()
    torch.cuda.synchronize()
    return (time.perf_counter() - begin) / count


def eager(x, y, model, batch, rate):
    model = model.to(GPU)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)

    def step():
        rows = torch.randint(len(x), (batch,), device=GPU)
        loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return batch / seconds(step, 100)


def graphed(x, y, widths, batch, shadows):
    sizes = [64, *widths, 2]
    params = [
        tuple((torch.rand(shadows, *shape, device=GPU) * 2 - 1) * a**-0.5 for shape in ((a, b), (b,)))
        for a, b in zip(sizes, sizes[1:])
    ]
    velocity = [tuple(torch.zeros_like(p) for p in two) for two in params]
    rows = torch.randint(len(x), (shadows, batch), device=GPU)

    def loss(params, x, y):
        for layer, (w, b) in enumerate(params):
            x = x @ w + b
            x = x.relu() if layer + 1 < len(params) else x
        return torch.nn.functional.cross_entropy(x, y)

    def step():
        slopes = vmap(grad(loss))(params, x[rows], y[rows])
        for three in zip(params, velocity, slopes):
            for p, v, g in zip(*three):
                v.mul_(0.9).add_(g)
                p.sub_(v, alpha=0.05)

    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()

    def replay():
        rows.copy_(torch.randint(len(x), (shadows, batch), device=GPU))
        graph.replay()

    return shadows * batch / seconds(replay, 100)


print("| model | eager | vmap, graph: 8 | 32 | 64 |")
print("|---|---|---|---|---|")
for name, form, records, batch, _, rate, make, widths in pytorch.CASES:
    if only not in name:
        continue
    x, y = (t.to(GPU) for t in pytorch.data(form, records))
    many = [graphed(x, y, widths, batch, k) if widths else 0 for k in (8, 32, 64)]
    print("|", " | ".join([name, *(f"{v:.0f}" for v in [eager(x, y, make(), batch, rate), *many])]), "|", flush=True)
