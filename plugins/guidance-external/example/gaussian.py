"""Samples of x0 given y under one Gaussian prior, for guidance/external: python3 gaussian.py PROBLEM OUT 0,1,2"""
import json
import sys

import numpy as np


def read(path):
    """The tensors and the metadata of a safetensors file."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    types = {"F32": np.float32, "I32": np.int32, "BOOL": np.bool_}
    facts = header.pop("__metadata__", {})
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], types[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()
    }, facts


problem, out, wanted = sys.argv[1:]
tensors, facts = read(problem)
a = np.load(problem.replace(".safetensors", ".matrix.npy")).astype(float)
y, sigma = tensors["y"].ravel().astype(float), float(facts["sigmaY"])
shape = json.loads(facts["imageShape"])

# x0 ~ N(0, s^2 I), y = A x0 + sigma noise: a method of your own begins here.
s = 1.0
covariance = np.linalg.inv(a.T @ a / sigma**2 + np.eye(a.shape[1]) / s**2)
mean, factor = covariance @ a.T @ y / sigma**2, np.linalg.cholesky(covariance)
draws = [mean + factor @ np.random.default_rng(int(n)).standard_normal(len(mean)) for n in wanted.split(",")]
np.save(out, np.array(draws, dtype=np.float32).reshape(-1, *shape))
