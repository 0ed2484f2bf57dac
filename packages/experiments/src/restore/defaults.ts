/** What `restore` takes where nothing is said. */
import type { PluginReference } from '@tweedie/core';

/** The prior of photographs that ships, through tiles, so that pictures may have any size. */
export const MODEL: PluginReference = { id: 'tiles', options: { model: 'photo' } };

export const STEPS = 30;

/** Levels from much noise to none, where few steps do. */
export const scheduleOf = (steps: number): PluginReference => ({ id: 'edm', options: { steps } });

/**
 * The scale of DPS-w, operator by operator: about that at which the misfit is 1, on crops of photographs that ship.
 * `npx tweedie compare recipes/restore-defaults.yaml` measures it, 30 levels; with weights a36699e01390 it gave these
 * misfits, and PSNR in dB, on 8 crops at sigmaY 0.02:
 *
 *   scale                     1            2            4            8
 *   identity                  1.71  35.6   0.53  40.5   0.37  39.9   26.9  11.6
 *   inpaint, 70 % hidden      1.83  22.5   0.57  23.6   0.36  23.7   16.5  18.3
 *   super-resolution x4       9.14  18.2   3.66  21.2   1.23  22.0   0.43  22.0
 *   super-resolution x2       3.83  23.9   1.48  25.8   0.64  26.1   0.29  25.9
 *   blur, Gaussian of std 2   2.32  21.3   1.53  22.1   1.20  22.6   5.68   9.9
 *   colorize                  5.63  15.3   2.27  16.1   0.61  16.5   0.15  16.7
 *
 * and between these scales, at sigmaY 0.02 and 0.1 on the first two of the crops: 0.71 and 0.99 for identity at 1.5,
 * 0.80 and 1.13 for inpaint at 1.5, 1.12 and 1.08 for colorize at 3.
 */
const SCALES: Readonly<Record<string, number>> = {
  identity: 1.5,
  inpaint: 1.5,
  'super-resolution': 4,
  blur: 4,
  colorize: 3,
};

/** DPS-w, with the scale that fits measurements of the operator. */
export const methodFor = (operator: string): PluginReference => {
  const scale = SCALES[operator];
  return { id: 'dps-w', ...(scale === undefined ? {} : { options: { scale } }) };
};

/** A grey picture is one measurement of grey, not three with noise of their own. */
export const operatorOf = ({ id, options = {} }: PluginReference): PluginReference =>
  id === 'colorize' ? { id, options: { channels: 1, ...options } } : { id, options };
