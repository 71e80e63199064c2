"""Makes pytorch.json: losses, gradients and ten optimiser steps of small models in PyTorch, in float64.

Run: python make.py > pytorch.json   (made with the torch version noted in the file)

Weights and features are rounded to float32 first, so that both sides start from the same numbers. Record 0
is all zeros and the first hidden unit has bias 0: its sum is exactly 0 there, so the derivative of ReLU at 0
shows. Batches have six records, the last of every epoch four.
"""

import json

import torch

torch.manual_seed(20)
RECORDS, FEATURES, CLASSES, STEPS = 10, 7, 3, 10

features = torch.randn(RECORDS, FEATURES, dtype=torch.float32)
features[0] = 0
labels = torch.randint(0, CLASSES, (RECORDS,))
batches = []
while len(batches) < STEPS:
    order = torch.randperm(RECORDS).tolist()
    if not batches:
        order.remove(0)
        order.insert(0, 0)
    batches += [order[:6], order[6:]]
batches = batches[:STEPS]

RECIPES = {
    "sgd": dict(optimizer="sgd", learning_rate=0.1, weight_decay=0.01, momentum=0.9, nesterov=False),
    "nesterov": dict(optimizer="sgd", learning_rate=0.05, weight_decay=0.001, momentum=0.8, nesterov=True),
    "adamw": dict(optimizer="adamw", learning_rate=0.01, weight_decay=0.1, beta1=0.9, beta2=0.99, epsilon=1e-6),
}


def build(widths, start):
    sizes = [FEATURES, *widths, CLASSES]
    layers = []
    for i in range(len(sizes) - 1):
        layers += [torch.nn.Linear(sizes[i], sizes[i + 1]), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1]).double()
    if start is None:
        for parameter in model.parameters():
            parameter.data = parameter.data.float().double()
        if widths:
            model[0].bias.data[0] = 0
    else:
        torch.nn.utils.vector_to_parameters(torch.tensor(start, dtype=torch.float64), model.parameters())
    return model


def flat(tensors):
    return torch.cat([t.reshape(-1) for t in tensors]).tolist()


def loss_of(model, rows):
    return torch.nn.functional.cross_entropy(model(features.double()[rows]), labels[rows])


def optimizer_of(recipe, model):
    if recipe["optimizer"] == "sgd":
        return torch.optim.SGD(
            model.parameters(),
            lr=recipe["learning_rate"],
            momentum=recipe["momentum"],
            weight_decay=recipe["weight_decay"],
            nesterov=recipe["nesterov"],
        )
    return torch.optim.AdamW(
        model.parameters(),
        lr=recipe["learning_rate"],
        betas=(recipe["beta1"], recipe["beta2"]),
        eps=recipe["epsilon"],
        weight_decay=recipe["weight_decay"],
    )


models = {}
for name, widths in {"logistic": [], "mlp": [20, 17]}.items():
    model = build(widths, None)
    start = flat(model.parameters())
    first = []
    for rows in batches[:2]:
        loss = loss_of(model, rows)
        gradients = flat(torch.autograd.grad(loss, list(model.parameters())))
        first.append(dict(loss=float(loss.detach()), gradients=gradients))
    if widths:
        assert model[0](features.double()[0])[0].item() == 0.0
    steps = {}
    for recipe_name, recipe in RECIPES.items():
        model = build(widths, start)
        optimizer = optimizer_of(recipe, model)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)
        for rows in batches:
            optimizer.zero_grad()
            loss_of(model, rows).backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            logits = model(features.double()).reshape(-1).tolist()
        steps[recipe_name] = dict(recipe=recipe, parameters=flat(model.parameters()), logits=logits)
    models[name] = dict(widths=widths, start=start, batches=first, steps=steps)

print(
    json.dumps(
        dict(
            torch=torch.__version__,
            records=RECORDS,
            features=FEATURES,
            classes=CLASSES,
            values=features.reshape(-1).tolist(),
            labels=labels.tolist(),
            batches=batches,
            models=models,
        )
    )
)
