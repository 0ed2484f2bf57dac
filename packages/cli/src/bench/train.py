"""A training step of the U-Net of packages/networks in PyTorch eager, for `tweedie bench train --torch`. Reads a task as JSON, then steps, one a line: layout, learning rate, kept share of the averaged weights; answers loss and gradient norm. Knows what the prior of photographs has: no attention, resampling by means and nearest pixels."""
import base64
import copy
import json
import math
import sys

import torch
from torch import nn
from torch.nn import functional as F

task = json.loads(sys.stdin.readline())
torch.set_num_threads(task["threads"])
RESAMPLE = {"none": lambda x: x, "down": lambda x: F.avg_pool2d(x, 2), "up": lambda x: F.interpolate(x, scale_factor=2, mode="nearest")}


class Convolution(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, x, _):
        return self.conv(x)


class Resample(nn.Module):
    def __init__(self, to):
        super().__init__()
        self.resample = RESAMPLE[to]

    def forward(self, x, _):
        return self.resample(x)


class ResBlock(nn.Module):
    def __init__(self, inputs, outputs, embedding, resample):
        super().__init__()
        self.norm_in, self.conv_in = nn.GroupNorm(32, inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.modulate = nn.Linear(embedding, 2 * outputs)
        self.norm_out, self.conv_out = nn.GroupNorm(32, outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        self.resample = RESAMPLE[resample]

    def forward(self, x, embedding):
        h = self.conv_in(self.resample(F.silu(self.norm_in(x))))
        scale, shift = self.modulate(embedding)[:, :, None, None].chunk(2, dim=1)
        h = self.conv_out(F.silu(self.norm_out(h) * (1 + scale) + shift))
        return self.skip(self.resample(x)) + h


class UNet(nn.Module):
    """The blocks of a plan of packages/networks; its parameters come in the order of the state dict."""

    def __init__(self, plan):
        super().__init__()
        self.width, self.patch, embedding = plan["timeWidth"], plan["patch"], 4 * plan["timeWidth"]
        make = {
            "convolution": lambda layer: Convolution(layer["inputs"], layer["outputs"]),
            "residual": lambda layer: ResBlock(layer["inputs"], layer["outputs"], embedding, layer["resample"]),
            "resample": lambda layer: Resample(layer["to"]),
        }
        self.time = nn.Sequential(nn.Linear(self.width, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.down, self.middle, self.up = (
            nn.ModuleList(nn.ModuleList(make[layer["kind"]](layer) for layer in block["layers"]) for block in plan[way]) for way in ("down", "middle", "up")
        )
        outputs = plan["outChannels"] * self.patch**2
        self.out = nn.Sequential(nn.GroupNorm(32, plan["lastChannels"]), nn.SiLU(), nn.Conv2d(plan["lastChannels"], outputs, 3, padding=1))
        self.register_buffer("frequencies", torch.exp(-math.log(10000) * torch.arange(self.width // 2) / (self.width // 2)))

    @torch.no_grad()
    def load(self, numbers):
        for parameter in self.parameters():
            parameter.copy_(numbers[: parameter.numel()].view(parameter.shape))
            numbers = numbers[parameter.numel() :]
        # Pixel unshuffling counts channels first and then the pixels of a patch, packages/networks the other way round.
        pixels, stem, last = self.patch**2, self.down[0][0].conv, self.out[2]
        stem.weight.copy_(stem.weight.unflatten(1, (pixels, -1)).transpose(1, 2).flatten(1, 2).clone())
        for parameter in (last.weight, last.bias):
            parameter.copy_(parameter.unflatten(0, (pixels, -1)).transpose(0, 1).flatten(0, 1).clone())
        return numbers

    def forward(self, x, t):
        angles = t[:, None] * self.frequencies
        embedding = F.silu(self.time(torch.cat([angles.cos(), angles.sin()], dim=1)))
        h, skips = F.pixel_unshuffle(x, self.patch), []
        for block in self.down:
            for layer in block:
                h = layer(h, embedding)
            skips.append(h)
        for (layer,) in self.middle:
            h = layer(h, embedding)
        for block in self.up:
            h = torch.cat([h, skips.pop()], dim=1)
            for layer in block:
                h = layer(h, embedding)
        return F.pixel_shuffle(self.out(h), self.patch)


class Training:
    def __init__(self, network, x0, noise):
        self.network, self.x0, self.noise = network, x0, noise
        self.parameters = list(network.parameters())
        self.average = [p.detach().clone() for p in self.parameters]
        # Vectors (norms and biases) do not decay.
        groups = [
            {"params": [p for p in self.parameters if p.ndim > 1], "weight_decay": task["weightDecay"]},
            {"params": [p for p in self.parameters if p.ndim == 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, betas=tuple(task["betas"]), eps=1e-8, fused=True)

    def step(self, rate, keep):
        d = task["sigmaData"]
        level = sigma[:, None, None, None]
        scale = (level**2 + d**2).rsqrt()
        x = self.x0 + level * self.noise
        x0hat = (d * scale) ** 2 * x + level * scale * d * self.network(x * scale, sigma.log() / 4)
        loss = ((x0hat - self.x0).square().mean((1, 2, 3)) * (sigma**2 + d**2) / (sigma * d) ** 2).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.parameters, task["clip"], foreach=True)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self.parameters, 1 - keep)
        return {"loss": loss.item(), "norm": norm.item()}


network = UNet(task["plan"])
rest = network.load(torch.frombuffer(bytearray(base64.b64decode(task["numbers"])), dtype=torch.float32))
sigma = rest[-task["batch"] :].clone()
x0, noise = (images.permute(0, 3, 1, 2) for images in rest[: -task["batch"]].view(2, task["batch"], task["plan"]["imageSize"], task["plan"]["imageSize"], -1))
# One of each layout, so that taking turns converts nothing.
trainings = {
    layout: Training(copy.deepcopy(network).to(memory_format=form), *(images.contiguous(memory_format=form) for images in (x0, noise)))
    for layout, form in {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}.items()
}
print(json.dumps({"version": torch.__version__, "modes": []}), flush=True)
for line in sys.stdin:
    layout, rate, keep = line.split()
    print(json.dumps(trainings[layout].step(float(rate), float(keep))), flush=True)
