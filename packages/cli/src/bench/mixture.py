"""DPS on GMM-25 in PyTorch, as packages/cli/src/bench/mixture.ts does it. Reads a task as JSON, then modes, one a line."""
import json
import sys

import torch

task = json.loads(sys.stdin.readline())
torch.manual_seed(0)
torch.set_num_threads(2)
means, weights = torch.tensor(task["means"], dtype=torch.float32), torch.tensor(task["weights"])
A, y = torch.tensor(task["A"])[:, None], task["y"]
log_weights = torch.log(weights / weights.sum())
centre = (weights / weights.sum()) @ means
offsets = means - centre
half_norms = offsets.square().sum(1) / 2
alpha_bars = torch.cumprod(1 - torch.tensor(task["betas"], dtype=torch.float64), 0)
kept = [round(i * (len(alpha_bars) - 1) / (task["steps"] - 1)) for i in range(task["steps"])]
levels = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bars[kept]])


def coefficients():
    for index in range(task["steps"], 0, -1):
        level, following = levels[index], levels[index - 1]
        std = task["eta"] * torch.sqrt((1 - following) / (1 - level) * (1 - level / following))
        direction = torch.sqrt(torch.clamp(1 - following - std**2, min=0))
        yield torch.stack([level.sqrt(), (1 - level).sqrt(), (1 - level) / level, following.sqrt(), direction, std]).float()


def denoise(x, signal, variance):
    z = x / signal - centre
    total = 1 + variance
    r = torch.softmax(log_weights + (z @ offsets.T - half_norms) / total, 1)
    return (z + (r @ offsets) * variance) / total + centre


def step(x, noise, c):
    signal, spread, variance, next_signal, direction, std = c.unbind()
    x = x.detach().requires_grad_()
    x0hat = denoise(x, signal, variance)
    norm = (y - x0hat @ A).square().sum(1).sqrt()
    (gradient,) = torch.autograd.grad(norm.sum(), x)
    with torch.no_grad():
        epsilon = (x - signal * x0hat) / spread
        return next_signal * x0hat + direction * epsilon + std * noise - task["scale"] * gradient


table = list(coefficients())
modes = {"eager": step}
try:
    modes["compiled"] = torch.compile(step)
    x = torch.randn(task["samples"], len(task["A"]))
    modes["compiled"](x, torch.randn_like(x), table[0])
except Exception:  # no compiler on this machine
    modes.pop("compiled", None)
print(json.dumps({"version": torch.__version__, "modes": list(modes)}), flush=True)

for line in sys.stdin:
    x = torch.randn(task["samples"], len(task["A"]))
    for c in table:
        x = modes[line.strip()](x, torch.randn_like(x), c)
    assert torch.isfinite(x).all()
    print("done", flush=True)
