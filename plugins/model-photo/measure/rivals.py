"""Compares what `measure.ts` restored with classical methods, tuned on other crops of the same held-out photographs.

Needs numpy, scipy, Pillow and scikit-image. PSNR: peak 2, clipped to [-1, 1], mean over images; differences are paired, with 95 % t intervals.
"""
import json
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import skimage
from PIL import Image
from scipy import stats
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle, inpaint_biharmonic
from skimage.transform import resize


def read(path):
    """The tensors of a safetensors file of float32 by name, and its metadata."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    facts = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(data[start + first : start + end], "<f4").reshape(entry["shape"])
    return tensors, facts


def psnr(x, truth):
    error = np.clip(x, -1, 1).astype(float) - truth
    return 10 * np.log10(4 / np.mean(error**2))


def tv(y, sigma, weight):
    return denoise_tv_chambolle(y, weight=weight * sigma, channel_axis=-1, max_num_iter=200)


def nlm(y, sigma, h, patch_size, patch_distance, told, fast_mode):
    """`told`: the share of the noise's variance that is taken off the distances of patches."""
    options = dict(patch_size=patch_size, patch_distance=patch_distance, fast_mode=fast_mode, channel_axis=-1)
    return denoise_nl_means(y, h=h * sigma, sigma=np.sqrt(told) * sigma, **options)


# The share of the pixels that inpainting hides.
HIDDEN = 0.7

# Options that are tuned: where the search starts, and all values that it may take.
GRIDS = {
    tv: dict(weight=(1.0, (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 2.0))),
    nlm: dict(
        h=(0.6, (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0)),
        patch_size=(5, (3, 4, 5, 6, 7)),
        patch_distance=(9, (5, 7, 9, 11, 15, 21)),
        told=(1, (0, 0.5, 1)),
        fast_mode=(True, (True, False)),
    ),
}


def neighbours(options, grid):
    """The same options with one of them moved by a place in its list."""
    for name, (_, values) in grid.items():
        place = values.index(options[name])
        for other in (place - 1, place + 1):
            if 0 <= other < len(values):
                yield {**options, name: values[other]}


def filled(y, hidden):
    """`y` with its hidden pixels filled in biharmonically."""
    return inpaint_biharmonic(y, hidden, channel_axis=-1)


def tune(method, sigma, truths, share=0):
    """Options that no move of a single one improves: mean PSNR on the crops `truths`, with noise of a fixed seed and a `share` of the pixels filled in."""
    random = np.random.default_rng(0)
    noisy = truths + sigma * random.standard_normal(truths.shape).astype("f4")
    if share > 0:
        noisy = [filled(y, random.random(y.shape[:2]) < share) for y in noisy]
    seen = {}

    def score(options):
        key = json.dumps(options)
        if key not in seen:
            seen[key] = np.mean([psnr(method(y, sigma, **options), x) for y, x in zip(noisy, truths)])
        return seen[key]

    best = {name: start for name, (start, _) in GRIDS[method].items()}
    while (better := max(neighbours(best, GRIDS[method]), key=score)) and score(better) > score(best):
        best = better
    print(f"tuned {method.__name__} at {sigma}{' on pictures filled in' if share > 0 else ''}: {score(best):.2f} dB of {len(seen)} tried, {json.dumps(best)}")
    return best


def bicubic(y, shape):
    """Keys' kernel with a = -1/2."""
    height, width = shape[:2]
    planes = [Image.fromarray(np.ascontiguousarray(y[..., c])) for c in range(y.shape[-1])]
    return np.stack([np.asarray(plane.resize((width, height), Image.BICUBIC)) for plane in planes], -1)


def rivals_of(operator, sigma, group, options_of):
    """What each rival makes of the measurements of a group, by name."""
    y, shape = group["y"], group["x0"].shape[1:]
    if operator == "identity":
        return {m.__name__: [m(one, sigma, **options_of(m, sigma, 0)) for one in y] for m in (tv, nlm)}
    if operator == "inpaint":
        fills = [filled(one, mask[..., 0] < 0.5) for one, mask in zip(y, group["drawn/0"])]
        chosen = options_of(nlm, sigma, HIDDEN)
        return {"biharmonic": fills, "biharmonic, nlm": [nlm(one, sigma, **chosen) for one in fills]}
    return {
        "bicubic": [bicubic(one, shape) for one in y],
        "cubic spline": [resize(one, shape, order=3, mode="edge", anti_aliasing=False) for one in y],
    }


def conditions(row, sigma, samples, group, seed=0):
    """What posterior samples must hold for A = I (docs/methods.md 6.4): the squared error of one sample over that of the mean of the others, with a 95 %
    bootstrap interval over the images; from it the variance of the samples over the squared error of the mean of infinitely many, 1 for draws; standard
    deviation of y - sample over sigmaY; its correlation with the sample."""
    x0, y, sample, restored = (group[key].astype(float) for key in ("x0", "y", "sample", "restored"))
    others = (samples * restored - sample) / (samples - 1)
    one, mean = (np.mean((x - x0) ** 2, axis=(1, 2, 3)) for x in (sample, others))
    drawn = np.random.default_rng(seed).integers(len(one), size=(10_000, len(one)))
    rest = y - sample
    expected = 2 * (samples - 1) / samples
    ratio, low, high = one.sum() / mean.sum(), *np.quantile(one[drawn].sum(1) / mean[drawn].sum(1), (0.025, 0.975))
    spread, *ends = ((r - 1) / (1 - r / (samples - 1)) for r in (ratio, low, high))
    return (
        f"| {row} | {len(one)} | {ratio:.3f} [{low:.3f}, {high:.3f}] | {expected:.3f} | {spread:.2f} [{ends[0]:.2f}, {ends[1]:.2f}] | {rest.std() / sigma:.3f} "
        f"| {np.corrcoef(rest.ravel(), sample.ravel())[0, 1]:+.4f} |"
    )


EXPERIMENTS = (
    *("one-step", "one-step-self-ensemble", "posterior", "levels", "whole", "whole-self-ensemble", "inpaint", "inpaint-self-ensemble"),
    *("whole-inpaint", "inpaint-noisy", "whole-inpaint-noisy", "super-resolution"),
)


def main(folder, count):
    folder = Path(folder)
    if not (folder / "tuning.safetensors").exists():
        sys.exit(f"{folder / 'tuning.safetensors'} is not there. Run measure.ts first, with --out {folder}.")
    truths = read(folder / "tuning.safetensors")[0]["x0"][:count]
    options_of = cache(lambda method, sigma, share: tune(method, sigma, truths, share))
    lines, held, weights = [], [], set()
    for name in EXPERIMENTS:
        path = folder / f"{name}.safetensors"
        if not path.exists():
            continue
        tensors, facts = read(path)
        weights.add(facts["weights"][:12])
        for row in sorted({key.split("/")[0] for key in tensors}):
            group = {key.split("/", 1)[1]: value for key, value in tensors.items() if key.split("/")[0] == row}
            operator, sigma = row.split(" ")[:2]
            if name in ("posterior", "levels") and (samples := int(facts["samples"])) > 1:
                held.append(conditions(f"{name}, {row}", float(sigma), samples, group))
            if name == "levels":
                continue
            ours = np.array([psnr(*pair) for pair in zip(group["restored"], group["x0"])])
            for rival, made in rivals_of(operator, float(sigma), group, options_of).items():
                theirs = np.array([psnr(*pair) for pair in zip(made, group["x0"])])
                gain = ours - theirs
                half = stats.t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
                lines.append(
                    f"| {name} | {row} | {len(gain)} | {ours.mean():.2f} | {rival} | {theirs.mean():.2f} "
                    f"| {gain.mean():+.2f} [{gain.mean() - half:+.2f}, {gain.mean() + half:+.2f}] |"
                )
    print(f"\nscikit-image {skimage.__version__}; tuned on {len(truths)} crops; weights {', '.join(sorted(weights))}; PSNR in dB\n")
    print("| experiment | problem, sigmaY | n | prior | rival | rival's | paired difference, 95 % |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(lines))
    if held:
        print("\nPosterior samples, A = I: squared error of a sample over that of the mean of the others; y - sample\n")
        print("| experiment, problem, sigmaY | n | ratio, 95 % | expected | spread, 95 % | std / sigmaY | correlation with the sample |")
        print("|---|---|---|---|---|---|---|")
        print("\n".join(held))


if __name__ == "__main__":
    began = time.time()
    main(sys.argv[1] if len(sys.argv) > 1 else "runs/measure-photo", int(sys.argv[2]) if len(sys.argv) > 2 else 64)
    print(f"\n{time.time() - began:.0f} s")
