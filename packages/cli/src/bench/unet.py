"""The ADM U-Net of packages/networks in PyTorch eager, for `tweedie bench unet --torch`. Reads a task as JSON, then modes, one a line."""
import copy
import json
import math
import sys

import torch
from torch import nn
from torch.nn import functional as F

task = json.loads(sys.stdin.readline())
torch.manual_seed(0)
torch.set_num_threads(task["threads"])


class ResBlock(nn.Module):
    def __init__(self, inputs, outputs, embedding, resample=None):
        super().__init__()
        self.norm_in, self.conv_in = nn.GroupNorm(32, inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.modulate = nn.Linear(embedding, 2 * outputs)
        self.norm_out, self.conv_out = nn.GroupNorm(32, outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        down, up = (lambda x: F.avg_pool2d(x, 2)), (lambda x: F.interpolate(x, scale_factor=2, mode="nearest"))
        self.resample = {None: lambda x: x, "down": down, "up": up}[resample]

    def forward(self, x, embedding):
        h = self.conv_in(self.resample(F.silu(self.norm_in(x))))
        scale, shift = self.modulate(F.silu(embedding))[:, :, None, None].chunk(2, dim=1)
        h = self.conv_out(F.silu(self.norm_out(h) * (1 + scale) + shift))
        return self.skip(self.resample(x)) + h


class Attention(nn.Module):
    def __init__(self, channels, head):
        super().__init__()
        self.head, self.norm = head, nn.GroupNorm(32, channels)
        self.qkv, self.out = nn.Conv1d(channels, 3 * channels, 1), nn.Conv1d(channels, channels, 1)

    def forward(self, x, _):
        flat = x.flatten(2)
        q, k, v = self.qkv(self.norm(flat)).reshape(-1, 3 * self.head, flat.shape[2]).chunk(3, dim=1)
        root = 1 / math.sqrt(math.sqrt(self.head))
        weights = torch.softmax(torch.einsum("bct,bcs->bts", q * root, k * root), dim=-1)
        return (flat + self.out(torch.einsum("bts,bcs->bct", weights, v).reshape(flat.shape))).reshape(x.shape)


class Stage(nn.ModuleList):
    def forward(self, x, embedding):
        for layer in self:
            x = layer(x, embedding)
        return x


class UNet(nn.Module):
    def __init__(self, size, width, multipliers, blocks, attention, head, outputs):
        super().__init__()
        self.width, embedding = width, 4 * width
        self.time = nn.Sequential(nn.Linear(width, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.inputs, self.outputs = nn.ModuleList(), nn.ModuleList()
        channels, skips, pixels = width, [width], size
        for level, multiplier in enumerate(multipliers):
            for _ in range(blocks):
                stage = Stage([ResBlock(channels, multiplier * width, embedding)])
                channels = multiplier * width
                if pixels in attention:
                    stage.append(Attention(channels, head))
                self.inputs.append(stage)
                skips.append(channels)
            if level + 1 < len(multipliers):
                self.inputs.append(Stage([ResBlock(channels, channels, embedding, "down")]))
                skips.append(channels)
                pixels //= 2
        self.middle = Stage([ResBlock(channels, channels, embedding), Attention(channels, head), ResBlock(channels, channels, embedding)])
        for level, multiplier in reversed(list(enumerate(multipliers))):
            for i in range(blocks + 1):
                stage = Stage([ResBlock(channels + skips.pop(), multiplier * width, embedding)])
                channels = multiplier * width
                if pixels in attention:
                    stage.append(Attention(channels, head))
                if level > 0 and i == blocks:
                    stage.append(ResBlock(channels, channels, embedding, "up"))
                    pixels *= 2
                self.outputs.append(stage)
        self.out = nn.Sequential(nn.GroupNorm(32, channels), nn.SiLU(), nn.Conv2d(channels, outputs, 3, padding=1))

    def forward(self, x, t):
        half = self.width // 2
        frequencies = torch.exp(-math.log(10000) * torch.arange(half) / half)
        angles = t[:, None] * frequencies
        embedding = self.time(torch.cat([angles.cos(), angles.sin()], dim=1))
        h = self.stem(x)
        skips = [h]
        for stage in self.inputs:
            h = stage(h, embedding)
            skips.append(h)
        h = self.middle(h, embedding)
        for stage in self.outputs:
            h = stage(torch.cat([h, skips.pop()], dim=1), embedding)
        return self.out(h)


with torch.no_grad():
    network = UNet(**task["network"]).requires_grad_(False).eval()
size, batch = task["network"]["size"], task["batch"]
t = torch.full((batch,), 500.0)
x, cotangent = torch.randn(batch, 3, size, size), torch.randn(batch, task["network"]["outputs"], size, size)
# A copy for each layout, so that taking turns converts nothing.
copies = {
    "contiguous": (network, x, cotangent),
    "channels_last": (copy.deepcopy(network).to(memory_format=torch.channels_last), *(a.contiguous(memory_format=torch.channels_last) for a in (x, cotangent))),
}


def forward(network, x, cotangent, bfloat16):
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        return network(x, t)


def vjp(network, x, cotangent, bfloat16):
    z = x.detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        out = network(z, t)
    return torch.autograd.grad(out, z, cotangent.to(out.dtype))


parameters = sum(p.numel() for p in network.parameters())
print(json.dumps({"version": torch.__version__, "modes": [], "parameters": parameters}), flush=True)
for line in sys.stdin:
    layout, what, *half = line.split()
    {"forward": forward, "vjp": vjp}[what](*copies[layout], half == ["bfloat16"])
    print("done", flush=True)
