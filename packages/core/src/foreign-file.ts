/** What a file is that was taken for safetensors, told from how it begins, and what to do with it. */

/** What stands in an error: what the file is, and the remedy. */
export type ForeignFile = { readonly what: string; readonly remedy: string };

const quoted = (path: string): string => `'${path.replaceAll('\\', '/').replaceAll("'", "\\'")}'`;

/** A command for where PyTorch is installed; `load` and `change` are Python for the dict `t` and for a tensor `v`. */
const convert = (source: string, load: string, change: string): string => {
  const target = `${source.replace(/\.[^./\\]*$/, '')}.converted.safetensors`;
  return (
    `python -c "import torch; from safetensors.torch import load_file, save_file; t = ${load}; ` +
    `save_file({k: ${change} for k, v in t.items()}, ${quoted(target)})"`
  );
};

const pytorch = (what: string, source: string): ForeignFile => ({
  what: `is a PyTorch file (${what}, as torch.save writes), which can run code; weights are read from safetensors.`,
  remedy: `Convert it where PyTorch is installed: ${convert(
    source,
    `torch.load(${quoted(source)}, map_location='cpu', weights_only=True)`,
    'v.contiguous()',
  )}`,
});

/** The remedy for numbers of eight bits or less: the same weights as half floats. */
export const asHalfFloats = (source: string): string =>
  `Write it as F16 where PyTorch is installed: ${convert(source, `load_file(${quoted(source)})`, 'v.to(torch.float16)')}`;

const begins = (head: Uint8Array, ...bytes: readonly number[]): boolean => bytes.every((byte, i) => head[i] === byte);

/** What the file at `source` is whose first bytes are `head`; undefined where they tell nothing. */
export const foreignFile = (head: Uint8Array, source: string): ForeignFile | undefined => {
  const text = new TextDecoder('latin1').decode(head.subarray(0, 512)).trimStart().toLowerCase();
  if (begins(head, 0x50, 0x4b, 0x03, 0x04)) return pytorch('a zip archive', source);
  if (head[0] === 0x80 && (head[1] ?? 0) >= 2 && (head[1] ?? 0) <= 5) return pytorch('a pickle', source);
  if (text.startsWith('version https://git-lfs'))
    return {
      what: 'is a pointer of Git LFS, not the file that it stands for.',
      remedy: 'Fetch the file: git lfs install, then git lfs pull in its repository.',
    };
  if (/^(<!doctype|<html|<head|<\?xml|<!--)/.test(text))
    return {
      what: 'is a page of HTML or XML: the server sent a page (a login, an error) for the file.',
      remedy: 'Open the address in a browser, see what it says, and download the file itself.',
    };
  if (begins(head, 0x1f, 0x8b)) return { what: 'is compressed by gzip.', remedy: 'Unpack it first (gunzip).' };
  if (begins(head, 0x89, 0x48, 0x44, 0x46))
    return { what: 'is an HDF5 file (Keras), not safetensors.', remedy: 'Write its tensors as safetensors.' };
  if (text.startsWith('gguf'))
    return { what: 'is a GGUF file, not safetensors.', remedy: 'Take the unquantised weights.' };
  if (begins(head, 0x93, 0x4e, 0x55, 0x4d))
    return { what: 'is a NumPy file, not safetensors.', remedy: 'Write it with safetensors.numpy.save_file.' };
  if (/^[{[]\s*["{}\]]/.test(text))
    return {
      what: 'is JSON text, not safetensors.',
      remedy: 'Give the file that holds the tensors; an index of several files is not read.',
    };
  return undefined;
};
