"""The bench's models in PyTorch, as a user would write them: channels last for images, group norm."""

import torch
from torch import nn
from torch.nn import functional as F


def norm(channels):
    groups = max(g for g in range(1, 17) if channels % g == 0 and (channels // g >= 4 or g == 1))
    return nn.GroupNorm(groups, channels)


class TabResnet(nn.Module):
    def __init__(self, features, width, depth, outputs):
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


def cnn(size, channels, width, outputs):
    side = size // 4
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(2 * width * side * side, 4 * width), nn.ReLU(), nn.Linear(4 * width, outputs),
    )  # fmt: skip


class WideBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.norm1, self.norm2 = norm(inputs), norm(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        h = F.relu(self.norm1(x))
        x = x if self.shortcut is None else self.shortcut(h)
        return x + self.conv2(F.relu(self.norm2(self.conv1(h))))


class Wrn(nn.Module):
    def __init__(self, channels, depth, width, outputs):
        super().__init__()
        self.first = nn.Conv2d(channels, 16, 3, 1, 1, bias=False)
        blocks, inputs = [], 16
        for stage, wide in enumerate([16 * width, 32 * width, 64 * width]):
            for block in range((depth - 4) // 6):
                blocks.append(WideBlock(inputs, wide, 2 if stage and not block else 1))
                inputs = wide
        self.blocks, self.norm, self.head = nn.Sequential(*blocks), norm(inputs), nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.head(F.relu(self.norm(self.blocks(self.first(x)))).mean((2, 3)))


class TimeBlock(nn.Module):
    def __init__(self, width, stride):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv1d(width, width, 5, stride, 2, bias=False), norm(width)
        self.conv2, self.norm2 = nn.Conv1d(width, width, 3, 1, 1, bias=False), norm(width)
        self.shortcut = None
        if stride != 1:
            self.shortcut = nn.Sequential(nn.Conv1d(width, width, 1, stride, bias=False), norm(width))

    def forward(self, x):
        h = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(h + (x if self.shortcut is None else self.shortcut(x)))


class Resnet1d(nn.Module):
    def __init__(self, leads, width, depth, outputs):
        super().__init__()
        self.first, self.norm = nn.Conv1d(leads, width, 7, 1, 3, bias=False), norm(width)
        self.blocks = nn.Sequential(*[TimeBlock(width, 2 if block else 1) for block in range(depth)])
        self.head = nn.Linear(width, outputs)

    def forward(self, x):
        return self.head(self.blocks(F.relu(self.norm(self.first(x)))).mean(2))


def last(model):
    """Channels last, which is PyTorch's quicker layout for convolutions over images on CPUs."""
    return model.to(memory_format=torch.channels_last)
