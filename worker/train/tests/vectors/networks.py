"""Makes networks.json: losses, gradients and ten optimiser steps of every architecture in PyTorch, in float64.

Run: python networks.py > networks.json   (made with the torch version noted in the file)

Weights and data follow from a congruence that the Rust side computes as well (`value`), so the file only holds
what PyTorch makes of them: losses, some of the gradients and of the final parameters, and all final logits.
Batches have six records, the last of every epoch four.
"""

import json

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

RECORDS, STEPS, CLASSES, SAMPLED = 10, 10, 3, 300


def value(index, salt):
    """In [-1, 1), exact in float32."""
    index = np.asarray(index, dtype=np.uint64)
    mixed = (index * np.uint64(2654435761) + np.uint64(salt * 40503 + 12345)) % np.uint64(1 << 32)
    mixed = (mixed ^ (mixed >> np.uint64(15))) * np.uint64(2246822519) % np.uint64(1 << 32)
    return ((mixed >> np.uint64(8)).astype(np.float32) / np.float32(1 << 23)) - np.float32(1)


def norm(channels):
    groups = max(g for g in range(1, 17) if channels % g == 0 and (channels // g >= 4 or g == 1))
    return nn.GroupNorm(groups, channels)


class TabResnet(nn.Module):
    def __init__(self, features, width, depth, outputs=CLASSES):
        super().__init__()
        self.first = nn.Linear(features, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(norm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)) for _ in range(depth)
        )
        self.norm, self.head = norm(width), nn.Linear(width, outputs)

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(F.relu(self.norm(x)))


class Cnn(nn.Module):
    def __init__(self, height, across, channels, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(2 * width * (height // 4) * (across // 4), 4 * width), nn.ReLU(), nn.Linear(4 * width, CLASSES),
        )  # fmt: skip

    def forward(self, x):
        return self.body(x)


class WideBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.norm1 = norm(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm2 = norm(outputs)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)

    def forward(self, x):
        h = F.relu(self.norm1(x))
        x = x if self.shortcut is None else self.shortcut(h)
        return x + self.conv2(F.relu(self.norm2(self.conv1(h))))


class Wrn(nn.Module):
    def __init__(self, channels, depth, width):
        super().__init__()
        self.first = nn.Conv2d(channels, 16, 3, 1, 1, bias=False)
        blocks, inputs = [], 16
        for stage, outputs in enumerate([16 * width, 32 * width, 64 * width]):
            for block in range((depth - 4) // 6):
                blocks.append(WideBlock(inputs, outputs, 2 if stage and not block else 1))
                inputs = outputs
        self.blocks, self.norm, self.head = nn.Sequential(*blocks), norm(inputs), nn.Linear(inputs, CLASSES)

    def forward(self, x):
        return self.head(F.relu(self.norm(self.blocks(self.first(x)))).mean((2, 3)))


class TimeBlock(nn.Module):
    def __init__(self, width, stride):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv1d(width, width, 5, stride, 2, bias=False), norm(width)
        self.conv2 = nn.Conv1d(width, width, 3, 1, 1, bias=False)
        self.shortcut = None
        if stride != 1:
            self.shortcut = nn.Sequential(nn.Conv1d(width, width, 1, stride, bias=False), norm(width))
        self.norm2 = norm(width)

    def forward(self, x):
        h = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(h + (x if self.shortcut is None else self.shortcut(x)))


class Resnet1d(nn.Module):
    def __init__(self, leads, width, depth):
        super().__init__()
        self.first, self.norm = nn.Conv1d(leads, width, 7, 1, 3, bias=False), norm(width)
        self.blocks = nn.Sequential(*[TimeBlock(width, 2 if block else 1) for block in range(depth)])
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x):
        return self.head(self.blocks(F.relu(self.norm(self.first(x)))).mean(2))


SGD = dict(optimizer="sgd", learning_rate=0.05, weight_decay=0.01, momentum=0.9, nesterov=True)
ADAMW = dict(optimizer="adamw", learning_rate=0.003, weight_decay=0.1, beta1=0.9, beta2=0.99, epsilon=1e-6)
# Name; architecture with width and depth; the record's form as the data set has it, channels last; model; recipe.
CASES = [
    ("tab-resnet", ("tab-resnet", 24, 2), [7], lambda: TabResnet(7, 24, 2), SGD),
    ("tab-resnet, one group", ("tab-resnet", 5, 1), [3], lambda: TabResnet(3, 5, 1), ADAMW),
    ("cnn, channels in padding", ("cnn", 6, None), [9, 11, 1], lambda: Cnn(9, 11, 1, 6), SGD),
    ("cnn", ("cnn", 16, None), [8, 8, 3], lambda: Cnn(8, 8, 3, 16), ADAMW),
    ("wrn-10-1", ("wrn", 1, 10), [9, 8, 3], lambda: Wrn(3, 10, 1), SGD),
    ("wrn-16-2", ("wrn", 2, 16), [6, 7, 1], lambda: Wrn(1, 16, 2), ADAMW),
    ("resnet1d", ("resnet1d", 32, 3), [37, 5], lambda: Resnet1d(5, 32, 3), SGD),
    ("smoothed, weighted, clipped, averaged", ("cnn", 4, None), [8, 8, 1], lambda: Cnn(8, 8, 1, 4),
     dict(SGD, label_smoothing=0.1, class_weights=[0.5, 1.0, 2.5], clip_norm=0.3, ema=0.8)),
    ("several labels", ("tab-resnet", 8, 1), [7], lambda: TabResnet(7, 8, 1),
     dict(SGD, several=True, label_smoothing=0.2, class_weights=[0.5, 1.0, 2.5], step_epochs=2.0, step_factor=0.5)),
    ("one logit", ("tab-resnet", 8, 1), [7], lambda: TabResnet(7, 8, 1, 1),
     dict(ADAMW, loss="bce", label_smoothing=0.2, class_weights=[0.5, 2.5])),
    ("resnet1d, channels in padding", ("resnet1d", 20, 2), [300, 12], lambda: Resnet1d(12, 20, 2), ADAMW),
]


def some(tensors):
    """Of all numbers in order: every k-th, so that there are some 300."""
    flat = torch.cat([t.detach().reshape(-1) for t in tensors])
    return flat[:: max(1, len(flat) // SAMPLED)].tolist()


def start(model):
    """Per tensor: its length, the middle and the spread of its start values."""
    tensors, at = [], 0
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if isinstance(module, nn.GroupNorm):
                middle, spread = (1.0, 0.25) if name == "weight" else (0.0, 0.25)
            else:
                fan_in = module.weight[0].numel()
                middle, spread = 0.0, float(np.float32(1.5 * fan_in**-0.5))
            tensors.append((parameter, middle, spread))
    assert [id(t) for t, _, _ in tensors] == [id(p) for p in model.parameters()]
    told = []
    for parameter, middle, spread in tensors:
        index = np.arange(at, at + parameter.numel())
        numbers = np.float32(middle) + np.float32(spread) * value(index, 1)
        parameter.data = torch.tensor(numbers.astype(np.float64)).reshape(parameter.shape)
        told.append([parameter.numel(), middle, spread])
        at += parameter.numel()
    return told


def records(form):
    numbers = int(np.prod(form))
    x = value(np.arange(RECORDS * numbers), 2).astype(np.float64).reshape(RECORDS, *form)
    x[0] = 0
    # Channels first.
    return torch.tensor(np.moveaxis(x, -1, 1).copy())


def optimizer_of(recipe, model):
    if recipe["optimizer"] == "sgd":
        names = dict(lr="learning_rate", momentum="momentum", weight_decay="weight_decay", nesterov="nesterov")
        return torch.optim.SGD(model.parameters(), **{to: recipe[name] for to, name in names.items()})
    return torch.optim.AdamW(
        model.parameters(),
        lr=recipe["learning_rate"],
        betas=(recipe["beta1"], recipe["beta2"]),
        eps=recipe["epsilon"],
        weight_decay=recipe["weight_decay"],
    )


def main():
    torch.manual_seed(20)
    labels = torch.randint(0, CLASSES, (RECORDS,))
    several = torch.tensor([[0, 1, 255], [1, 1, 0], [255, 255, 255], [0, 0, 1], [1, 255, 0]] * 2)
    batches = []
    while len(batches) < STEPS:
        order = torch.randperm(RECORDS).tolist()
        batches += [order[:6], order[6:]]
    cases = []
    for name, (architecture, width, depth), form, make, recipe in CASES:
        model = make().double()
        tensors = start(model)
        x = records(form)

        smoothing, weights = recipe.get("label_smoothing", 0.0), torch.tensor(recipe.get("class_weights", [1.0] * CLASSES))
        weights = weights.double()

        def loss_of(rows):
            """The mean over records (and labels) of each one's loss times its weight."""
            if recipe.get("several"):
                target = several[rows].double()
                known = several[rows] != 255
                target = torch.where(known, target, 0.0) * (1 - smoothing) + smoothing / 2
                losses = F.binary_cross_entropy_with_logits(model(x[rows]), target, reduction="none")
                return (losses * weights * known).mean()
            if recipe.get("loss") == "bce":
                two = labels[rows] % 2
                target = two.double() * (1 - smoothing) + smoothing / 2
                losses = F.binary_cross_entropy_with_logits(model(x[rows])[:, 0], target, reduction="none")
                return (losses * weights[two]).mean()
            losses = F.cross_entropy(model(x[rows]), labels[rows], label_smoothing=smoothing, reduction="none")
            return (losses * weights[labels[rows]]).mean()

        loss = loss_of(batches[0])
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        case = dict(
            name=name, architecture=architecture, width=width, depth=depth, form=form, recipe=recipe,
            tensors=tensors, loss=float(loss.detach()), gradients=some(gradients),
        )  # fmt: skip
        optimizer = optimizer_of(recipe, model)
        if "step_epochs" in recipe:
            # Ten steps are five epochs, so that two epochs are four steps.
            schedule = torch.optim.lr_scheduler.StepLR(optimizer, 4, recipe["step_factor"])
        else:
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)
        average = [parameter.detach().clone() for parameter in model.parameters()]
        for rows in batches:
            optimizer.zero_grad()
            loss_of(rows).backward()
            if "clip_norm" in recipe:
                norm = torch.nn.utils.clip_grad_norm_(model.parameters(), recipe["clip_norm"])
                assert norm > recipe["clip_norm"]
            optimizer.step()
            schedule.step()
            for kept, parameter in zip(average, model.parameters()):
                kept.lerp_(parameter.detach(), 1 - recipe.get("ema", 0.0))
        trained = some(model.parameters())
        for kept, parameter in zip(average, model.parameters()):
            parameter.data.copy_(kept)
        with torch.no_grad():
            case.update(parameters=trained, logits=model(x).reshape(-1).tolist())
        cases.append(case)
    everything = dict(
        torch=torch.__version__, records=RECORDS, classes=CLASSES, sampled=SAMPLED,
        labels=labels.tolist(), several=several.reshape(-1).tolist(), batches=batches, cases=cases,
    )  # fmt: skip
    print(json.dumps(everything))


if __name__ == "__main__":
    main()
