#!/bin/sh
# Puts @tensorflow/tfjs-node on the TensorFlow of a Python environment (Linux; needs make and g++):
#
#   sh link-tensorflow.sh [python]      in the folder of your package.json; default python3
set -eu
python=${1:-python3}
tensorflow=$("$python" -c 'import importlib.util as util; print(util.find_spec("tensorflow").submodule_search_locations[0])' 2>/dev/null) || {
  echo "$python has no TensorFlow. Install it there: pip install tensorflow-cpu, or pip install 'tensorflow[and-cuda]' for NVIDIA GPUs." >&2
  exit 1
}
npm install --no-save --ignore-scripts @tensorflow/tfjs-node@4.22.0
cd "$(node -p 'path.dirname(require.resolve("@tensorflow/tfjs-node/package.json"))')"
rm -rf deps lib
mkdir -p deps/lib
ln -s "$tensorflow/include" deps/include
ln -s "$tensorflow/libtensorflow_cc.so.2" deps/lib/libtensorflow.so
ln -s "$tensorflow/libtensorflow_framework.so.2" deps/lib/libtensorflow_framework.so
# When it runs, the libraries are taken from where Python has them, so that what they look for beside themselves, NVIDIA's for one, is there.
LDFLAGS="-Wl,-rpath,$tensorflow" npx node-pre-gyp rebuild --build-from-source --build-latest-napi-version-only
