import type { Image, SafetensorsEntry, Tensor } from '@tweedie/core';
import { tf } from '@tweedie/core';
import { fixtureImage, readFixtureJson, readFixtureTensors } from './fixtures.ts';

type Index = { readonly pictures: Readonly<Record<string, Readonly<Record<string, { readonly parameters?: Readonly<Record<string, unknown>> }>>>> };

/** A file of the operator fixtures: one operator on one picture. */
export type OperatorFixture = {
  /** `crop64 bicubic4` */
  readonly id: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** The picture, [1, H, W, C], and the cotangent of operators whose measurement has its shape. */
  readonly x: Image;
  readonly v: Image;
  has(tensor: string): boolean;
  entry(tensor: string): SafetensorsEntry;
  image(tensor: string): Image;
  /** A vector or matrix as stored. */
  plain(tensor: string): Tensor;
};

/** Every file whose operator is called `<family><number>` or `<family>`, on whatever pictures the index lists. */
export function operatorFixtures(family: string): readonly OperatorFixture[] {
  const { pictures } = readFixtureJson<Index>('operators', 'index.json');
  return Object.entries(pictures).flatMap(([picture, operators]) => {
    const read = (name: string) => {
      const tensors = readFixtureTensors('operators', `${picture}.${name}.safetensors`);
      const entry = (tensor: string): SafetensorsEntry => {
        const found = tensors.get(tensor);
        if (found === undefined) throw new Error(`${picture}.${name}.safetensors has no tensor ${tensor}`);
        return found;
      };
      const plain = (tensor: string): Tensor => tf.tensor(Float32Array.from(entry(tensor).data, Number), [...entry(tensor).shape]);
      return { has: (tensor: string) => tensors.has(tensor), entry, plain, image: (tensor: string) => fixtureImage(entry(tensor)) };
    };
    const wanted = Object.entries(operators).filter(([name]) => name.replace(/\d+$/, '') === family);
    return wanted.map(([name, { parameters = {} }]): OperatorFixture => {
      const shown = read('image');
      return { id: `${picture} ${name}`, parameters, x: shown.image('x'), v: shown.image('v'), ...read(name) };
    });
  });
}

/** max | a - b | */
export const largestGap = (a: Tensor, b: Tensor): number => tf.tidy(() => a.sub(b).abs().max().dataSync()[0] ?? NaN);
