import type { ImageShape } from '@tweedie/core';
import { showShape } from '@tweedie/core';
import type { Check } from './check.ts';
import { compilingEngine } from './engine-of.ts';
import { operatorAlgebraChecks } from './operator-algebra.ts';
import { operatorBehaviourChecks } from './operator-behaviour.ts';
import { operatorSpectralChecks } from './operator-spectral.ts';
import type { OperatorSettings, OperatorSubject } from './operator-subject.ts';
import { type Kit, type KitOptions, titleOf } from './plugin-under-test.ts';

export const operatorChecks: readonly Check<OperatorSubject>[] = [
  ...operatorBehaviourChecks,
  ...operatorAlgebraChecks,
  ...operatorSpectralChecks,
];

const SHAPES: readonly ImageShape[] = [
  [8, 8, 3],
  [1, 16, 1],
];

export const operatorKit = ({
  imageShapes = SHAPES,
  tolerance = 1e-5,
  truncates = false,
  options: sets = [{}],
}: KitOptions & OperatorSettings): Kit<OperatorSubject> => ({
  kind: 'operator',
  blocksOf: ({ container, manifest, name }, options) =>
    imageShapes.map((imageShape) => ({
      title: `${titleOf(options)}, images ${showShape(imageShape)}`,
      async make() {
        const make = (given = options) =>
          container.plugin('operator', { id: manifest.id, options: given }, { imageShape });
        const siblings = await Promise.all(sets.map(make));
        return {
          name,
          manifest,
          imageShape,
          tolerance,
          truncates,
          operator: await make(),
          make: () => make(),
          siblings,
          engine: () => compilingEngine(container),
        };
      },
    })),
  checks: operatorChecks,
});
