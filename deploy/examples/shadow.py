"""A shadow's weights (umbra run --keep-weights, umbra worker --keep-weights) as a PyTorch module.

    model = Shadow("weights/AUDIT/shadow-0000.safetensors").eval()
    logits = model(records)

Records are given as Umbra gives them, standardised by the data set's means and standard deviations: [n, features],
[n, channels, height, width], or [n, leads, samples]. Needs torch and safetensors.
"""

import json

from safetensors import safe_open
from torch import nn
from torch.nn import functional as F


class Shadow(nn.Module):
    """The network that a file describes: each layer reads one value and may add another."""

    def __init__(self, path):
        super().__init__()
        with safe_open(path, framework="pt") as file:
            self.about = json.loads(file.metadata()["umbra"])
            if self.about["version"] != 1:
                raise ValueError(f"{path}: version {self.about['version']} is newer than this script")
            for name in file.keys():
                self.register_parameter(name.replace(".", "_"), nn.Parameter(file.get_tensor(name)))

    def forward(self, records):
        values = [records]
        for layer in self.about["layers"]:
            value = self.layer(layer, values[layer["input"]])
            if layer["skip"] is not None:
                value = value + values[layer["skip"]]
            values.append(value.relu() if layer["relu"] else value)
        return values[-1]

    def layer(self, layer, x):
        number = layer.get("parameters")
        weight, bias = (getattr(self, f"{number}_{name}", None) for name in ("weight", "bias"))
        match layer["kind"]:
            case "linear":
                return F.linear(x.flatten(1), weight, bias)
            case "conv":
                convolve = F.conv1d if weight.dim() == 3 else F.conv2d
                return convolve(x, weight, bias, tuple(layer["stride"]), tuple(layer["padding"]))
            case "group-norm":
                return F.group_norm(x, layer["groups"], weight, bias)
            case "max-pool":
                return F.max_pool2d(x, 2)
            case "mean-pool":
                return x.flatten(2).mean(2)
            case "dropout":
                return F.dropout(x, layer["rate"], self.training)
        raise ValueError(f"this script knows no layer {layer['kind']}")
